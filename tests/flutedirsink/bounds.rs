// SPDX-License-Identifier: MPL-2.0

//! What stays on the disk of a receiver that runs for long.

use gstflute::object_removal::ObjectRemoval;

use super::{Scenario, object, tree};

impl Scenario {
    fn withdraw(&mut self, location: &str) {
        let removal = ObjectRemoval { content_location: location.to_owned(), ..Default::default() };
        assert!(self.harness.push_event(removal.into_event()));
    }

    /// The name and the reason of the next file that is deleted.
    fn next_deleted(&self) -> (String, String) {
        loop {
            let message = self.bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &[gst::MessageType::Element]);
            let message = message.expect("a file is deleted");
            let structure = message.structure().unwrap();
            if structure.name() == "flute-file-deleted" {
                let path: &str = structure.get("path").unwrap();
                return (path.rsplit('/').next().unwrap().to_owned(), structure.get("reason").unwrap());
            }
        }
    }
}

#[test]
fn test_flutedirsink_deletes_nothing_by_default() {
    let mut scenario = Scenario::new(&[]);
    for number in 0..20 {
        scenario.push(object(&format!("{number}"), b"x"));
        scenario.withdraw(&format!("{number}"));
    }
    assert_eq!(tree(&scenario.target()).len(), 20);
    assert_eq!(scenario.counter("deleted"), 0);
}

#[test]
fn test_flutedirsink_max_files_of_each_folder() {
    let mut scenario = Scenario::new(&[("max-files", "2")]);
    for name in ["a/1", "a/2", "b/1", "a/3", "a/1", "other"] {
        scenario.push(object(name, b"x"));
    }
    assert_eq!(tree(&scenario.target()), ["a/1", "a/3", "b/1", "other"]);
    assert_eq!(scenario.next_deleted(), ("1".to_owned(), "max-files".to_owned()));
    assert_eq!(scenario.counter("deleted"), 2);
}

#[test]
fn test_flutedirsink_max_bytes() {
    let mut scenario = Scenario::new(&[("max-bytes", "10")]);
    for name in ["1", "2", "3"] {
        scenario.push(object(name, &[0; 4]));
    }
    assert_eq!(tree(&scenario.target()), ["2", "3"]);
    // One that is too long by itself is the only one that stays.
    scenario.push(object("long", &[0; 11]));
    assert_eq!(tree(&scenario.target()), ["long"]);
}

/// A live presentation: what its newest manifest names stays, however old it is.
#[test]
fn test_flutedirsink_keeps_what_the_manifest_names() {
    let mut scenario = Scenario::new(&[("max-files", "3")]);
    let playlist = |first: u32| {
        let segments: String =
            (first..first + 3).map(|number| format!("#EXTINF:2,\nhttp://h/v/{number}.m4s\n")).collect();
        object("http://h/v/live.m3u8", format!("#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n{segments}").as_bytes())
    };
    scenario.push(object("http://h/v/init.mp4", b"init"));
    for number in 0..6 {
        scenario.push(object(&format!("http://h/v/{number}.m4s"), b"media"));
        scenario.push(playlist(number.max(2) - 2));
    }
    let expected = ["3.m4s", "4.m4s", "5.m4s", "init.mp4", "live.m3u8"].map(|name| format!("h/v/{name}"));
    assert_eq!(tree(&scenario.target()), expected);
}

#[test]
fn test_flutedirsink_withdrawn_objects_are_deleted_after_the_delay() {
    let mut scenario = Scenario::new(&[("delete-withdrawn", "true"), ("delete-delay", "20000000")]);
    for name in ["folder/1", "2", "3"] {
        scenario.push(object(name, b"x"));
    }
    scenario.withdraw("folder/1");
    scenario.withdraw("unknown");
    // Nothing else comes: it is deleted all the same, and the folder that it leaves empty.
    assert_eq!(scenario.next_deleted(), ("1".to_owned(), "delete-withdrawn".to_owned()));
    assert_eq!(tree(&scenario.target()), ["2", "3"]);
    assert!(!scenario.target().join("folder").exists());
}

#[test]
fn test_flutedirsink_files_become_too_old() {
    let mut scenario = Scenario::new(&[("max-age", "20000000")]);
    scenario.push(object("1", b"x"));
    scenario.push(object("2", b"x"));
    assert_eq!(scenario.next_deleted(), ("1".to_owned(), "max-age".to_owned()));
    assert_eq!(scenario.next_deleted(), ("2".to_owned(), "max-age".to_owned()));
    assert_eq!(tree(&scenario.target()), [""; 0]);
}

#[test]
fn test_flutedirsink_deletes_only_what_it_wrote() {
    let mut scenario = Scenario::new(&[("max-files", "1")]);
    std::fs::write(scenario.target().join("yours"), b"untouched").unwrap();
    for name in ["1", "2"] {
        scenario.push(object(name, b"x"));
    }
    assert_eq!(tree(&scenario.target()), ["2", "yours"]);
}
