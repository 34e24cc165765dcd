// SPDX-License-Identifier: MPL-2.0

//! Which rules sessions break: those of this sender none, made ones the one that they are made to break, and those of
//! other senders what is known of them.

#[path = "../receiver/crafted.rs"]
#[allow(dead_code)]
mod crafted;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use crafted::{START, Style, content, file, instance, instance_until, no_code};
use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::conformance::{Violation, validate};
use flute_proto::lct::HeaderWidths;
use flute_proto::profile::Profile;
use flute_proto::sender::{Batch, FecConfig, FecScheme, FinishPolicy, Object, Poll, Sender, SenderConfig};

fn start() -> Time {
    Time::from_unix(Duration::from_secs(START))
}

fn validate_all(profile: Option<Profile>, packets: &[Vec<u8>]) -> Vec<Violation> {
    validate(profile, packets.iter().map(|packet| (start(), &packet[..])))
}

/// Everything that a sender sends of some objects.
fn session(config: SenderConfig) -> Vec<Vec<u8>> {
    let now = start();
    let mut sender = Sender::new(config, now).unwrap();
    for (index, length) in [0, 1, 1000, 30_000, 200_001].into_iter().enumerate() {
        let mut object = Object::new(format!("file:///{index}.mp4"), content(length, index as u64));
        object.content_type = Some("video/mp4".to_owned());
        sender.add(object, now).unwrap();
    }
    sender.finish(FinishPolicy::FinishTransfers, now);
    let (mut batch, mut packets) = (Batch::new(64), Vec::new());
    loop {
        match sender.poll(now, &mut batch) {
            Poll::Packets => packets.extend(batch.packets().map(<[u8]>::to_vec)),
            Poll::Wait(at) if at <= now => {}
            _ => return packets,
        }
    }
}

/// What this sender sends breaks no rule of the profile that it is asked for, with any code that the profile has.
#[test]
fn own_sessions_break_no_rule() {
    let schemes = [
        FecScheme::NoCode,
        FecScheme::Raptor,
        FecScheme::RaptorQ,
        FecScheme::ReedSolomon8,
        FecScheme::ReedSolomon8SmallBlock,
    ];
    for profile in Profile::ALL {
        let mut validated = 0;
        for scheme in schemes.into_iter().filter(|scheme| profile.check_fec(scheme.encoding_id()).is_ok()) {
            let fec = FecConfig::default().scheme(scheme).protection(Protection::Percent(20.0));
            let packets = session(SenderConfig::default().profile(profile).fec(fec));
            assert!(packets.len() > 150, "{profile}, {scheme:?}: {} packets", packets.len());
            assert_eq!(validate_all(Some(profile), &packets), [], "{profile}, {scheme:?}");
            validated += 1;
        }
        assert!(validated >= 2, "{profile}");
    }
}

/// A session of version 1 that nobody named a profile for is held against RFC 3926.
#[test]
fn the_version_of_the_session_decides() {
    let packets = session(SenderConfig::default().profile(Profile::Rfc3926));
    assert_eq!(validate_all(None, &packets), []);
    let broken = validate_all(Some(Profile::Rfc6726), &packets);
    let clauses: BTreeSet<&str> = broken.iter().map(|violation| violation.clause).collect();
    assert_eq!(clauses, BTreeSet::from(["RFC 6726 §3.4.1", "RFC 6726 §3.4.2"]));
}

#[track_caller]
fn assert_broken(profile: Profile, packets: &[Vec<u8>], clause: &str, what: &str) {
    let broken = validate_all(Some(profile), packets);
    let [violation] = &broken[..] else { panic!("{what}: {broken:#?}") };
    assert_eq!(violation.clause, clause, "{violation:?}");
    assert!(violation.what.contains(what), "{violation:?}");
}

/// One rule at a time is broken, and told with its clause.
#[test]
fn each_broken_rule_has_its_clause() {
    let object = content(2500, 1);
    let oti = no_code(2500, 1000, 16);
    let style = Style::default();
    let described = |more: &str| style.fdt(0, &instance("", &[file(1, "a", &oti, more)]));
    let with = |mut packets: Vec<Vec<u8>>, others: Vec<Vec<u8>>| {
        packets.extend(others);
        packets
    };
    let rfc6726 = |packets: Vec<Vec<u8>>, clause: &str, what: &str| {
        assert_broken(Profile::Rfc6726, &packets, clause, what);
    };
    let sent = style.object(1, &oti, &object);
    assert_eq!(validate_all(Some(Profile::Rfc6726), &with(described(""), sent.clone())), []);

    rfc6726(vec![b"not ALC".to_vec()], "RFC 5775 §4.1", "LCT");
    rfc6726(sent.clone(), "RFC 6726 §3.3", "no FDT Instance describes");
    rfc6726(style.fdt_bytes(0, Some(0), instance("", &[]).as_bytes()), "RFC 6726 §3.4.3", "EXT_CENC");
    rfc6726(Style { version: 1, ..style.clone() }.fdt(0, &instance("", &[])), "RFC 6726 §3.4.1", "version 1 of FLUTE");
    rfc6726(style.fdt(0, &instance_until(START - 1, "", &[])), "RFC 6726 §3.3", "has expired");
    rfc6726(style.fdt(0, "<FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\"/>"), "RFC 6726 §3.4.2", "`Expires`");
    let other = instance("", &[]).replace("urn:ietf:params:xml:ns:fdt", "urn:example");
    rfc6726(style.fdt(0, &other), "RFC 6726 §3.4.2", "urn:example");
    let reused = with(style.fdt(3, &instance("", &[])), style.fdt(3, &instance("Complete=\"false\"", &[])));
    rfc6726(reused, "RFC 6726 §3.4.1", "is used for another");
    let moved = style.fdt(1, &instance("", &[file(1, "b", &oti, "")]));
    rfc6726(with(described(""), moved), "RFC 6726 §3.3", "another description");
    let complete = style.fdt(0, &instance("Complete=\"true\"", &[]));
    let after = style.fdt(1, &instance("", &[file(1, "a", &oti, "")]));
    rfc6726(with(complete, after), "RFC 6726 §3.4.2", "`Complete`");
    let longer = no_code(3500, 1000, 16);
    let contradicting = Style { fti_on_objects: true, ..style.clone() }.object(1, &longer, &content(3500, 1));
    rfc6726(with(described(""), contradicting), "RFC 6726 §5", "different things");
    let beyond =
        style.symbol_packet(1, &oti, flute_proto::oti::PayloadId { esi: 9, ..Default::default() }, &[0; 1000], false);
    rfc6726(with(described(""), vec![beyond]), "RFC 5052 §9.1", "beyond the source block");
    let beyond = style.symbol_packet(
        1,
        &oti,
        flute_proto::oti::PayloadId { source_block: 7, ..Default::default() },
        &[0; 1000],
        false,
    );
    rfc6726(with(described(""), vec![beyond]), "RFC 5052 §9.1", "source block number");
    let short = style.symbol_packet(1, &oti, flute_proto::oti::PayloadId::default(), &[0; 999], false);
    rfc6726(with(described(""), vec![short]), "RFC 5052 §6.2", "no whole number of symbols");
}

/// Codepoint 5 where the FDT says FEC Encoding ID 0 (RFC 6726 §5), in bytes from RFC 5651 §5.1: version 1, C = 0, S = 0,
/// O = 0, H = 1, five words, CCI 0, TSI 7, TOI 1, and a FEC Payload ID of 32 bits.
#[test]
fn a_codepoint_that_the_fdt_does_not_have() {
    let oti = no_code(4, 4, 16);
    let mut packets = Style::default().fdt(0, &instance("", &[file(1, "a", &oti, "")]));
    packets.push(vec![0x10, 0x10, 0x03, 0x05, 0, 0, 0, 0, 0, 7, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]);
    assert_broken(Profile::Rfc6726, &packets, "RFC 6726 §5", "Codepoint 5 where the FDT says FEC Encoding ID 0");
}

/// What MBMS forbids, and what it wants beyond the RFC.
#[test]
fn rules_of_mbms() {
    let oti = no_code(1000, 1000, 16);
    let mbms = |attributes: &str| {
        let expires = (START + 3600 + crafted::NTP) as u32;
        format!(
            "<FDT-Instance xmlns=\"urn:IETF:metadata:2005:FLUTE:FDT\" \
             xmlns:sv=\"urn:3gpp:metadata:2009:MBMS:schemaVersion\" Expires=\"{expires}\">\
             <File TOI=\"1\" Content-Location=\"a\" Content-Length=\"1000\" Content-Type=\"video/mp4\" \
             FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Maximum-Source-Block-Length=\"16\" {attributes}/>\
             <sv:schemaVersion>4</sv:schemaVersion><sv:delimiter>0</sv:delimiter></FDT-Instance>"
        )
    };
    let style = Style { version: 1, ..Style::default() };
    let right = mbms("FEC-OTI-Encoding-Symbol-Length=\"1000\"");
    assert_eq!(validate_all(Some(Profile::Mbms), &style.fdt(0, &right)), []);

    let broken = |packets: Vec<Vec<u8>>, clause: &str, what: &str| {
        assert_broken(Profile::Mbms, &packets, clause, what);
    };
    let wide = Style { widths: HeaderWidths { tsi: 32, toi: 32 }, ..style.clone() };
    broken(wide.fdt(0, &right), "TS 26.346 7.2.7", "a TSI of 32 bits");
    let timed = Style { sender_current_time: Some(start()), ..style.clone() };
    broken(timed.fdt(0, &right), "TS 26.346 L.4.7", "EXT_TIME");
    let mut packets = style.fdt(0, &right);
    packets.extend(Style { times: true, ..style.clone() }.object(1, &oti, &content(1000, 1)));
    broken(packets, "TS 26.346 7.2.7", "flag T or R");
    let mut packets = style.fdt(0, &right);
    packets.extend(Style { fti_on_objects: true, ..style.clone() }.object(1, &oti, &content(1000, 1)));
    broken(packets, "TS 26.346 7.2.8", "EXT_FTI on a packet of an object");
    broken(style.fdt(0, &mbms("")), "TS 26.346 7.2.9", "FEC-OTI-Encoding-Symbol-Length");
    let transfer_length = mbms("FEC-OTI-Encoding-Symbol-Length=\"1000\" Transfer-Length=\"1000\"");
    broken(style.fdt(0, &transfer_length), "TS 26.346 L.4.2", "`Transfer-Length`");
    broken(style.fdt(0, &right.replace(">4<", ">3<")), "TS 26.346 7.2.10", "`schemaVersion` is 3, not 4");
    let without = right.replace("<sv:schemaVersion>4</sv:schemaVersion>", "");
    broken(style.fdt(0, &without), "TS 26.346 7.2.10", "`schemaVersion` is missing");
    let raptorq =
        right.replace("FEC-Encoding-ID=\"0\"", "FEC-Encoding-ID=\"6\" FEC-OTI-Scheme-Specific-Info=\"AQABBA==\"");
    broken(style.fdt(0, &raptorq), "TS 26.346 7.2, which has Compact No-Code (0) and Raptor (1)", "FEC Encoding ID 6");
}

/// What the senders in the field break, as found in their packets.
#[test]
fn captures_break_what_is_known_of_their_senders() {
    let mbms = Some(Profile::Mbms);
    let known: [(&str, Option<Profile>, &[&str]); 6] = [
        // A namespace of RFC 3926 in a session of version 2, and EXT_CENC with 0.
        ("ypo-no-code", None, &["RFC 6726 §3.4.2", "RFC 6726 §3.4.3"]),
        ("ypo-raptorq", None, &["RFC 6726 §3.4.2", "RFC 6726 §3.4.3"]),
        // No namespace at all.
        ("mad-nocode", None, &["RFC 3926 §3.4.2"]),
        ("gpac-mabr-dash-flute", None, &[]),
        ("rt-libflute-nocode", None, &[]),
        // No `schemaVersion`, and `Transfer-Length`.
        ("rt-libflute-nocode", mbms, &["TS 26.346 7.2.10", "TS 26.346 L.4.2"]),
    ];
    for (capture, profile, clauses) in known {
        let Some(datagrams) = support::datagrams(capture) else { return };
        // Sessions of one capture have different TSIs.
        let packets = datagrams.iter().map(|datagram| (Time::from_unix(datagram.time), &datagram.payload[..]));
        let broken = validate(profile, packets);
        let found: BTreeSet<&str> = broken.iter().map(|violation| violation.clause).collect();
        assert_eq!(found, clauses.iter().copied().collect(), "{capture}: {broken:#?}");
    }
}
