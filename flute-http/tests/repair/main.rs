// SPDX-License-Identifier: MPL-2.0

//! Lost objects, and servers that have them.

mod origin;
mod scenario;

use std::time::{Duration, Instant};

use flute_http::{FdtHosts, RepairConfig, RepairOutcome};

use origin::{Answer, Asked, Origin, Part};
use scenario::{Scenario, Sent, answer, content, other_content};

fn config(origin: &Origin) -> RepairConfig {
    let mut config = RepairConfig::new(flute_http::Origin::new(origin.url.clone()));
    config.min_bitrate = 100_000_000;
    config
}

/// The outcome of losing a packet where the origin answers like this, and its requests.
fn repair(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> (Scenario, Origin) {
    let origin = Origin::start(answer);
    (Scenario::losing(config(&origin), &Sent::default(), [150]), origin)
}

fn fetched(outcome: RepairOutcome) -> u64 {
    match outcome {
        RepairOutcome::Repaired { fetched, .. } => fetched,
        outcome => panic!("{outcome:?}"),
    }
}

fn reason(outcome: RepairOutcome) -> String {
    match outcome {
        RepairOutcome::Failed { reason, .. } => reason,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn all_that_is_missing_is_fetched_with_one_request() {
    let origin = Origin::start(|asked| Answer::right(&content(), asked));
    let scenario = Scenario::losing(config(&origin), &Sent::default(), [50, 100, 101, 150]);
    let (head, body) = scenario.get();
    assert!(head.starts_with("HTTP/1.1 200 ") && body == content(), "{head}");
    let fetched = fetched(scenario.outcome());
    let requests = origin.requests();
    assert_eq!((requests.len(), requests[0].ranges.len()), (1, 3), "{requests:?}");
    assert_eq!(requests[0].path, "/live/video/a.mp4");
    assert_eq!(requests[0].ranges.iter().map(|range| range.len() as u64).sum::<u64>(), fetched);
    assert!(fetched < 4 * 1500, "only what was lost");
}

#[test]
fn servers_that_answer_with_one_range_are_asked_for_the_others() {
    let origin = Origin::start(|asked| Answer::range(&content(), asked.ranges[0].clone()));
    let scenario = Scenario::losing(config(&origin), &Sent::default(), [50, 100, 150]);
    assert!(fetched(scenario.outcome()) < 3 * 1500);
    assert!(scenario.get().1 == content());
    let asked: Vec<usize> = origin.requests().iter().map(|asked| asked.ranges.len()).collect();
    assert_eq!(asked, [3, 2, 1]);
}

#[test]
fn servers_without_ranges() {
    let (scenario, origin) = repair(|_| Answer::whole(&content()));
    assert!(fetched(scenario.outcome()) < 1500, "what is there is not taken again");
    assert!(scenario.get().1 == content());
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn servers_that_are_busy_or_break_off_are_asked_again() {
    let origin = Origin::start(|asked| match asked.number {
        0 => Answer::status(503).field("retry-after", "0"),
        1 => Answer::right(&content(), asked).cut(10_000, Part::Break),
        _ => Answer::right(&content(), asked),
    });
    let scenario = Scenario::losing(config(&origin), &Sent::default(), 50..150);
    assert!(matches!(scenario.outcome(), RepairOutcome::Repaired { .. }));
    assert!(scenario.get().1 == content());
    let starts: Vec<usize> = origin.requests().iter().map(|asked| asked.ranges[0].start).collect();
    assert_eq!((starts[0], starts[2]), (starts[1], starts[1] + 10_000), "what has come is not asked for again");
}

#[test]
fn servers_that_hang_are_asked_again() {
    let (scenario, _origin) = repair(|asked| match asked.number {
        0 => Answer::right(&content(), asked).cut(100, Part::Hang),
        _ => Answer::right(&content(), asked),
    });
    assert!(fetched(scenario.outcome()) < 1500);
    assert!(scenario.get().1 == content());
}

#[test]
fn servers_that_are_too_slow_are_given_up() {
    let (scenario, origin) = repair(|asked| {
        let body = content()[asked.ranges[0].clone()].to_vec();
        Answer { parts: vec![Part::Slowly(body, Duration::from_millis(20))], ..Answer::right(&content(), asked) }
    });
    // Each byte comes in time, and all of them do not.
    let reason = reason(scenario.outcome());
    assert!(reason.contains("timeout"), "{reason}");
    assert_eq!(origin.requests().len(), 3);
}

#[test]
fn the_next_server_is_asked_where_one_does_not_have_it() {
    let without = Origin::start(|_| Answer::status(404));
    let with = Origin::start(|asked| Answer::right(&content(), asked));
    let mut config = config(&without);
    config.origins.push(flute_http::Origin::new(with.url.clone()).weight(0));
    let scenario = Scenario::losing(config, &Sent::default(), [150]);
    assert!(fetched(scenario.outcome()) < 1500);
    assert_eq!((without.requests().len(), with.requests().len()), (1, 1));
    assert!(scenario.get().1 == content());
}

#[test]
fn redirections_are_followed_on_the_same_server() {
    let (scenario, origin) = repair(|asked| match asked.path.as_str() {
        "/elsewhere/a.mp4" => Answer::right(&content(), asked),
        _ => Answer::status(302).field("location", "/elsewhere/a.mp4"),
    });
    assert!(fetched(scenario.outcome()) < 1500);
    let requests = origin.requests();
    assert_eq!(requests[0].ranges, requests[1].ranges);
    let (scenario, _origin) = repair(|_| Answer::status(301).field("location", "http://192.0.2.1/a.mp4"));
    assert!(reason(scenario.outcome()).starts_with("the origin redirects to http://192.0.2.1/a.mp4"));
    let (scenario, origin) = repair(|asked| Answer::status(307).field("location", &asked.path));
    assert!(reason(scenario.outcome()).contains("too often"));
    assert_eq!(origin.requests().len(), 4);
}

#[test]
fn an_origin_that_changes_never_gives_a_mixture() {
    let sent = Sent { has_digest: false, ..Sent::default() };
    let first = |asked: &Asked| Answer::right(&content(), asked).field("etag", "\"a\"").cut(10_000, Part::Break);
    // One server knows If-Range, the other does not.
    let knowing = Origin::start(move |asked| match (asked.number, asked.if_range.as_deref()) {
        (0, _) => first(asked),
        (_, Some("\"a\"")) => Answer::whole(&other_content()).field("etag", "\"b\""),
        _ => Answer::status(500),
    });
    let ignorant = Origin::start(move |asked| match asked.number {
        0 => first(asked),
        _ => Answer::right(&other_content(), asked).field("etag", "\"b\""),
    });
    // Nothing tells its versions apart.
    let silent = Origin::start(move |asked| match asked.number {
        0 => Answer::right(&content(), asked).cut(10_000, Part::Break),
        _ => Answer::right(&other_content(), asked),
    });
    for origin in [knowing, ignorant, silent] {
        let scenario = Scenario::losing(config(&origin), &sent, 50..150);
        assert_eq!(fetched(scenario.outcome()), 310_000);
        assert!(scenario.get().1 == other_content());
    }
}

#[test]
fn versions_that_the_fdt_names_are_asked_for() {
    let sent = Sent { has_digest: false, etag: Some("\"a\"".to_owned()), ..Sent::default() };
    let origin = Origin::start(|asked| match asked.if_range.as_deref() {
        Some("\"a\"") => Answer::whole(&other_content()).field("etag", "\"b\""),
        _ => Answer::status(500),
    });
    let scenario = Scenario::losing(config(&origin), &sent, [150]);
    assert_eq!(fetched(scenario.outcome()), 300_000);
    assert!(scenario.get().1 == other_content(), "no byte of it is that of the sender");
}

#[test]
fn what_does_not_fit_is_never_served_as_a_whole() {
    type Case = (fn(&Asked) -> Answer, &'static str);
    let cases: [Case; 6] = [
        (|_| Answer::status(404), "the origin answers 404"),
        (|_| Answer::status(416), "the origin answers 416"),
        (|asked| Answer::right(&other_content(), asked), "what the origin has does not fit the announced digest"),
        (
            |asked| Answer::range(&content(), asked.ranges[0].end..asked.ranges[0].end + 10),
            "the origin answers with another range than was asked for",
        ),
        (
            |_| Answer::whole(&[content(), vec![0]].concat()),
            "what the origin has is of 300001 bytes, and not of 300000",
        ),
        (
            |asked| Answer::right(&content(), asked).field("content-encoding", "gzip"),
            "the origin answers with an encoding that was not asked for",
        ),
    ];
    for (answer, expected) in cases {
        let (scenario, _origin) = repair(answer);
        let (head, body) = scenario.get();
        assert!(body.len() < 300_000, "{expected}: {head}");
        assert_eq!(reason(scenario.outcome()), expected);
    }
}

#[test]
fn what_came_wrong_by_multicast_is_fetched_as_a_whole() {
    let origin = Origin::start(|asked| Answer::right(&content(), asked));
    let mut scenario = Scenario::new(config(&origin));
    let mut packets = Sent::default().packets();
    *packets[60].last_mut().unwrap() ^= 1;
    packets.remove(150);
    scenario.push(&packets);
    scenario.finish();
    assert!(fetched(scenario.outcome()) > 300_000);
    assert!(scenario.get().1 == content());
    let lengths: Vec<usize> = origin.requests().iter().map(|asked| asked.ranges.len()).collect();
    assert_eq!(lengths, [1, 0], "first what is missing, then everything");
}

#[test]
fn servers_that_the_fdt_names_are_asked_if_that_is_allowed() {
    let origin = Origin::start(|asked| Answer::right(&content(), asked));
    let sent = Sent { base_urls: vec![origin.url.to_string()], ..Sent::default() };
    let mut config = RepairConfig::default();
    config.fdt_hosts = FdtHosts::These(vec!["origin.example".to_owned()]);
    let scenario = Scenario::losing(config.clone(), &sent, [150]);
    assert!(reason(scenario.outcome()).contains("names no server that may be asked"));
    assert!(origin.requests().is_empty());
    config.fdt_hosts = FdtHosts::These(vec!["127.0.0.1".to_owned()]);
    let scenario = Scenario::losing(config, &sent, [150]);
    assert!(fetched(scenario.outcome()) < 1500);
    assert!(scenario.get().1 == content());
}

#[test]
fn the_rate_is_that_of_all_objects_together() {
    let origin = Origin::start(|asked| Answer::right(&content(), asked));
    let mut config = config(&origin);
    // 300 000 bytes take half a second.
    config.bitrate = 4_800_000;
    let started = Instant::now();
    let mut scenario = Scenario::new(config);
    // The same object in two sessions: nothing but its FDT comes.
    for _ in 0..2 {
        scenario.push(&Sent::default().packets()[..2]);
        scenario.finish();
        assert!(matches!(scenario.outcome(), RepairOutcome::Repaired { .. }));
    }
    assert!(started.elapsed() >= Duration::from_millis(900));
}

/// Asks for the object, and has the origin asked until there is an outcome.
fn start_fast(scenario: &Scenario) -> ((String, Vec<u8>), RepairOutcome) {
    let stream = scenario.ask();
    loop {
        scenario.fast_start();
        if let Some(outcome) = scenario.try_outcome() {
            return (answer(stream), outcome);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_described_and_does_not_come_is_fetched_at_once() {
    let origin = Origin::start(|asked| Answer::right(&content(), asked));
    let mut scenario = Scenario::new(config(&origin));
    let packets = Sent::default().packets();
    scenario.push(&packets[..1]);
    let ((head, body), outcome) = start_fast(&scenario);
    assert!(head.starts_with("HTTP/1.1 200 ") && body == content(), "{head}");
    assert_eq!(fetched(outcome), 300_000);
    // Multicast catches up.
    scenario.push(&packets[1..]);
    assert!(scenario.get().1 == content());
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn who_comes_in_the_midst_of_an_object_gets_its_beginning_from_the_origin() {
    let origin = Origin::start(|asked| Answer::right(&content(), asked));
    let mut scenario = Scenario::new(config(&origin));
    let packets = Sent::default().packets();
    scenario.push(packets[..1].iter().chain(&packets[100..150]));
    let ((_, body), outcome) = start_fast(&scenario);
    assert!(body == content());
    let fetched = fetched(outcome);
    assert!((200_000..280_000).contains(&fetched), "{fetched}");
    // What comes after it fits.
    scenario.push(&packets[1..]);
    assert!(scenario.get().1 == content());
}

#[test]
fn the_origin_is_asked_before_there_is_an_fdt() {
    let origin = Origin::start(|asked| {
        let answer = Answer::whole(&other_content()).field("etag", "\"o\"").field("content-type", "video/x-origin");
        if asked.path == "/live/a.mp4" { answer } else { Answer::status(404) }
    });
    let mut scenario = Scenario::new(config(&origin));
    let ((head, body), _) = start_fast(&scenario);
    assert!(body == other_content());
    assert!(head.contains("Content-Type: video/x-origin\r\n") && head.contains("Etag: \"o\"\r\n"), "{head}");
    // What is sent has its place as soon as it comes.
    scenario.push(&Sent::default().packets());
    assert!(scenario.get().1 == content());
}

#[test]
fn a_sender_and_an_origin_that_differ_are_not_mixed() {
    let origin = Origin::start(|asked| Answer::right(&other_content(), asked).cut(200_000, Part::Hang));
    let mut scenario = Scenario::new(config(&origin));
    let packets = Sent { has_digest: false, ..Sent::default() }.packets();
    scenario.push(&packets[..1]);
    let stream = scenario.ask();
    while origin.requests().is_empty() {
        scenario.fast_start();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut first = [0; 400];
    std::io::Read::read_exact(&mut &stream, &mut first).unwrap();
    scenario.push(&packets[1..]);
    let (_, rest) = answer(stream);
    assert!(first.len() + rest.len() < 300_000, "the answer is broken off");
    assert!(reason(scenario.outcome()).contains("given up"));
}

#[test]
fn an_origin_that_is_away_is_asked_once_for_a_request() {
    let origin = Origin::start(|_| Answer::status(404));
    let scenario = Scenario::waiting(config(&origin), Duration::from_millis(500));
    let stream = scenario.ask();
    stream.set_nonblocking(true).unwrap();
    while stream.peek(&mut [0; 1]).is_err() {
        scenario.fast_start();
        std::thread::sleep(Duration::from_millis(5));
    }
    stream.set_nonblocking(false).unwrap();
    let (head, _) = answer(stream);
    assert!(head.starts_with("HTTP/1.1 504 "), "the wait does not begin anew: {head}");
    assert_eq!(origin.requests().len(), 1);
}
