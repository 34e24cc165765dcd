// SPDX-License-Identifier: MPL-2.0

//! The programs and pipelines that feed flutesink from packagers, run as they are in `pipelines/`: what they send is
//! received here, its order is looked at, and it is decoded.

mod program;
#[path = "../flutesink/received.rs"]
mod received;

use std::collections::HashSet;

use flute_proto::oti::FecEncodingId;
use gst::prelude::*;

use program::Sent;
use received::{Received, Session};

/// Frames of a second.
const RATE: usize = 25;

/// How many frames of video these bytes are, decoded.
fn frames(bytes: &[u8]) -> usize {
    gst::init().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let line = "filesrc name=file ! decodebin ! video/x-raw ! appsink name=frames sync=false";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("file").unwrap().set_property("location", file.path().to_str().unwrap());
    let sink = pipeline.by_name("frames").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut frames = 0;
    while sink.try_pull_sample(gst::ClockTime::from_seconds(60)).is_some() {
        frames += 1;
    }
    assert!(sink.is_eos(), "decoding stopped after {frames} frames");
    pipeline.set_state(gst::State::Null).unwrap();
    frames
}

/// The objects whose names begin like this, in the order of their names.
fn of<'a>(session: &'a Session, beginning: &str) -> Vec<&'a Received> {
    let mut objects: Vec<_> = session.objects.iter().filter(|object| object.name.starts_with(beginning)).collect();
    objects.sort_by_key(|object| &object.name);
    objects
}

/// The frames of the segments behind the initialisation that they have, if any.
fn frames_of(initialisation: Option<&Received>, segments: &[&Received]) -> usize {
    let parts = initialisation.into_iter().chain(segments.iter().copied());
    frames(&parts.flat_map(|object| object.bytes.iter().copied()).collect::<Vec<_>>())
}

fn assert_types(session: &Session, types: &[(&str, &str)]) {
    for object in &session.objects {
        let (_, expected) = types.iter().find(|(ending, _)| object.name.ends_with(ending)).expect("a known ending");
        assert_eq!(object.content_type.as_deref(), Some(*expected), "{}", object.name);
    }
}

/// Every version of a manifest comes after all that it names. Gives how many versions there were.
fn versions_after_what_they_name<'a>(
    session: &'a Session,
    manifest: &str,
    names: impl Fn(&'a str) -> Vec<String>,
) -> usize {
    let mut there = HashSet::new();
    let mut versions = 0;
    for object in &session.objects {
        if object.name == manifest {
            versions += 1;
            for name in names(std::str::from_utf8(&object.bytes).unwrap()) {
                assert!(
                    there.contains(name.as_str()),
                    "version {versions} of {manifest} names {name}, which is not there"
                );
            }
        }
        there.insert(object.name.as_str());
    }
    versions
}

#[test]
fn test_feed_cmaf() {
    let Sent { session, packets } = program::run("feed-cmaf.sh", &[], 5);
    assert!(session.is_complete);
    assert_eq!(session.names()[0], "video/init.mp4");
    let segments = of(&session, "video/0");
    assert_eq!(segments.len(), 3, "chunks are no objects");
    assert_eq!(frames_of(of(&session, "video/init").first().copied(), &segments), 5 * RATE);
    assert_types(&session, &[(".m4s", "video/mp4"), (".mp4", "video/mp4")]);
    assert_eq!(session.files[1].oti.encoding_id, Some(FecEncodingId(5)), "Reed-Solomon");
    let transfers = program::transfers(&packets, session.files[0].toi);
    assert!(transfers > 3, "the initialisation was sent {transfers} times in six seconds");
    assert_eq!(program::transfers(&packets, session.files[1].toi), 1);
}

#[test]
fn test_feed_fragments() {
    let Sent { session, .. } = program::run("feed-fragments.sh", &[], 3);
    assert!(session.is_complete);
    assert_eq!(session.names(), ["video/init.mp4", "video/00000.m4s", "video/00001.m4s", "video/00002.m4s"]);
    assert_eq!(frames_of(of(&session, "video/init").first().copied(), &of(&session, "video/0")), 3 * RATE);
    assert_types(&session, &[(".m4s", "video/mp4"), (".mp4", "video/mp4")]);
}

#[test]
fn test_feed_splitmux() {
    let Sent { session, packets } = program::run("feed-splitmux.sh", &[], 3);
    assert!(session.is_complete, "one session, closed when the last file was sent");
    assert_eq!(session.names(), ["clip_00000.mp4", "clip_00001.mp4", "clip_00002.mp4"]);
    for clip in &session.objects {
        assert_eq!(frames(&clip.bytes), RATE, "{} plays by itself", clip.name);
    }
    assert_types(&session, &[(".mp4", "video/mp4")]);
    let tois: Vec<_> = session.files.iter().map(|file| file.toi.get()).collect();
    assert_eq!(tois, [tois[0], tois[0] + 1, tois[0] + 2], "TOIs go on");
    // Instances are repeated as long as what they describe is still to be sent, so it is new ones that are in order.
    let mut instance_ids = program::instance_ids(&packets);
    assert!(instance_ids.last() == instance_ids.iter().max(), "FDT Instance IDs go on: {instance_ids:?}");
    let mut seen = HashSet::new();
    instance_ids.retain(|&id| seen.insert(id));
    assert!(instance_ids.is_sorted(), "FDT Instance IDs go on: {instance_ids:?}");
}

#[test]
fn test_feed_tracks() {
    let Sent { session, packets } = program::run("feed-tracks.sh", &[], 3);
    assert!(session.is_complete);
    assert_eq!(frames_of(of(&session, "video/init").first().copied(), &of(&session, "video/0")), 3 * RATE);
    assert!(of(&session, "audio/0").len() >= 3 && of(&session, "audio/init").len() == 1);
    let encoding_ids = |beginning: &str| {
        let files = session.files.iter().filter(|file| file.content_location.starts_with(beginning));
        files.map(|file| file.oti.encoding_id).collect::<HashSet<_>>()
    };
    assert_eq!(encoding_ids("video/"), [Some(FecEncodingId(6))].into());
    assert_eq!(encoding_ids("audio/"), [Some(FecEncodingId(5))].into());
    let poster = session.files.iter().find(|file| file.content_location == "poster.jpg").unwrap();
    assert_eq!(poster.content_type.as_deref(), Some("image/jpeg"));
    let transfers = program::transfers(&packets, poster.toi);
    assert!(transfers > 3, "the picture was sent {transfers} times in four seconds");
}

/// What a playlist names, by the rules of names: relative to where it is.
fn names_in_playlist(text: &str) -> Vec<String> {
    assert!(text.starts_with("#EXTM3U"));
    let map =
        |line: &str| line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|rest| rest.split('"').next().map(str::to_owned));
    let uris = text
        .lines()
        .filter(|line| !line.is_empty())
        .filter_map(|line| if line.starts_with('#') { map(line) } else { Some(line.to_owned()) });
    uris.map(|uri| format!("hls/{}", uri.rsplit('/').next().unwrap())).collect()
}

fn test_feed_hls(packager: &str, types: &[(&str, &str)]) {
    let Sent { session, .. } = program::run("feed-hls.py", &[packager], 4);
    assert!(session.is_complete);
    let versions = versions_after_what_they_name(&session, "hls/live.m3u8", names_in_playlist);
    assert!(versions > 2, "{versions} versions of the playlist");
    let last = session.objects.iter().rfind(|object| object.name == "hls/live.m3u8").unwrap();
    let named = names_in_playlist(std::str::from_utf8(&last.bytes).unwrap());
    assert!(named.len() >= 3, "{named:?}");
    assert_eq!(frames_of(of(&session, "hls/init").first().copied(), &of(&session, "hls/0")), 4 * RATE);
    assert_types(&session, types);
}

#[test]
fn test_feed_hlssink2() {
    test_feed_hls("hlssink2", &[(".ts", "video/mp2t"), (".m3u8", "application/vnd.apple.mpegurl")]);
}

#[test]
fn test_feed_hlssink3() {
    test_feed_hls("hlssink3", &[(".ts", "video/mp2t"), (".m3u8", "application/vnd.apple.mpegurl")]);
}

#[test]
fn test_feed_hlscmafsink() {
    let mp4 = "video/mp4";
    test_feed_hls("hlscmafsink", &[(".m4s", mp4), (".mp4", mp4), (".m3u8", "application/vnd.apple.mpegurl")]);
}

#[test]
fn test_feed_dash() {
    let Sent { session, .. } = program::run("feed-dash.py", &[], 4);
    assert!(session.is_complete);
    // Its MPD has a template, which stands for as many segments as there have been seconds.
    let versions = versions_after_what_they_name(&session, "live.mpd", |text| {
        let template = text.split("media=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        vec![template.replace("$Number$", "1")]
    });
    assert!(versions > 0);
    assert_eq!(frames_of(None, &of(&session, "video_0_")), 4 * RATE);
    assert_types(&session, &[(".ts", "video/mp2t"), (".mpd", "application/dash+xml")]);
}
