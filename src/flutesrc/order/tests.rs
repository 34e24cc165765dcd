// SPDX-License-Identifier: MPL-2.0

//! The order of segments, in virtual time.

use super::isobmff::tests::{initialisation, segment};
use super::mpegts::tests::{packet, plain_packet};
use super::*;

const DEADLINE: Duration = Duration::from_secs(2);

fn at(milliseconds: u64) -> Time {
    Time::from_unix(Duration::from_secs(1_800_000_000) + Duration::from_millis(milliseconds))
}

/// An order whose payloads are the names of the objects.
struct Scenario {
    order: Order<String>,
    now: u64,
}

impl Scenario {
    fn new() -> Self {
        Self { order: Order::new(DEADLINE, 1 << 20), now: 0 }
    }

    fn push_as(&mut self, location: &str, media_type: &str, bytes: &[u8]) -> &mut Self {
        let object = MediaObject {
            location: location.to_owned(),
            media_type: Some(media_type.to_owned()),
            content: Content::of(bytes, Some(media_type)),
            size: bytes.len() as u64,
            payload: location.to_owned(),
        };
        self.order.push(object, at(self.now));
        self
    }

    fn init(&mut self, location: &str) -> &mut Self {
        self.push_as(location, "video/mp4", &initialisation(1, 1000, 0))
    }

    /// A segment of one second of MP4 that begins at a second.
    fn mp4(&mut self, location: &str, second: u64) -> &mut Self {
        self.push_as(location, "video/iso.segment", &segment(1, second * 1000, &[40; 25]))
    }

    /// A segment of about a second of a transport stream that begins at a second.
    fn ts(&mut self, location: &str, second: u64) -> &mut Self {
        let ticks = |milliseconds: u64| (second * 1000 + milliseconds) * 27_000;
        let packets = [plain_packet(0), packet(256, ticks(0)), packet(256, ticks(920))];
        self.push_as(location, "video/mp2t", &packets.concat())
    }

    fn wait(&mut self, milliseconds: u64) -> &mut Self {
        self.now += milliseconds;
        self
    }

    /// What goes now: initialisations in brackets, and `!` for what is missing.
    fn popped(&mut self) -> String {
        let mut words = Vec::new();
        while let Some(segment) = self.order.pop(at(self.now)) {
            words.extend(segment.initialisation.map(|name| format!("[{name}]")));
            let marks = "!".repeat(segment.missing as usize);
            words.push(format!("{marks}{}", segment.payload));
        }
        words.join(" ")
    }

    fn dropped(&mut self) -> Vec<(String, Reason)> {
        std::iter::from_fn(|| self.order.poll_dropped()).collect()
    }
}

#[test]
fn an_initialisation_and_its_segments() {
    let mut scenario = Scenario::new();
    assert_eq!(scenario.init("init.mp4").popped(), "");
    assert_eq!(scenario.mp4("1.m4s", 0).popped(), "[init.mp4] 1.m4s");
    assert_eq!(scenario.mp4("2.m4s", 1).popped(), "2.m4s");
    assert_eq!(scenario.order.deadline(), None);
    let counts = scenario.order.counts();
    assert_eq!((counts.initialisations, counts.segments, counts.waiting), (1, 2, 0));
}

#[test]
fn segments_wait_for_the_initialisation() {
    let mut scenario = Scenario::new();
    scenario.mp4("8.m4s", 7).mp4("9.m4s", 8).wait(10_000);
    assert_eq!(scenario.popped(), "");
    assert_eq!(scenario.order.deadline(), None, "time does not help");
    assert_eq!(scenario.init("init.mp4").popped(), "[init.mp4] 8.m4s 9.m4s");
    assert_eq!(scenario.mp4("10.m4s", 9).popped(), "10.m4s");
}

#[test]
fn the_room_for_waiting_is_bounded() {
    let mut scenario = Scenario::new();
    scenario.order.max_bytes = 1000;
    for number in 5..50 {
        scenario.mp4(&format!("{number}.m4s"), number);
    }
    let counts = scenario.order.counts();
    assert!(counts.waiting_bytes <= 1000, "{counts:?}");
    assert_eq!(counts.waiting + counts.no_room, 45);
    assert!(scenario.init("init.mp4").popped().ends_with("48.m4s 49.m4s"));
}

#[test]
fn out_of_order() {
    for number in [1, 57] {
        let mut scenario = Scenario::new();
        scenario.init("init.mp4").order.expect(&format!("{number}.m4s"));
        let name = |offset| format!("{}.m4s", number + offset);
        scenario.mp4(&name(1), number + 1);
        assert_eq!(scenario.popped(), "", "the one before is on its way");
        scenario.mp4(&name(0), number).mp4(&name(3), number + 3).mp4(&name(2), number + 2);
        assert_eq!(scenario.popped(), format!("[init.mp4] {} {} {} {}", name(0), name(1), name(2), name(3)));
        assert_eq!(scenario.dropped(), []);
    }
}

#[test]
fn the_first_segment_of_a_late_joiner_waits_for_one_before_it() {
    let mut scenario = Scenario::new();
    assert_eq!(scenario.init("init.mp4").mp4("57.m4s", 56).popped(), "");
    assert_eq!(scenario.order.deadline(), Some(at(2000)));
    assert_eq!(scenario.wait(1999).popped(), "");
    assert_eq!(scenario.wait(1).popped(), "[init.mp4] 57.m4s");
    // Two that follow each other are enough.
    let mut scenario = Scenario::new();
    assert_eq!(scenario.init("init.mp4").mp4("57.m4s", 56).mp4("58.m4s", 57).popped(), "[init.mp4] 57.m4s 58.m4s");
}

#[test]
fn a_missing_segment_is_left_out_in_time() {
    let mut scenario = Scenario::new();
    scenario.init("init.mp4").mp4("1.m4s", 0).popped();
    assert_eq!(scenario.wait(2000).mp4("3.m4s", 2).popped(), "");
    assert_eq!(scenario.wait(1000).mp4("4.m4s", 3).popped(), "");
    assert_eq!(scenario.order.deadline(), Some(at(4000)));
    assert_eq!(scenario.wait(1000).popped(), "!3.m4s 4.m4s");
    assert_eq!(scenario.mp4("2.m4s", 1).popped(), "");
    assert_eq!(scenario.dropped(), [("2.m4s".to_owned(), Reason::Late)]);
    assert_eq!((scenario.order.counts().missing, scenario.order.counts().late), (1, 1));
}

#[test]
fn nothing_is_held_for_longer_than_the_deadline() {
    let mut scenario = Scenario::new();
    scenario.init("init.mp4").mp4("1.m4s", 0).popped();
    assert_eq!(scenario.mp4("6.m4s", 5).wait(1500).mp4("4.m4s", 3).popped(), "");
    assert_eq!(scenario.order.deadline(), Some(at(2000)));
    assert_eq!(scenario.wait(500).popped(), "!!4.m4s !6.m4s", "6 has waited for long enough");
}

#[test]
fn what_is_lost_for_certain_is_not_waited_for() {
    let mut scenario = Scenario::new();
    scenario.init("init.mp4").mp4("1.m4s", 0).mp4("2.m4s", 1).popped();
    scenario.order.lose("3.m4s");
    assert_eq!(scenario.mp4("5.m4s", 4).popped(), "", "4 can still come");
    scenario.order.lose("4.m4s");
    assert_eq!(scenario.popped(), "!!5.m4s");
}

#[test]
fn the_end_brings_everything() {
    let mut scenario = Scenario::new();
    scenario.init("init.mp4").mp4("1.m4s", 0).mp4("3.m4s", 2).mp4("5.m4s", 4).popped();
    scenario.order.finish();
    assert_eq!(scenario.popped(), "!3.m4s !5.m4s");
    let mut scenario = Scenario::new();
    scenario.mp4("1.m4s", 0).order.finish();
    assert_eq!(scenario.popped(), "");
    assert_eq!(scenario.dropped(), [("1.m4s".to_owned(), Reason::NoRoom)]);
}

#[test]
fn a_full_order_does_not_wait() {
    let mut scenario = Scenario::new();
    scenario.order.max_bytes = 400;
    scenario.init("init.mp4").mp4("1.m4s", 0).mp4("3.m4s", 2).popped();
    assert_eq!(scenario.order.counts().waiting, 1);
    assert_eq!(scenario.mp4("4.m4s", 3).popped(), "!3.m4s 4.m4s");
}

#[test]
fn what_comes_again_is_dropped() {
    let mut scenario = Scenario::new();
    scenario.init("init.mp4").mp4("1.m4s", 0).popped();
    assert_eq!(scenario.init("init.mp4").mp4("1.m4s", 0).popped(), "");
    assert_eq!(scenario.order.counts().repeated, 2);
    assert_eq!(scenario.mp4("2.m4s", 1).popped(), "2.m4s");
}

#[test]
fn a_changed_initialisation_goes_before_its_segments() {
    let mut scenario = Scenario::new();
    scenario.init("init.mp4").mp4("1.m4s", 0).mp4("3.m4s", 2).popped();
    scenario.push_as("init.mp4", "video/mp4", &initialisation(1, 1000, 7));
    assert_eq!(scenario.mp4("4.m4s", 3).popped(), "");
    assert_eq!(scenario.mp4("2.m4s", 1).popped(), "2.m4s 3.m4s [init.mp4] 4.m4s");
    assert_eq!(scenario.mp4("5.m4s", 4).popped(), "5.m4s");
}

#[test]
fn manifests_do_not_go() {
    let mut scenario = Scenario::new();
    scenario.push_as("live.mpd", "application/dash+xml", b"<MPD/>").push_as("a.txt", "text/plain", b"text");
    assert_eq!(scenario.popped(), "");
    assert_eq!(scenario.order.counts().no_media, 2);
}

#[test]
fn one_representation_of_fragmented_mp4() {
    let mut scenario = Scenario::new();
    let other = initialisation(1, 1000, 9);
    scenario.init("init-0.mp4").push_as("init-1.mp4", "video/mp4", &other);
    for number in 1..4 {
        scenario.mp4(&format!("chunk-0-{number:05}.m4s"), number - 1);
        scenario.mp4(&format!("chunk-1-{number:05}.m4s"), number - 1);
    }
    assert_eq!(scenario.popped(), "[init-0.mp4] chunk-0-00001.m4s chunk-0-00002.m4s chunk-0-00003.m4s");
    assert_eq!(scenario.order.counts().other_representations, 4);
}

#[test]
fn segments_of_others_that_came_before_the_initialisation() {
    let mut scenario = Scenario::new();
    scenario.mp4("a/1.m4s", 0).mp4("v/1.m4s", 0).mp4("a/2.m4s", 1).mp4("v/2.m4s", 1);
    scenario.push_as("v/init.mp4", "video/mp4", &initialisation(1, 1000, 0));
    scenario.push_as("a/init.mp4", "audio/mp4", &initialisation(1, 1000, 1));
    assert_eq!(scenario.popped(), "[v/init.mp4] v/1.m4s v/2.m4s");
    assert_eq!(scenario.mp4("a/3.m4s", 2).mp4("v/3.m4s", 2).popped(), "v/3.m4s");
}

#[test]
fn another_track_is_another_representation() {
    let mut scenario = Scenario::new();
    scenario.init("init.mp4").push_as("1-a.m4s", "video/mp4", &segment(2, 0, &[40]));
    scenario.push_as("1.m4s", "audio/mp4", &segment(1, 0, &[40]));
    assert_eq!(scenario.mp4("1-v.m4s", 0).popped(), "[init.mp4] 1-v.m4s");
    assert_eq!(scenario.order.counts().other_representations, 2);
}

#[test]
fn one_representation_of_transport_streams() {
    let mut scenario = Scenario::new();
    for number in 1..4 {
        scenario.ts(&format!("v0/seg-{number}.ts"), 3600 + number);
        scenario.ts(&format!("v1/seg-{number}.ts"), 3600 + number);
    }
    assert_eq!(scenario.popped(), "v0/seg-1.ts v0/seg-2.ts v0/seg-3.ts");
}

#[test]
fn names_that_count_time() {
    let mut scenario = Scenario::new();
    scenario.init("v/init.mp4").mp4("v/t0.m4s", 0).mp4("v/t90000.m4s", 1).popped();
    assert_eq!(scenario.mp4("v/t270000.m4s", 3).popped(), "");
    assert_eq!(scenario.mp4("v/t180000.m4s", 2).popped(), "v/t180000.m4s v/t270000.m4s");
    assert_eq!(scenario.mp4("v/t450000.m4s", 5).wait(2000).popped(), "!v/t450000.m4s");
    let mut scenario = Scenario::new();
    scenario.ts("90000.ts", 1).ts("180000.ts", 2).ts("360000.ts", 4).ts("270000.ts", 3);
    assert_eq!(scenario.popped(), "90000.ts 180000.ts 270000.ts 360000.ts");
}

#[test]
fn names_that_say_nothing() {
    let mut scenario = Scenario::new();
    scenario.ts("ab.ts", 1).ts("cdx.ts", 2).ts("x.ts", 4).ts("ef.ts", 3);
    assert_eq!(scenario.popped(), "ab.ts cdx.ts ef.ts x.ts", "the time says it");
    let mut scenario = Scenario::new();
    for name in ["c.aac", "b.aac", "a.aac"] {
        scenario.push_as(name, "audio/aac", &[0xff, 0xf1, 0, 0]);
    }
    assert_eq!(scenario.popped(), "c.aac b.aac a.aac", "they stay as they came");
}

#[test]
fn names_that_are_used_again() {
    let mut scenario = Scenario::new();
    let mut popped = Vec::new();
    for number in 0..8 {
        popped.push(scenario.wait(1000).ts(&format!("seg{}.ts", number % 3), 10 + number).popped());
    }
    assert_eq!(popped.join(" "), "seg0.ts seg1.ts seg2.ts seg0.ts seg1.ts seg2.ts seg0.ts seg1.ts");
}

#[test]
fn counters_that_other_objects_share() {
    let mut scenario = Scenario::new();
    scenario.init("object-00000").mp4("object-00001", 0).mp4("object-00003", 1).mp4("object-00005", 2);
    assert_eq!(scenario.popped(), "[object-00000] object-00001 object-00003 object-00005");
}

#[test]
fn a_sender_that_begins_anew() {
    let mut scenario = Scenario::new();
    scenario.ts("seg100.ts", 5000).ts("seg101.ts", 5001);
    assert_eq!(scenario.popped(), "seg100.ts seg101.ts");
    let mut popped = Vec::new();
    for number in 0..12 {
        popped.push(scenario.wait(1000).ts(&format!("seg{number}.ts"), number).popped());
    }
    let popped = popped.join(" ");
    assert_eq!(popped.trim(), "seg7.ts seg8.ts seg9.ts seg10.ts seg11.ts");
}

#[test]
fn times_that_jump_begin_anew() {
    let mut scenario = Scenario::new();
    let begins = |scenario: &mut Scenario| scenario.order.pop(at(0)).unwrap().begins;
    scenario.ts("1.ts", 5000).ts("2.ts", 5001).ts("3.ts", 10).ts("4.ts", 11).ts("5.ts", 80);
    assert_eq!([(); 5].map(|()| begins(&mut scenario)), [true, false, true, false, true]);
}

#[test]
fn a_clock_that_wraps_goes_on() {
    // 33 bits of 90 kHz last for 95443.7 seconds.
    let mut scenario = Scenario::new();
    let wrap = (1u64 << 33) * 300;
    let packets = |first: u64| [plain_packet(0), packet(256, first % wrap), packet(256, (first + 24_840_000) % wrap)];
    for number in 0..4 {
        let first = wrap - 40_000_000 + number * 27_000_000;
        scenario.push_as(&format!("{number}.ts"), "video/mp2t", &packets(first).concat());
    }
    let segments: Vec<_> = std::iter::from_fn(|| scenario.order.pop(at(0))).collect();
    assert_eq!(segments.len(), 4);
    for pair in segments.windows(2) {
        let [one, next] = [&pair[0], &pair[1]].map(|segment| segment.times.unwrap().0);
        assert_eq!((next - one).as_millis(), 1000);
        assert!(!pair[1].begins);
    }
}
