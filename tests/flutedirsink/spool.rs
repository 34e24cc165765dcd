// SPDX-License-Identifier: MPL-2.0

//! Long objects, which are in a file without a name before they get theirs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use gst::prelude::*;
use gst_allocators::prelude::*;
use gst_allocators::{FdAllocator, FdMemoryFlags};

use super::{Scenario, init, object, tree};

/// Bytes of a long object.
const LONG: usize = 200_000_000;

/// A buffer that carries this file as an object.
fn object_in(file: File, location: &str) -> gst::Buffer {
    let length = file.metadata().unwrap().len() as usize;
    // SAFETY: the memory owns the descriptor from now on.
    let memory = unsafe { FdAllocator::new().alloc_fd(file.into_raw_fd(), length, FdMemoryFlags::NONE) }.unwrap();
    let mut buffer = object(location, b"");
    buffer.get_mut().unwrap().replace_all_memory(memory);
    buffer
}

fn sink_pad(scenario: &Scenario) -> gst::Pad {
    scenario.harness.element().unwrap().static_pad("sink").unwrap()
}

/// What the element answers those who ask where to make files without a name.
fn spool_directory(scenario: &Scenario) -> Option<String> {
    let mut query = gst::query::Custom::new(gst::Structure::new_empty("flute-spool-directory"));
    sink_pad(scenario).query(&mut query).then(|| query.structure().unwrap().get("directory").unwrap())
}

#[test]
fn test_flutedirsink_tells_where_to_spool() {
    let scenario = Scenario::new(&[]);
    assert_eq!(spool_directory(&scenario).as_deref(), scenario.target().to_str());
    let mut other = gst::query::Custom::new(gst::Structure::new_empty("other"));
    assert!(!sink_pad(&scenario).query(&mut other));
    scenario.harness.element().unwrap().set_state(gst::State::Null).unwrap();
    assert_eq!(spool_directory(&scenario), None);
}

#[test]
fn test_flutedirsink_gives_files_their_names() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(object("folder/long", b"older"));
    let spool = spool_directory(&scenario).unwrap();
    let mut file = tempfile::tempfile_in(spool).unwrap();
    file.write_all(b"the beginning").unwrap();
    file.set_len(LONG as u64).unwrap();
    let inode = file.metadata().unwrap().ino();
    let copy = file.try_clone().unwrap();
    scenario.push(object_in(file, "folder/long"));
    let path = scenario.target().join("folder/long");
    let metadata = path.metadata().unwrap();
    assert_eq!((metadata.ino(), metadata.len(), metadata.nlink()), (inode, LONG as u64, 1));
    // It has a name now: a second one is another file.
    scenario.push(object_in(copy, "copy"));
    let metadata = scenario.target().join("copy").metadata().unwrap();
    assert!(metadata.ino() != inode && metadata.len() == LONG as u64);
    assert_eq!(tree(&scenario.target()), ["copy", "folder/long"]);
    let linked = scenario.messages("flute-file-written").into_iter().map(|message| message.get::<bool>("linked"));
    assert_eq!(linked.collect::<Vec<_>>(), [Ok(false), Ok(true), Ok(false)]);
}

#[test]
fn test_flutedirsink_copies_from_other_file_systems() {
    let mut scenario = Scenario::new(&[]);
    let memory = Path::new("/dev/shm");
    let is_other = |metadata: fs::Metadata| metadata.dev() != scenario.target().metadata().unwrap().dev();
    if !memory.metadata().is_ok_and(is_other) {
        eprintln!("skipped: there is no other file system");
        return;
    }
    let mut file = tempfile::tempfile_in(memory).unwrap();
    file.write_all(b"from elsewhere").unwrap();
    scenario.push(object_in(file, "x"));
    assert_eq!(scenario.read("x"), b"from elsewhere");
}

/// A long object through sender and receiver; `loss` is the list of packets that does not arrive.
fn transfer(folder: &Path, loss: Option<usize>) -> Vec<gst::Structure> {
    let (source, target) = (folder.join("long.bin"), folder.join("target"));
    let mut bytes = vec![0; LONG];
    for (at, word) in bytes.chunks_exact_mut(8).enumerate() {
        word.copy_from_slice(&(at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    }
    fs::write(&source, &bytes).unwrap();
    fs::create_dir_all(&target).unwrap();
    let (source, target_text) = (source.display(), target.display());
    let pipeline = gst::parse::launch(&format!(
        "filesrc location={source} ! flutesink name=sender bitrate=0 ! flutesrc spool-directory={target_text} \
         spool-threshold=1000000 ! flutedirsink location={target_text} url-mapping=path"
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    let sender = pipeline.by_name("sender").unwrap();
    if let Some(loss) = loss {
        let lists = AtomicUsize::new(0);
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        sender.src_pads()[0].add_probe(mask, move |_, _| match lists.fetch_add(1, Ordering::Relaxed) == loss {
            true => gst::PadProbeReturn::Drop,
            false => gst::PadProbeReturn::Ok,
        });
    }
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut written = Vec::new();
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_seconds(300)).expect("the transfer ends");
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{error:?}"),
            gst::MessageView::Element(element) => {
                let structure = element.structure().unwrap();
                if structure.name() == "flute-file-written" {
                    written.push(structure.to_owned());
                }
            }
            _ => (),
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    if let [file] = tree(&target).as_slice() {
        let mut received = Vec::new();
        File::open(target.join(file)).unwrap().read_to_end(&mut received).unwrap();
        assert!(received == bytes, "the file is whole");
    }
    written
}

#[test]
fn test_flutedirsink_long_objects_are_not_copied() {
    init();
    let folder = tempfile::tempdir().unwrap();
    let written = transfer(folder.path(), None);
    assert_eq!(written.len(), 1);
    assert_eq!((written[0].get("size"), written[0].get("linked")), (Ok(LONG as u64), Ok(true)));
}

#[test]
fn test_flutedirsink_incomplete_objects_do_not_appear() {
    init();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(transfer(folder.path(), Some(100)).len(), 0);
    assert_eq!(tree(&folder.path().join("target")), [""; 0]);
}

/// A process, and the most memory it had so far.
struct Process {
    child: Child,
    peak: u64,
}

impl Process {
    fn launch(pipeline: &str) -> Self {
        let plugin = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
        let child = Command::new("gst-launch-1.0")
            .args(["-q"])
            .args(pipeline.split_whitespace())
            .env("GST_PLUGIN_PATH", plugin)
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self { child, peak: 0 }
    }

    /// Whether it runs; the kernel keeps the peak of its resident memory.
    fn is_running(&mut self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        self.peak = self.peak.max(peak.unwrap_or(0) << 10);
        let status = self.child.try_wait().unwrap();
        assert!(status.is_none_or(|status| status.success()), "a program failed: {status:?}");
        status.is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So many bytes, as FLUTE_LONG_OBJECT says, from a file to a file by two processes over the loopback interface, each of
/// which has 64 MiB: `FLUTE_LONG_OBJECT=5368709120 cargo test --release --test flutedirsink long_object`. The plugin must
/// have been built.
#[test]
fn test_flutedirsink_long_object_in_little_memory() {
    let Some(length) = std::env::var("FLUTE_LONG_OBJECT").ok().and_then(|length| length.parse::<u64>().ok()) else {
        eprintln!("skipped: FLUTE_LONG_OBJECT is not set");
        return;
    };
    let bitrate = std::env::var("FLUTE_LONG_OBJECT_BITRATE").unwrap_or_else(|_| "1000000000".to_owned());
    let folder = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
    let (source, target) = (folder.path().join("long.bin"), folder.path().join("target"));
    File::create(&source).unwrap().set_len(length).unwrap();
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (source_text, target_text) = (source.display(), target.display());
    let mut receiver = Process::launch(&format!(
        "flutesrc address=127.0.0.1 port={port} eos-on-close=true ! flutedirsink location={target_text} url-mapping=path"
    ));
    while !target.exists() {
        assert!(receiver.is_running(), "the receiver starts");
    }
    let mut sender = Process::launch(&format!(
        "filesrc location={source_text} ! flutesink address=127.0.0.1 port={port} bitrate={bitrate} fec=raptorq"
    ));
    while sender.is_running() | receiver.is_running() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    println!("sender {} MiB, receiver {} MiB", sender.peak >> 20, receiver.peak >> 20);
    let files = tree(&target);
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(target.join(&files[0]).metadata().unwrap().len(), length);
    assert!(sender.peak < 64 << 20 && receiver.peak < 64 << 20, "each has less than 64 MiB");
}
