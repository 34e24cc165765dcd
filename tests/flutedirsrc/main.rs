// SPDX-License-Identifier: MPL-2.0

//! Tests of flutedirsrc: folders in, described buffers out, and the same folders at the other end of a session.

mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flute_proto::Time;
use flute_proto::receiver::{Content, Event, Receiver, ReceiverConfig};
use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

fn init() {
    use std::sync::Once;
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstflute::plugin_register_static().unwrap();
    });
}

fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

/// A presentation, with long and short files, names that need escapes, and an empty file.
fn presentation() -> (tempfile::TempDir, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let files = BTreeMap::from([
        ("live.mpd".to_owned(), b"<MPD/>".to_vec()),
        ("video/init.mp4".to_owned(), content(900)),
        ("video/seg%201.m4s".to_owned(), content(65_536)),
        ("video/seg%202.m4s".to_owned(), content(65_537)),
        ("audio/deep/er/1.m4s".to_owned(), content(300_000)),
        ("empty.txt".to_owned(), Vec::new()),
    ]);
    for (name, bytes) in &files {
        let path = folder.path().join(name.replace("%20", " "));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    (folder, files)
}

fn flutedirsrc(location: &Path) -> gst::Element {
    init();
    gst::ElementFactory::make("flutedirsrc").property("location", location.to_str().unwrap()).build().unwrap()
}

/// The buffers that the element pushes, and the warnings and errors that it posts.
fn buffers(element: &gst::Element) -> (Vec<gst::Buffer>, Vec<String>) {
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut harness = gst_check::Harness::with_element(element, None, Some("src"));
    harness.play();
    let mut buffers = Vec::new();
    while let Some(buffer) = harness.pull_until_eos().expect("a buffer, or EOS") {
        buffers.push(buffer);
    }
    drop(harness);
    element.set_state(gst::State::Null).unwrap();
    element.set_bus(None);
    (buffers, complaints(&bus))
}

fn complaints(bus: &gst::Bus) -> Vec<String> {
    let texts = std::iter::from_fn(|| bus.pop()).filter_map(|message| match message.view() {
        gst::MessageView::Error(error) => Some(error.error().to_string()),
        gst::MessageView::Warning(warning) => Some(warning.error().to_string()),
        _ => None,
    });
    texts.collect()
}

fn location(buffer: &gst::Buffer) -> String {
    ObjectMeta::of(buffer).unwrap().content_location.unwrap()
}

#[test]
fn test_flutedirsrc_folder() {
    let (folder, files) = presentation();
    let (buffers, complaints) = buffers(&flutedirsrc(folder.path()));
    assert_eq!(complaints, [""; 0]);
    let names: Vec<_> = buffers.iter().map(location).collect();
    let order =
        ["audio/deep/er/1.m4s", "empty.txt", "video/init.mp4", "video/seg%201.m4s", "video/seg%202.m4s", "live.mpd"];
    assert_eq!(names, order);
    for buffer in &buffers {
        // Also where the memory is a file.
        assert_eq!(buffer.map_readable().unwrap().as_slice(), files[&location(buffer)]);
    }
    let meta = ObjectMeta::of(&buffers[5]).unwrap();
    assert_eq!(meta.content_type.as_deref(), Some("application/dash+xml"));
    assert_eq!(meta.file, None, "a short file is in its buffer");
    let long = ObjectMeta::of(&buffers[0]).unwrap();
    assert_eq!(long.file.as_deref(), folder.path().join("audio/deep/er/1.m4s").to_str());
}

#[test]
fn test_flutedirsrc_options() {
    let (folder, _) = presentation();
    let element = flutedirsrc(folder.path());
    element.set_property("recursive", false);
    element.set_property("manifests-last", false);
    element.set_property("prefix", "http://example.com/");
    element.set_property("location", format!("{}/[el]*", folder.path().display()));
    let names: Vec<_> = buffers(&element).0.iter().map(location).collect();
    assert_eq!(names, ["http://example.com/empty.txt", "http://example.com/live.mpd"]);
}

#[test]
fn test_flutedirsrc_again() {
    let (folder, files) = presentation();
    let element = flutedirsrc(folder.path());
    for _ in 0..2 {
        assert_eq!(buffers(&element).0.len(), files.len());
    }
}

#[test]
fn test_flutedirsrc_nothing_there() {
    let folder = tempfile::tempdir().unwrap();
    for (name, part) in [("none", "there is no file or folder"), ("*.ts", "no file matches")] {
        let element = flutedirsrc(&folder.path().join(name));
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        assert_eq!(element.set_state(gst::State::Playing), Err(gst::StateChangeError));
        element.set_state(gst::State::Null).unwrap();
        element.set_bus(None);
        let complaints = complaints(&bus);
        assert!(complaints[0].contains(part), "{complaints:?}");
    }
    let (buffers, complaints) = buffers(&flutedirsrc(folder.path()));
    assert!(buffers.is_empty() && complaints.is_empty(), "an empty folder is one");
}

#[test]
fn test_flutedirsrc_one_unreadable_file() {
    let (folder, files) = presentation();
    std::os::unix::fs::symlink("nowhere", folder.path().join("broken.ts")).unwrap();
    let (buffers, complaints) = buffers(&flutedirsrc(folder.path()));
    assert_eq!(buffers.len(), files.len());
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].contains("broken.ts"), "{complaints:?}");
}

#[test]
fn test_flutedirsrc_names_that_do_not_arrive_byte_for_byte() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    for name in [&b"not\xffutf8"[..], b"line\nbreak", "Grüße 1.txt".as_bytes()] {
        fs::write(folder.path().join(OsStr::from_bytes(name)), "").unwrap();
    }
    let (buffers, complaints) = buffers(&flutedirsrc(folder.path()));
    let names: Vec<_> = buffers.iter().map(location).collect();
    assert_eq!(names, ["Gr%C3%BC%C3%9Fe%201.txt", "line%0Abreak", "not%FFutf8"]);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints.iter().all(|text| text.contains("arrives as")), "{complaints:?}");
}

/// A folder with a file, a hidden one, a link to the file, one to a hidden file and one to a file elsewhere.
fn a_folder_with_links() -> (tempfile::TempDir, tempfile::TempDir) {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(folder.path().join(".git")).unwrap();
    for (path, content) in [
        (folder.path().join("a.txt"), "a"),
        (folder.path().join(".hidden"), "hidden"),
        (folder.path().join(".git/config"), "hidden"),
        (elsewhere.path().join("secret"), "secret"),
    ] {
        fs::write(path, content).unwrap();
    }
    let link = |target: &Path, name: &str| std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    link(Path::new("a.txt"), "inside.txt");
    link(Path::new(".git/config"), "to-hidden");
    link(&elsewhere.path().join("secret"), "secret-link");
    link(elsewhere.path(), "secret-folder");
    (folder, elsewhere)
}

/// What the element sends of such a folder, in the order of names, and how many warnings it posts.
fn sent_of_links(properties: &[(&str, &str)]) -> (Vec<String>, usize) {
    let (folder, _elsewhere) = a_folder_with_links();
    let element = flutedirsrc(folder.path());
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    if !element.property::<bool>("watch") {
        let (buffers, complaints) = buffers(&element);
        return (buffers.iter().map(location).collect(), complaints.len());
    }
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut harness = gst_check::Harness::with_element(&element, None, Some("src"));
    element.set_property("settle-time", 0u64);
    harness.play();
    // It comes last, so that everything else that is there has come before.
    fs::write(folder.path().join("zzz"), "").unwrap();
    let mut names: Vec<_> =
        std::iter::from_fn(|| harness.pull().ok().as_ref().map(location)).take_while(|name| name != "zzz").collect();
    names.sort();
    drop(harness);
    element.set_state(gst::State::Null).unwrap();
    element.set_bus(None);
    (names, complaints(&bus).len())
}

#[test]
fn test_flutedirsrc_hidden_files_and_links_by_one_rule() {
    for watch in ["false", "true"] {
        let sent = |properties: &[(&str, &str)]| {
            let (names, warnings) = sent_of_links(&[&[("watch", watch)], properties].concat());
            (names.join(" "), warnings)
        };
        // The two links elsewhere and the one to a hidden file are told.
        assert_eq!(sent(&[]), ("a.txt inside.txt".to_owned(), 3), "watch={watch}");
        assert_eq!(sent(&[("follow-links", "none")]), ("a.txt".to_owned(), 4), "watch={watch}");
        let hidden = ".git/config .hidden a.txt inside.txt to-hidden";
        assert_eq!(sent(&[("hidden", "true")]), (hidden.to_owned(), 2), "watch={watch}");
        let all = "a.txt inside.txt secret-folder/secret secret-link to-hidden";
        assert_eq!(sent(&[("follow-links", "all")]), (all.to_owned(), 0), "watch={watch}");
    }
}

/// Every element between the two is allowed to know nothing of files.
fn travels_through(elements: &str) {
    let (folder, mut files) = presentation();
    init();
    let pipeline = gst::parse::launch(&format!(
        "flutedirsrc location={} {elements} ! flutesink ! appsink name=packets sync=false",
        folder.path().display()
    ))
    .unwrap();
    let packets = pipeline.downcast_ref::<gst::Bin>().unwrap().by_name("packets").unwrap();
    let packets = packets.downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let now = Time::from_unix(std::time::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO));
    let mut receiver = Receiver::new(ReceiverConfig::default());
    let mut complete = false;
    while let Ok(sample) = packets.pull_sample() {
        let map = sample.buffer().unwrap().map_readable().unwrap();
        let endpoints = flute_proto::receiver::Endpoints::default();
        receiver.push(endpoints, &map, now);
        while let Some(event) = receiver.poll_event() {
            match event {
                Event::Completed { object, content } => {
                    let bytes = match content {
                        Content::Memory(bytes) => bytes.to_vec(),
                        Content::File { mut file, .. } => {
                            let mut bytes = Vec::new();
                            file.read_to_end(&mut bytes).unwrap();
                            bytes
                        }
                        Content::Delivered => unreachable!("no destination is chosen"),
                    };
                    assert_eq!(files.remove(object.location()).as_ref(), Some(&bytes), "{}", object.location());
                }
                Event::SessionClosed { complete: all, .. } => complete = all,
                _ => (),
            }
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(files.is_empty(), "did not arrive: {:?}", files.keys());
    assert!(complete);
}

#[test]
fn test_flutedirsrc_to_flutesink() {
    travels_through("");
}

#[test]
fn test_flutedirsrc_through_other_elements() {
    travels_through("! queue ! identity ! tee");
}
