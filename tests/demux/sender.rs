// SPDX-License-Identifier: MPL-2.0

//! Objects as packets, one object after the other.

use std::time::Duration;

use flute_proto::Time;
use flute_proto::sender::{Batch, FecConfig, FinishPolicy, Object, Poll, Sender, SenderConfig};

use crate::presentation::Track;

/// A name, a Content-Type and content.
pub(crate) type File = (String, &'static str, Vec<u8>);

/// Initialisation and segments in a folder, as packagers name them.
pub(crate) fn files(folder: &str, content_type: &'static str, track: &Track) -> Vec<File> {
    let segments = track.segments.iter().enumerate();
    let segments =
        segments.map(|(index, bytes)| (format!("{folder}/seg_{:05}.m4s", index + 1), content_type, bytes.clone()));
    std::iter::once((format!("{folder}/init.mp4"), content_type, track.init.clone())).chain(segments).collect()
}

/// Segments of a transport stream.
pub(crate) fn ts_files(segments: &[Vec<u8>]) -> Vec<File> {
    segments.iter().enumerate().map(|(index, bytes)| (format!("live{index}.ts"), "video/mp2t", bytes.clone())).collect()
}

pub(crate) const MANIFEST: &str = "application/dash+xml";

/// A manifest, which is none: nothing reads it.
pub(crate) fn manifest() -> File {
    ("live.mpd".to_owned(), MANIFEST, b"<MPD/>".to_vec())
}

fn drain(sender: &mut Sender, now: Time) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut batch = Batch::new(64);
    while let Poll::Packets = sender.poll(now, &mut batch) {
        packets.extend(batch.packets().map(<[u8]>::to_vec));
    }
    packets
}

/// The packets of each file, with the FDT Instances that come with it, and those of the end.
pub(crate) fn packets(files: &[File], fec: FecConfig) -> Vec<Vec<Vec<u8>>> {
    let now = Time::from_unix(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO));
    let config = SenderConfig::default().fec(fec.symbol_size(500));
    let mut sender = Sender::new(config, now).unwrap();
    let mut packets = Vec::new();
    for (location, content_type, content) in files {
        let mut object = Object::new(location.as_str(), content.clone());
        object.content_type = Some((*content_type).to_owned());
        sender.replace(object, now).unwrap();
        packets.push(drain(&mut sender, now));
    }
    sender.finish(FinishPolicy::Stop, now);
    packets.push(drain(&mut sender, now));
    packets
}

/// The packets without a code, all in a row.
pub(crate) fn plain(files: &[File]) -> Vec<Vec<u8>> {
    packets(files, FecConfig::default()).concat()
}
