// SPDX-License-Identifier: MPL-2.0

//! Packets over the sink pad.

use std::time::Duration;

use gst::prelude::*;
use gst_check::Harness;
use gstflute::object_meta::ObjectMeta;

use super::sender::{Object, SYMBOL, object, packets, packets_and_close};
use super::{bus_of, element_messages, init, next_error};

/// An element between two harnesses.
struct Scenario {
    element: gst::Element,
    harness: Harness,
    bus: gst::Bus,
}

impl Scenario {
    fn new(properties: &[(&str, &str)]) -> Self {
        init();
        let element = gst::ElementFactory::make("flutesrc").build().unwrap();
        for (name, value) in properties {
            element.set_property_from_str(name, value);
        }
        let bus = bus_of(&element);
        let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
        harness.set_src_caps_str("application/x-flute");
        harness.play();
        Self { element, harness, bus }
    }

    fn push(&mut self, packets: impl IntoIterator<Item = Vec<u8>>) {
        for packet in packets {
            assert_eq!(self.harness.push(gst::Buffer::from_slice(packet)), Ok(gst::FlowSuccess::Ok));
        }
    }

    fn eos(&mut self) {
        assert!(self.harness.push_event(gst::event::Eos::new()));
    }

    /// The objects that came out of the src pad so far.
    fn objects(&mut self) -> Vec<gst::Buffer> {
        std::iter::from_fn(|| self.harness.try_pull()).collect()
    }

    fn events(&mut self) -> Vec<gst::Event> {
        std::iter::from_fn(|| self.harness.try_pull_event()).collect()
    }

    fn is_at_end(&mut self) -> bool {
        self.events().iter().any(|event| event.type_() == gst::EventType::Eos)
    }
}

fn assert_is(buffer: &gst::BufferRef, object: &Object) {
    let meta = ObjectMeta::of(buffer).unwrap();
    assert_eq!(meta.content_location.as_deref(), Some(object.location));
    assert_eq!(meta.content_type.as_deref(), Some(object.content_type));
    assert!(buffer.map_readable().unwrap().as_slice() == object.content, "{}", object.location);
}

fn two_objects() -> [Object; 2] {
    [object("file:///a.mpd", "application/dash+xml", 700), object("file:///b.mp4", "video/mp4", 150_000)]
}

#[test]
fn test_flutesrc_objects_become_buffers() {
    let sent = two_objects();
    let mut scenario = Scenario::new(&[]);
    scenario.push(packets(7, &sent));
    scenario.eos();
    let received = scenario.objects();
    assert_eq!(received.len(), 2);
    assert_is(&received[0], &sent[0]);
    assert_is(&received[1], &sent[1]);
    let meta = ObjectMeta::of(&received[1]).unwrap();
    assert_eq!((meta.tsi, meta.transfer_length), (Some(7), Some(150_000)));
    assert!(meta.md5.is_some());
    assert_eq!((received[0].offset(), received[0].offset_end()), (0, 700));
    assert_eq!((received[1].offset(), received[1].offset_end()), (700, 150_700));
    assert!(received[0].flags().contains(gst::BufferFlags::DISCONT));
    assert!(!received[1].flags().contains(gst::BufferFlags::DISCONT));
}

#[test]
fn test_flutesrc_events_in_order() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(packets(7, &two_objects()));
    scenario.eos();
    let types: Vec<_> = scenario.events().iter().map(|event| event.type_()).collect();
    use gst::EventType::{Caps, Eos, Segment, StreamStart};
    assert_eq!(types, [StreamStart, Caps, Segment, Caps, Eos]);
    assert_eq!(
        scenario.harness.sinkpad().unwrap().current_caps().unwrap().structure(0).unwrap().name(),
        "video/quicktime"
    );
}

#[test]
fn test_flutesrc_buffer_lists() {
    let sent = two_objects();
    let mut scenario = Scenario::new(&[]);
    let mut list = gst::BufferList::new();
    for packet in packets(7, &sent) {
        list.get_mut().unwrap().add(gst::Buffer::from_slice(packet));
    }
    let source = scenario.harness.srcpad().unwrap();
    assert_eq!(source.push_list(list), Ok(gst::FlowSuccess::Ok));
    assert_eq!(scenario.objects().len(), 2);
}

#[test]
fn test_flutesrc_messages() {
    let mut scenario = Scenario::new(&[]);
    let (packets, close) = packets_and_close(7, &two_objects());
    scenario.push(packets.into_iter().chain([close]));
    let messages = element_messages(&scenario.bus);
    let names: Vec<_> = messages.iter().map(|message| message.name().as_str()).collect();
    assert_eq!(names[0], "flute-session-opened");
    assert!(names.contains(&"flute-fdt"));
    assert_eq!(names.iter().filter(|name| **name == "flute-object-received").count(), 2);
    assert_eq!(names.last(), Some(&"flute-session-closed"));
    let received = messages.iter().find(|message| message.name() == "flute-object-received").unwrap();
    assert_eq!(received.get::<&str>("content-location"), Ok("file:///a.mpd"));
    assert_eq!(received.get::<u64>("size"), Ok(700));
    assert_eq!(received.get::<u64>("tsi"), Ok(7));
    assert_eq!(messages.last().unwrap().get::<bool>("by-sender"), Ok(true));
}

#[test]
fn test_flutesrc_lost_object() {
    let sent = two_objects();
    let mut scenario = Scenario::new(&[]);
    // In the middle there are symbols of the second object, which is by far the longest.
    let mut packets = packets(7, &sent);
    let middle = packets.len() / 2;
    packets.drain(middle..middle + 2);
    scenario.push(packets);
    scenario.eos();
    assert_eq!(scenario.objects().len(), 1);
    let messages = element_messages(&scenario.bus);
    let lost = messages.iter().find(|message| message.name() == "flute-object-lost").unwrap();
    assert_eq!(lost.get::<&str>("content-location"), Ok("file:///b.mp4"));
    assert_eq!(lost.get::<u64>("missing-symbols"), Ok(2));
    assert!(lost.get::<&str>("reason").unwrap().contains("the session ended"));
    let blocks = lost.get::<gst::Array>("blocks").unwrap();
    // The sender interleaves source blocks, so that one symbol is missing in each of two.
    for block in blocks.iter().map(|block| block.get::<gst::Structure>().unwrap()) {
        assert_eq!(block.get::<u32>("missing"), Ok(1));
        assert_eq!(block.get::<u32>("source-symbols"), Ok(50));
    }
    assert_eq!(blocks.len(), 2);
}

/// The texts of the warnings on the bus.
fn warnings(scenario: &Scenario) -> Vec<String> {
    let messages = scenario.bus.iter_filtered(&[gst::MessageType::Warning]);
    messages
        .filter_map(|message| match message.view() {
            gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
            _ => None,
        })
        .collect()
}

/// Both objects, without two symbols of the second.
fn packets_with_a_loss() -> Vec<Vec<u8>> {
    let mut packets = packets(7, &two_objects());
    let middle = packets.len() / 2;
    packets.drain(middle..middle + 2);
    packets
}

#[test]
fn test_flutesrc_a_loss_is_a_warning() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(packets_with_a_loss());
    scenario.eos();
    let warnings = warnings(&scenario);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("lost file:///b.mp4: "), "{warnings:?}");
    assert!(warnings[0].contains("2 of 100 source symbols"), "{warnings:?}");
    assert_eq!(warnings[1], "1 object was lost");
}

#[test]
fn test_flutesrc_a_loss_is_an_error() {
    let mut scenario = Scenario::new(&[("on-loss", "error")]);
    scenario.push(packets_with_a_loss());
    scenario.eos();
    assert!(next_error(&scenario.bus).starts_with("lost file:///b.mp4: "));
    assert!(scenario.is_at_end());
    assert_eq!(warnings(&scenario), [""; 0]);
}

#[test]
fn test_flutesrc_a_loss_is_ignored() {
    let mut scenario = Scenario::new(&[("on-loss", "ignore")]);
    scenario.push(packets_with_a_loss());
    scenario.eos();
    let messages: Vec<_> = scenario.bus.iter().collect();
    assert!(messages.iter().all(|message| message.type_() != gst::MessageType::Warning), "{messages:?}");
    let is_loss = |message: &gst::Message| message.structure().is_some_and(|told| told.name() == "flute-object-lost");
    assert!(messages.iter().any(is_loss), "{messages:?}");
}

#[test]
fn test_flutesrc_foreign_packets() {
    let mut scenario = Scenario::new(&[]);
    scenario.push([vec![0; 20], vec![0xff; 20]]);
    scenario.push(packets(7, &two_objects()));
    let warnings = warnings(&scenario);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("no ALC"), "{warnings:?}");
    let caps = gst::Caps::new_empty_simple("application/x-rtp");
    // Whether a sticky event is refused, GStreamer tells with the next buffer.
    scenario.harness.push_event(gst::event::Caps::new(&caps));
    assert!(next_error(&scenario.bus).contains("application/x-rtp are no packets of FLUTE"));
}

#[test]
fn test_flutesrc_stats() {
    let session = |stats: &gst::Structure| {
        let sessions = stats.get::<gst::Structure>("sessions").unwrap();
        assert_eq!(sessions.n_fields(), 1);
        sessions.get::<gst::Structure>("session-0").unwrap()
    };
    let mut scenario = Scenario::new(&[]);
    let mut packets = packets(7, &two_objects());
    let count = packets.len() as u64;
    let last = packets.split_off(packets.len() / 2);
    scenario.push(packets);
    scenario.push([b"not a packet".to_vec()]);
    let stats = scenario.element.property::<gst::Structure>("stats");
    assert_eq!(session(&stats).get::<f64>("bits-per-second"), Ok(0.0));
    // The counters that rates are taken from are noted twice a second.
    std::thread::sleep(Duration::from_millis(600));
    scenario.push(last);
    let stats = scenario.element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("packets"), Ok(count + 1));
    assert_eq!(stats.get::<u64>("malformed"), Ok(1));
    assert_eq!(stats.get::<u64>("kernel-dropped"), Ok(0));
    let session = session(&stats);
    assert_eq!(session.get::<u64>("tsi"), Ok(7));
    assert_eq!(session.get::<u64>("completed"), Ok(2));
    let figure = |name: &str| session.get::<f64>(name).unwrap();
    assert!(figure("bits-per-second") > 0.0 && figure("packets-per-second") > 0.0, "{session:?}");
    assert!(figure("overhead-percent") > 0.0, "{session:?}");
    assert_eq!((figure("loss-percent"), figure("residual-loss-percent")), (0.0, 0.0));
    // Without a code there is no margin to speak of.
    assert!(session.get::<f64>("repair-margin-percent").is_err(), "{session:?}");
}

#[test]
fn test_flutesrc_eos_on_close() {
    let mut scenario = Scenario::new(&[("eos-on-close", "true")]);
    let (packets, close) = packets_and_close(7, &two_objects());
    scenario.push(packets);
    assert!(!scenario.is_at_end());
    assert_eq!(scenario.harness.push(gst::Buffer::from_slice(close.clone())), Err(gst::FlowError::Eos));
    assert_eq!(scenario.objects().len(), 2);
    assert!(scenario.is_at_end());
    assert_eq!(scenario.harness.push(gst::Buffer::from_slice(close)), Err(gst::FlowError::Eos));
    scenario.eos();
    assert!(!scenario.is_at_end(), "there is one EOS");
}

#[test]
fn test_flutesrc_filters_of_the_element() {
    let sent = two_objects();
    for (name, value) in [("location", "*.mp4"), ("content-type", "video/*")] {
        let mut scenario = Scenario::new(&[(name, value)]);
        scenario.push(packets(7, &sent));
        let received = scenario.objects();
        assert_eq!(received.len(), 1, "{name}");
        assert_is(&received[0], &sent[1]);
        assert_eq!(scenario.element.property::<String>(name), value);
    }
    let mut scenario = Scenario::new(&[("tsi", "8")]);
    scenario.push(packets(7, &sent));
    assert!(scenario.objects().is_empty());
    scenario.push(packets(8, &sent));
    assert_eq!(scenario.objects().len(), 2);
}

#[test]
fn test_flutesrc_pads_with_their_own_filters() {
    let sent = two_objects();
    let mut scenario = Scenario::new(&[]);
    let mut video = Harness::with_element(&scenario.element, None, Some("src_%u"));
    let pad = scenario.element.static_pad("src_0").unwrap();
    pad.set_property("location", "*.mp4");
    let mut other = Harness::with_element(&scenario.element, None, Some("src_7"));
    scenario.element.static_pad("src_7").unwrap().set_property("tsi", 99i64);
    scenario.push(packets(7, &sent));
    assert_eq!(scenario.objects().len(), 2);
    let buffer = video.try_pull().unwrap();
    assert_is(&buffer, &sent[1]);
    assert!(video.try_pull().is_none());
    assert!(other.try_pull().is_none());
    scenario.eos();
    for harness in [&mut video, &mut other] {
        let events: Vec<_> = std::iter::from_fn(|| harness.try_pull_event()).map(|event| event.type_()).collect();
        assert_eq!(events.last(), Some(&gst::EventType::Eos));
        assert_eq!(events.first(), Some(&gst::EventType::StreamStart));
    }
    // The pads of one element are told apart by their stream-ids, and belong together.
    let ids = ["src", "src_0", "src_7"].map(|name| scenario.element.static_pad(name).unwrap().stream_id().unwrap());
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    scenario.element.release_request_pad(&pad);
    assert!(scenario.element.static_pad("src_0").is_none());
}

#[test]
fn test_flutesrc_a_pad_without_peer_does_not_stop_the_others() {
    init();
    let sent = two_objects();
    let element = gst::ElementFactory::make("flutesrc").build().unwrap();
    let mut source = Harness::with_element(&element, Some("sink"), None);
    let mut linked = Harness::with_element(&element, None, Some("src_%u"));
    source.set_src_caps_str("application/x-flute");
    source.play();
    linked.play();
    for packet in packets(7, &sent) {
        assert_eq!(source.push(gst::Buffer::from_slice(packet)), Ok(gst::FlowSuccess::Ok));
    }
    assert!(linked.try_pull().is_some());
    assert!(linked.try_pull().is_some());
}

#[test]
fn test_flutesrc_nothing_linked() {
    init();
    let element = gst::ElementFactory::make("flutesrc").build().unwrap();
    let mut source = Harness::with_element(&element, Some("sink"), None);
    source.set_src_caps_str("application/x-flute");
    source.play();
    let flows: Vec<_> =
        packets(7, &two_objects()).into_iter().map(|packet| source.push(gst::Buffer::from_slice(packet))).collect();
    assert!(flows.contains(&Err(gst::FlowError::NotLinked)));
}

#[test]
fn test_flutesrc_flush_begins_anew() {
    let sent = two_objects();
    let mut scenario = Scenario::new(&[]);
    scenario.push(packets(7, &sent));
    scenario.eos();
    assert_eq!(scenario.objects().len(), 2);
    scenario.harness.push_event(gst::event::FlushStart::new());
    scenario.harness.push_event(gst::event::FlushStop::new(true));
    scenario.events();
    scenario.harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    scenario.push(packets(7, &sent));
    let received = scenario.objects();
    assert_eq!(received.len(), 2, "what is repeated after a flush is delivered again");
    assert!(received[0].flags().contains(gst::BufferFlags::DISCONT));
    assert_eq!(received[0].offset(), 0);
    let events: Vec<_> = scenario.events().iter().map(|event| event.type_()).collect();
    assert!(events.contains(&gst::EventType::Segment), "{events:?}");
}

#[test]
fn test_flutesrc_states_back_and_forth() {
    let sent = two_objects();
    let mut scenario = Scenario::new(&[]);
    for state in [gst::State::Null, gst::State::Ready, gst::State::Null] {
        scenario.push(packets(7, &sent).into_iter().take(20));
        scenario.objects();
        scenario.element.set_state(state).unwrap();
        scenario.element.set_state(gst::State::Playing).unwrap();
        // What the harness pushed before is sticky on its pad, and comes again by itself.
        scenario.push(packets(7, &sent));
        assert_eq!(scenario.objects().len(), 2);
    }
}

#[test]
fn test_flutesrc_time_of_a_capture() {
    let sent = [object("file:///a", "text/plain", 5 * usize::from(SYMBOL))];
    let mut scenario = Scenario::new(&[("session-timeout", "60000000000")]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut time = gst::ClockTime::from_nseconds(now.as_nanos() as u64);
    // More than a minute passes in the capture, so that the session is closed for its silence in the middle.
    for (index, packet) in packets(7, &sent).into_iter().enumerate() {
        if index == 3 {
            time += gst::ClockTime::from_seconds(61);
        }
        let mut buffer = gst::Buffer::from_slice(packet);
        buffer.get_mut().unwrap().set_pts(time);
        assert_eq!(scenario.harness.push(buffer), Ok(gst::FlowSuccess::Ok));
    }
    let closed = element_messages(&scenario.bus).into_iter().find(|message| message.name() == "flute-session-closed");
    assert_eq!(closed.unwrap().get::<bool>("by-sender"), Ok(false));
}

#[test]
fn test_flutesrc_spooled_objects_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let sent = two_objects();
    let mut scenario = Scenario::new(&[("spool-directory", folder), ("spool-threshold", "100000")]);
    scenario.push(packets(7, &sent));
    let received = scenario.objects();
    assert_is(&received[0], &sent[0]);
    assert_is(&received[1], &sent[1]);
    assert!(!received[0].peek_memory(0).is_memory_type::<gst_allocators::FdMemory>());
    assert!(received[1].peek_memory(0).is_memory_type::<gst_allocators::FdMemory>());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "a spool file has no name");
}

#[test]
fn test_flutesrc_queries() {
    let mut scenario = Scenario::new(&[]);
    scenario.push(packets(7, &two_objects()));
    let pad = scenario.element.static_pad("src").unwrap();
    assert_eq!(pad.query_position::<gst::format::Bytes>(), Some(gst::format::Bytes::from_u64(150_700)));
    assert_eq!(pad.query_position::<gst::format::Buffers>(), Some(gst::format::Buffers::from_u64(2)));
    assert_eq!(pad.query_position::<gst::ClockTime>(), None);
    let mut seeking = gst::query::Seeking::new(gst::Format::Bytes);
    assert!(pad.query(&mut seeking));
    assert!(!seeking.result().0);
    assert!(!pad.send_event(gst::event::Seek::new(
        1.0,
        gst::SeekFlags::FLUSH,
        gst::SeekType::Set,
        gst::format::Bytes::ZERO,
        gst::SeekType::None,
        gst::format::Bytes::ZERO,
    )));
}

#[test]
fn test_flutesrc_uri_handler() {
    init();
    let element =
        gst::Element::make_from_uri(gst::URIType::Src, "flute://10.0.0.1@239.1.1.1:3400?tsi=5&iface=lo", None).unwrap();
    assert_eq!(element.factory().unwrap().name(), "flutesrc");
    assert_eq!(element.property::<String>("address"), "239.1.1.1");
    assert_eq!(element.property::<i32>("port"), 3400);
    assert_eq!(element.property::<i64>("tsi"), 5);
    assert_eq!(element.property::<String>("source-filter"), "10.0.0.1");
    assert_eq!(element.property::<String>("multicast-iface"), "lo");
    assert_eq!(element.property::<String>("uri"), "flute://10.0.0.1@239.1.1.1:3400?tsi=5&iface=lo");
    assert!(gst::Element::make_from_uri(gst::URIType::Src, "flute://nobody:1", None).is_err());
}

/// Setting a property cannot fail, so the start says what was wrong with it.
#[test]
fn test_flutesrc_wrong_uris() {
    init();
    for (uri, reason) in [
        ("http://example.com/live.mpd", "the scheme is http, not flute"),
        ("flute://239.1.1.1:3400?ifcae=lo", "there is no option ifcae"),
    ] {
        let element = gst::ElementFactory::make("flutesrc").property("uri", uri).build().unwrap();
        let bus = bus_of(&element);
        assert!(element.set_state(gst::State::Playing).is_err());
        let error = next_error(&bus);
        assert!(error.contains(&format!("{uri} cannot be used: {reason}")), "{error}");
        element.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn test_flutesrc_uri_with_a_path_is_one_object() {
    let sent = two_objects();
    let mut scenario = Scenario::new(&[("uri", "flute://239.1.1.1:3400/b.mp4")]);
    let mut flow = Ok(gst::FlowSuccess::Ok);
    for packet in packets(7, &sent) {
        flow = flow.and_then(|_| scenario.harness.push(gst::Buffer::from_slice(packet)));
    }
    assert_eq!(flow, Err(gst::FlowError::Eos));
    let received = scenario.objects();
    assert_eq!(received.len(), 1);
    assert_is(&received[0], &sent[1]);
    assert!(scenario.is_at_end());
}

#[test]
fn test_flutesrc_pad_properties_in_a_description() {
    init();
    let description = "flutesrc name=f src_3::location=*.mp4 src_3::tsi=4 f.src_3 ! fakesink  appsrc ! f.sink";
    let pipeline = gst::parse::launch(description).unwrap().downcast::<gst::Pipeline>().unwrap();
    let pad = pipeline.by_name("f").unwrap().static_pad("src_3").unwrap();
    assert_eq!(pad.property::<String>("location"), "*.mp4");
    assert_eq!(pad.property::<i64>("tsi"), 4);
}

#[test]
fn test_flutesrc_progress_of_long_objects() {
    let sent = [object("file:///long", "video/mp4", 9 << 20), object("file:///short", "video/mp4", 1 << 20)];
    let mut scenario = Scenario::new(&[]);
    scenario.push(packets(7, &sent));
    // What is left to do at the end of a long object is done by then.
    scenario.eos();
    let progress: Vec<_> = scenario
        .bus
        .iter_filtered(&[gst::MessageType::Progress])
        .map(|message| match message.view() {
            gst::MessageView::Progress(progress) => {
                let (type_, code, text) = progress.get();
                (type_, code.to_owned(), text.to_owned())
            }
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(progress, [], "the object took less than two seconds");
}

#[test]
fn test_flutesrc_limits_are_warned_of_once() {
    let sent = [object("file:///a", "video/mp4", 400_000), object("file:///b", "video/mp4", 400_000)];
    let mut scenario = Scenario::new(&[("max-memory", "100000"), ("spool-threshold", "18446744073709551615")]);
    scenario.push(packets(7, &sent));
    let warnings: Vec<_> = scenario
        .bus
        .iter_filtered(&[gst::MessageType::Warning])
        .filter_map(|message| match message.view() {
            gst::MessageView::Warning(warning) => Some(warning.error().message().to_owned()),
            _ => None,
        })
        .collect();
    let (limits, lost): (Vec<_>, Vec<_>) = warnings.iter().partition(|text| text.contains("max-memory is used up"));
    assert_eq!(limits.len(), 1, "{warnings:?}");
    assert!(lost.iter().all(|text| text.starts_with("lost file:///")) && lost.len() == 2, "{warnings:?}");
}
