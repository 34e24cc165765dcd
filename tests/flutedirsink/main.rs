// SPDX-License-Identifier: MPL-2.0

//! `flutedirsink` as an application meets it.

mod bounds;
mod sessions;
mod spool;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;
use rustix::fs::IFlags;

fn init() {
    use std::sync::Once;
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstflute::plugin_register_static().unwrap();
    });
}

/// A buffer that carries an object with this Content-Location.
fn object(location: &str, content: &[u8]) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(content.to_vec());
    let meta = ObjectMeta { content_location: Some(location.to_owned()), ..Default::default() };
    meta.put_on(buffer.get_mut().unwrap());
    buffer
}

struct Scenario {
    harness: gst_check::Harness,
    bus: gst::Bus,
    folder: tempfile::TempDir,
}

impl Scenario {
    fn new(properties: &[(&str, &str)]) -> Self {
        init();
        let folder = tempfile::tempdir().unwrap();
        let element = gst::ElementFactory::make("flutedirsink").build().unwrap();
        element.set_property("location", folder.path().join("target").to_str().unwrap());
        for (name, value) in properties {
            element.set_property_from_str(name, value);
        }
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut harness = gst_check::Harness::with_element(&element, Some("sink"), None);
        harness.set_src_caps_str("application/octet-stream");
        harness.play();
        Self { harness, bus, folder }
    }

    fn target(&self) -> std::path::PathBuf {
        self.folder.path().join("target")
    }

    fn push(&mut self, buffer: gst::Buffer) {
        assert_eq!(self.harness.push(buffer), Ok(gst::FlowSuccess::Ok));
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.target().join(path)).unwrap()
    }

    /// The element messages of this name.
    fn messages(&self, name: &str) -> Vec<gst::Structure> {
        self.bus
            .iter_filtered(&[gst::MessageType::Element])
            .filter_map(|message| message.structure().map(|structure| structure.to_owned()))
            .filter(|structure| structure.name() == name)
            .collect()
    }

    fn warnings(&self) -> Vec<String> {
        self.bus
            .iter_filtered(&[gst::MessageType::Warning])
            .filter_map(|message| match message.view() {
                gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
                _ => None,
            })
            .collect()
    }

    fn counter(&self, name: &str) -> u64 {
        self.harness.element().unwrap().property::<gst::Structure>("stats").get(name).unwrap()
    }
}

/// Every file below a folder, by its path relative to it.
fn tree(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, root: &Path, files: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                walk(&path, root, files);
            } else {
                files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, folder, &mut files);
    files.sort();
    files
}

#[test]
fn test_flutedirsink_files_and_messages() {
    let mut scenario = Scenario::new(&[("fsync", "true")]);
    scenario.push(object("http://h:1/live/seg%201.m4s", b"media"));
    scenario.push(object("live.mpd", b"<MPD/>"));
    assert_eq!(scenario.read("h:1/live/seg 1.m4s"), b"media");
    assert_eq!(scenario.read("live.mpd"), b"<MPD/>");
    let written = scenario.messages("flute-file-written");
    assert_eq!(written.len(), 2);
    assert_eq!(written[0].get::<u64>("size"), Ok(5));
    assert_eq!(written[0].get::<&str>("content-location"), Ok("http://h:1/live/seg%201.m4s"));
    assert_eq!(written[1].get::<&str>("path").unwrap(), scenario.target().join("live.mpd").to_str().unwrap());
    assert_eq!((scenario.counter("files"), scenario.counter("bytes"), scenario.counter("refused")), (2, 11, 0));
}

#[test]
fn test_flutedirsink_url_mapping_path() {
    let mut scenario = Scenario::new(&[("url-mapping", "path")]);
    scenario.push(object("http://h/a/b", b"x"));
    assert_eq!(tree(&scenario.target()), ["a/b"]);
}

#[test]
fn test_flutedirsink_unnamed() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(gst::Buffer::from_slice([1u8]));
    scenario.push(object("", b"x"));
    assert_eq!(tree(&scenario.target()), ["object-00000", "object-00001"]);
}

#[test]
fn test_flutedirsink_many_memories() {
    let mut scenario = Scenario::new(&[]);
    let mut buffer = object("x", b"ab");
    buffer.get_mut().unwrap().append_memory(gst::Memory::from_slice(b"cd"));
    scenario.push(buffer);
    assert_eq!(scenario.read("x"), b"abcd");
}

#[test]
fn test_flutedirsink_empty_object() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(object("empty", b""));
    assert_eq!(scenario.read("empty"), b"");
}

#[test]
fn test_flutedirsink_refuses_and_goes_on() {
    let mut scenario = Scenario::new(&[]);
    let hostile = ["../x", "a/../../x", "%2e%2e/x", "C:\\x", "a\nb", "folder/", &"n/".repeat(2048)];
    for location in hostile {
        scenario.push(object(location, b"evil"));
    }
    scenario.push(object("/etc/passwd", b"inside"));
    scenario.push(object("file:///etc/shadow", b"inside"));
    scenario.push(object("..%2f..%2fx", b"inside"));
    assert_eq!(tree(scenario.folder.path()), ["target/..%2f..%2fx", "target/etc/passwd", "target/etc/shadow"]);
    assert_eq!(scenario.messages("flute-file-refused").len(), hostile.len());
    assert_eq!(scenario.counter("refused"), hostile.len() as u64);
}

#[test]
fn test_flutedirsink_refusals_say_why() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(object("../x", b"evil"));
    assert_eq!(scenario.warnings(), ["../x was not written: its Content-Location is refused: it leaves the folder"]);
}

/// What a file system tells apart is several files, and what it does not is one, the others being refused with the reason.
#[test]
fn test_flutedirsink_names_that_differ_by_case_or_unicode_form() {
    let mut scenario = Scenario::new(&[]);
    let names = ["name", "NAME", "\u{e9}", "e\u{301}", "%C3%A9"];
    for name in names {
        scenario.push(object(name, name.as_bytes()));
    }
    let refused = scenario.messages("flute-file-refused");
    for structure in &refused {
        assert!(structure.get::<&str>("reason").unwrap().contains("does not tell it from"), "{structure}");
    }
    assert_eq!(tree(&scenario.target()).len() + refused.len(), 4);
    assert_eq!(scenario.read("name"), b"name");
    // The last is the third, encoded.
    assert_eq!(scenario.read("\u{e9}"), b"%C3%A9");
}

#[test]
fn test_flutedirsink_long_names() {
    let mut scenario = Scenario::new(&[]);
    let longest = "n".repeat(255);
    scenario.push(object(&format!("{longest}/{longest}"), b"fits"));
    let encoded = "%6e".repeat(255);
    scenario.push(object(&format!("encoded/{encoded}"), b"fits"));
    // Deeper than any folder.
    scenario.push(object(&("n/".repeat(2047) + "n"), b"evil"));
    assert_eq!(tree(&scenario.target()), [format!("encoded/{longest}"), format!("{longest}/{longest}")]);
    assert_eq!(scenario.counter("refused"), 1);
}

/// Signed URLs, for example.
#[test]
fn test_flutedirsink_names_that_are_too_long_are_shortened() {
    let mut scenario = Scenario::new(&[("url-mapping", "path")]);
    let signed = |signature: &str| format!("http://cdn/seg_1.m4s?Signature={}", signature.repeat(300));
    for (location, content) in [(signed("a"), b"1"), (signed("b"), b"2"), (signed("a"), b"3")] {
        scenario.push(object(&location, content));
    }
    let files = tree(&scenario.target());
    assert_eq!(files.len(), 2, "a version replaces the one before: {files:?}");
    for (file, content) in files.iter().zip([b"3", b"2"]) {
        assert!(file.starts_with("seg_1.m4s?Signature=") && file.ends_with(".m4s") && file.len() == 255, "{file}");
        assert_eq!(scenario.read(file), content);
    }
    for too_long in ["n".repeat(256), "\u{fc}".repeat(128)] {
        scenario.push(object(&too_long, b"x"));
    }
    assert_eq!((tree(&scenario.target()).len(), scenario.counter("refused")), (4, 0));
}

#[test]
fn test_flutedirsink_files_and_folders_in_each_others_place() {
    let mut scenario = Scenario::new(&[]);
    for location in ["a/b", "a", "a/b/c", "a/b"] {
        scenario.push(object(location, location.as_bytes()));
    }
    assert_eq!(tree(&scenario.target()), ["a/b"]);
    assert_eq!(scenario.counter("refused"), 2);
}

/// A folder that nothing can be put into while this lives: not even by root, where the file system has such a flag.
struct Sealed<'a>(&'a Path);

impl<'a> Sealed<'a> {
    fn new(folder: &'a Path) -> Option<Self> {
        if rustix::process::geteuid().is_root() {
            Self::set_flags(folder, IFlags::IMMUTABLE).ok()?;
        } else {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).ok()?;
        }
        Some(Self(folder))
    }

    fn set_flags(folder: &Path, flags: IFlags) -> rustix::io::Result<()> {
        let folder = fs::File::open(folder).unwrap();
        let others = rustix::fs::ioctl_getflags(&folder)? - IFlags::IMMUTABLE;
        rustix::fs::ioctl_setflags(&folder, others | flags)
    }
}

impl Drop for Sealed<'_> {
    fn drop(&mut self) {
        if rustix::process::geteuid().is_root() {
            let _ = Self::set_flags(self.0, IFlags::empty());
        } else {
            let _ = fs::set_permissions(self.0, fs::Permissions::from_mode(0o755));
        }
    }
}

#[test]
fn test_flutedirsink_without_permission() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(object("x", b"good"));
    scenario.push(object("folder/x", b"good"));
    let target = scenario.target();
    let Some(sealed) = Sealed::new(&target) else {
        eprintln!("skipped: this file system does not keep root out");
        return;
    };
    for location in ["x", "y", "new/x"] {
        scenario.push(object(location, b"bad"));
    }
    let warnings = scenario.warnings();
    assert_eq!(warnings.len(), 3);
    for warning in &warnings {
        assert!(warning.ends_with("no permission to write there"), "{warning}");
    }
    // A folder in it that is open is written into, and the pipeline goes on.
    scenario.push(object("folder/x", b"new"));
    assert_eq!((scenario.read("x"), scenario.read("folder/x")), (b"good".to_vec(), b"new".to_vec()));
    drop(sealed);
    scenario.push(object("y", b"new"));
    assert_eq!(tree(&target), ["folder/x", "x", "y"]);
}

#[test]
fn test_flutedirsink_links_inside_the_folder() {
    let mut scenario = Scenario::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), scenario.target().join("link")).unwrap();
    fs::write(outside.path().join("file"), b"untouched").unwrap();
    std::os::unix::fs::symlink(outside.path().join("file"), scenario.target().join("file")).unwrap();
    std::os::unix::fs::symlink("..", scenario.target().join("up")).unwrap();
    scenario.push(object("link/x", b"evil"));
    scenario.push(object("up/x", b"evil"));
    assert_eq!(scenario.counter("refused"), 2);
    // A link in the place of the file gives way to it.
    scenario.push(object("file", b"inside"));
    assert!(scenario.target().join("file").symlink_metadata().unwrap().is_file());
    assert_eq!(tree(outside.path()), ["file"]);
    assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"untouched");
}

#[test]
fn test_flutedirsink_folder_removed_while_running() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(object("folder/x", b"0"));
    fs::remove_dir_all(scenario.target()).unwrap();
    scenario.push(object("x", b"1"));
    scenario.push(object("folder/x", b"1"));
    let warnings = scenario.warnings();
    assert_eq!(warnings.len(), 2);
    assert!(warnings.iter().all(|warning| warning.contains("is not there")), "{warnings:?}");
    fs::create_dir(scenario.target()).unwrap();
    scenario.push(object("x", b"2"));
    assert_eq!(scenario.read("x"), b"2");
}

#[test]
fn test_flutedirsink_failure_keeps_the_older_file() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(object("x", b"good"));
    // A file that is announced by the meta and is not there fails while it is written.
    let mut buffer = gst::Buffer::new();
    let meta = ObjectMeta {
        content_location: Some("x".to_owned()),
        file: Some("/nonexistent/file".to_owned()),
        ..Default::default()
    };
    meta.put_on(buffer.get_mut().unwrap());
    scenario.push(buffer);
    assert_eq!(scenario.counter("refused"), 1);
    assert_eq!(scenario.read("x"), b"good");
    assert_eq!(tree(&scenario.target()), ["x"]);
}

/// A small file system in memory, mounted on a folder until it is dropped.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path) -> Option<Self> {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(folder).status();
        status.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn make_read_only(&self) {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn test_flutedirsink_full_and_read_only_disk() {
    let mut scenario = Scenario::new(&[]);
    let target = scenario.target();
    let Some(disk) = SmallDisk::mount(&target) else {
        eprintln!("skipped: this user may not mount");
        return;
    };
    scenario.push(object("x", b"good"));
    scenario.push(object("x", &[0; 100_000]));
    let warnings = scenario.warnings();
    assert!(warnings[0].ends_with("the disk is full"), "{warnings:?}");
    scenario.push(object("y", b"small"));
    disk.make_read_only();
    scenario.push(object("x", b"z"));
    let warnings = scenario.warnings();
    assert!(warnings[0].ends_with("the file system is read-only"), "{warnings:?}");
    assert_eq!(scenario.read("x"), b"good");
    assert_eq!(tree(&target), ["x", "y"]);
}

#[test]
fn test_flutedirsink_local_file_of_the_meta() {
    let mut scenario = Scenario::new(&[]);
    let source = scenario.folder.path().join("source");
    fs::write(&source, b"from a file").unwrap();
    let mut buffer = gst::Buffer::new();
    let meta = ObjectMeta {
        content_location: Some("copy".to_owned()),
        file: Some(source.to_str().unwrap().to_owned()),
        ..Default::default()
    };
    meta.put_on(buffer.get_mut().unwrap());
    scenario.push(buffer);
    assert_eq!(scenario.read("copy"), b"from a file");
}

#[test]
fn test_flutedirsink_fails_to_start() {
    init();
    let element = gst::ElementFactory::make("flutedirsink").build().unwrap();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Paused).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert!(error.error().message().contains("set the property location"), "{}", error.error());
    element.set_state(gst::State::Null).unwrap();

    let file = tempfile::NamedTempFile::new().unwrap();
    element.set_property("location", file.path().to_str().unwrap());
    assert!(element.set_state(gst::State::Paused).is_err());
    element.set_state(gst::State::Null).unwrap();
}

#[test]
fn test_flutedirsink_states_back_and_forth() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(object("a", b"1"));
    let element = scenario.harness.element().unwrap();
    for _ in 0..3 {
        element.set_state(gst::State::Null).unwrap();
        element.set_state(gst::State::Playing).unwrap();
    }
    assert_eq!(tree(&scenario.target()), ["a"]);
}
