// SPDX-License-Identifier: MPL-2.0

//! What senders in the field do, and other receivers stumble over.
//!
//! | what a sender does | test |
//! |---|---|
//! | FEC OTI on File, version 1 | [`both_versions`] |
//! | EXT_FDT version 2 | [`both_versions`] |
//! | FDT namespace of RFC 6726, of 2005, another, none; a root with a prefix | [`any_namespace_and_prefix`] |
//! | FEC OTI on FDT-Instance only | [`oti_on_the_instance_only`] |
//! | no FEC OTI in the FDT, EXT_FTI on data | [`no_oti_in_the_fdt`] |
//! | TSI and TOI of 32 and 32, 48 and 48, 32 and 64 bits, and more | [`header_widths`], [`wide_identifiers`] |
//! | many source blocks | all that use `comes_out`, [`many_source_blocks`] |
//! | FDT encoded by gzip, zlib, deflate | [`encoded_fdt`] |
//! | object encoded by gzip, zlib, deflate | [`encoded_objects`](crate::encodings) |
//! | EXT_TIME | [`sender_current_time`], [`times_in_the_header`] |
//! | two symbols in a packet | [`several_symbols_per_packet`] |
//! | data before the FDT, sent once | [`data_before_the_fdt_and_only_once`], [`some_data_before_the_fdt`] |
//! | a leading close-session packet without TOI | [`leading_close_session_packet`] |
//! | PSI bits set | [`psi_bits`] |
//! | no Transfer-Length | [`no_transfer_length`] |
//! | an empty file | [`empty_file`] |
//! | the last two packets swapped, B flag on the last | [`last_two_packets_swapped`] |
//! | 20 MiB without a code, one packet lost per carousel cycle | [`a_carousel_completes_in_the_second_cycle`] |
//! | a carousel that is joined late | [`a_late_joiner_needs_one_cycle`] |
//! | a clock past 2036-02-07 | [`past_2036`] |

use flute_proto::content::ContentEncoding;
use flute_proto::lct::HeaderWidths;

use crate::crafted::{Harness, NTP, Random, START, Style, content, file, instance, no_code};

/// One object of 100 kB in blocks of 16 symbols, announced and sent in the given style, comes out.
fn comes_out(style: &Style, xml: impl Fn(u64) -> String) {
    let content = content(100_001, 1);
    let oti = no_code(content.len() as u64, 1000, 16);
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &xml(content.len() as u64)));
    harness.push_all(&style.object(1, &oti, &content));
    assert_eq!(harness.take(), [content], "{style:?}");
    assert_eq!(harness.failures(), []);
}

fn plain(length: u64) -> String {
    instance("", &[file(1, "a", &no_code(length, 1000, 16), "")])
}

#[test]
fn both_versions() {
    for version in [1, 2] {
        comes_out(&Style { version, ..Style::default() }, plain);
    }
}

#[test]
fn any_namespace_and_prefix() {
    let attributes = "TOI=\"1\" Content-Location=\"a\" FEC-OTI-FEC-Encoding-ID=\"0\" \
                      FEC-OTI-Maximum-Source-Block-Length=\"16\" FEC-OTI-Encoding-Symbol-Length=\"1000\"";
    for (open, element, close) in [
        ("FDT-Instance xmlns=\"urn:ietf:params:xml:ns:fdt\"", "File", "FDT-Instance"),
        ("FDT-Instance xmlns=\"urn:IETF:metadata:2005:FLUTE:FDT\"", "File", "FDT-Instance"),
        ("FDT-Instance xmlns=\"urn:example:unknown\"", "File", "FDT-Instance"),
        ("FDT-Instance", "File", "FDT-Instance"),
        ("f:FDT-Instance xmlns:f=\"urn:ietf:params:xml:ns:fdt\"", "f:File", "f:FDT-Instance"),
    ] {
        comes_out(&Style::default(), |length| {
            format!(
                "<{open} Expires=\"{}\"><{element} Transfer-Length=\"{length}\" {attributes}/></{close}>",
                (START + 60 + NTP) as u32
            )
        });
    }
}

#[test]
fn oti_on_the_instance_only() {
    comes_out(&Style::default(), |length| {
        let oti = "FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Maximum-Source-Block-Length=\"16\" \
                   FEC-OTI-Encoding-Symbol-Length=\"1000\"";
        instance(oti, &[format!("<File TOI=\"1\" Content-Location=\"a\" Content-Length=\"{length}\"/>")])
    });
}

#[test]
fn no_oti_in_the_fdt() {
    let style = Style { fti_on_objects: true, ..Style::default() };
    comes_out(&style, |_| instance("", &["<File TOI=\"1\" Content-Location=\"a\"/>".to_owned()]));
}

#[test]
fn no_transfer_length() {
    comes_out(&Style::default(), |length| plain(length).replace("Transfer-Length", "Content-Length"));
}

#[test]
fn header_widths() {
    for (tsi, toi) in [(16, 16), (32, 32), (48, 48), (32, 64), (16, 112), (48, 112), (32, 96)] {
        comes_out(&Style { widths: HeaderWidths { tsi, toi }, ..Style::default() }, plain);
    }
}

#[test]
fn wide_identifiers() {
    let content = content(5000, 2);
    let oti = no_code(5000, 1000, 16);
    let toi = (1 << 111) + 5;
    let style = Style { tsi: (1 << 48) - 1, widths: HeaderWidths::default(), ..Style::default() };
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &instance("", &[file(toi, "a", &oti, "")])));
    harness.push_all(&style.object(toi, &oti, &content));
    assert_eq!(harness.take(), [content]);
}

#[test]
fn encoded_fdt() {
    for encoding in [ContentEncoding::Null, ContentEncoding::Zlib, ContentEncoding::Deflate, ContentEncoding::Gzip] {
        let content = content(3000, 3);
        let oti = no_code(3000, 1000, 16);
        let style = Style::default();
        let mut harness = Harness::default();
        harness.push_all(&style.encoded_fdt(0, encoding, &plain(3000)));
        harness.push_all(&style.object(1, &oti, &content));
        assert_eq!(harness.take(), [content], "{encoding:?}");
    }
}

#[test]
fn sender_current_time() {
    use flute_proto::Time;
    let now = Time::from_unix(std::time::Duration::from_secs(START));
    comes_out(&Style { sender_current_time: Some(now), ..Style::default() }, plain);
}

/// RFC 3451 has two words behind the TOI where T and R are set; RFC 5651 ignores the two bits (RFC 6726 §11.1).
#[test]
fn times_in_the_header() {
    comes_out(&Style { version: 1, times: true, ..Style::default() }, plain);

    let content = content(3000, 3);
    let oti = no_code(3000, 1000, 16);
    let style = Style::default();
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &plain(3000)));
    for mut packet in style.object(1, &oti, &content) {
        packet[1] |= 0x0C;
        harness.push(&packet);
    }
    assert_eq!(harness.take(), [content]);
}

#[test]
fn psi_bits() {
    for psi in 1..4 {
        comes_out(&Style { psi, ..Style::default() }, plain);
    }
}

#[test]
fn several_symbols_per_packet() {
    for (symbols_per_packet, padded) in [(2, false), (3, true), (16, false), (1, true)] {
        comes_out(&Style { symbols_per_packet, padded, ..Style::default() }, plain);
    }
}

#[test]
fn data_before_the_fdt_and_only_once() {
    for fti_on_objects in [false, true] {
        let content = content(100_001, 4);
        let oti = no_code(content.len() as u64, 1000, 16);
        let style = Style { fti_on_objects, ..Style::default() };
        let mut harness = Harness::default();
        harness.push_all(&style.object(1, &oti, &content));
        assert!(harness.objects.is_empty());
        harness.push_all(&style.fdt(0, &plain(content.len() as u64)));
        assert_eq!(harness.take(), [content]);
        harness.finish();
        assert_eq!(harness.failures(), []);
    }
}

/// The FDT comes in the middle of an object.
#[test]
fn some_data_before_the_fdt() {
    let content = content(100_001, 5);
    let oti = no_code(content.len() as u64, 1000, 16);
    let style = Style::default();
    let mut packets = style.object(1, &oti, &content);
    packets.splice(50..50, style.fdt(0, &plain(content.len() as u64)));
    let mut harness = Harness::default();
    harness.push_all(&packets);
    assert_eq!(harness.take(), [content]);
    assert_eq!(harness.stats().memory, harness_memory_of_one_object());
}

/// What a session keeps after it has received one object, and knows one FDT Instance: no byte of the content.
fn harness_memory_of_one_object() -> u64 {
    let content = content(100_001, 5);
    let oti = no_code(content.len() as u64, 1000, 16);
    let style = Style::default();
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &plain(content.len() as u64)));
    harness.push_all(&style.object(1, &oti, &content));
    assert!(harness.stats().memory < 10_000);
    harness.stats().memory
}

#[test]
fn leading_close_session_packet() {
    let content = content(5000, 6);
    let oti = no_code(5000, 1000, 16);
    let style = Style { tsi: 7, widths: HeaderWidths { tsi: 32, toi: 32 }, ..Style::default() };
    let mut harness = Harness::default();
    harness.push(&style.close());
    harness.pass(5);
    harness.push_all(&style.fdt(0, &plain(5000)));
    harness.push_all(&style.object(1, &oti, &content));
    assert_eq!(harness.take(), [content]);
    assert_eq!(harness.closed(), []);
}

#[test]
fn empty_file() {
    let style = Style::default();
    for length in ["Transfer-Length=\"0\" Content-Length=\"0\"", "Content-Length=\"0\"", "Transfer-Length=\"0\""] {
        let mut harness = Harness::default();
        let oti = "FEC-OTI-FEC-Encoding-ID=\"0\" FEC-OTI-Maximum-Source-Block-Length=\"16\" \
                   FEC-OTI-Encoding-Symbol-Length=\"1000\"";
        let files = [format!("<File TOI=\"1\" Content-Location=\"empty\" {length} {oti}/>")];
        harness.push_all(&style.fdt(0, &instance("", &files)));
        assert_eq!(harness.take(), [Vec::<u8>::new()], "{length}");
        harness.push_all(&style.fdt(1, &instance("", &files)));
        assert!(harness.objects.is_empty(), "{length}");
    }
}

#[test]
fn last_two_packets_swapped() {
    let content = content(100_001, 7);
    let oti = no_code(content.len() as u64, 1000, 16);
    let style = Style { close_object: true, ..Style::default() };
    let mut packets = style.object(1, &oti, &content);
    let last = packets.len() - 1;
    packets.swap(last, last - 1);
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &plain(content.len() as u64)));
    harness.push_all(&packets);
    assert_eq!(harness.take(), [content]);
}

#[test]
fn many_source_blocks() {
    for (length, symbol_size, block) in [(1_300_000, 1400, 1), (1_300_000, 1000, 7), (65_536, 1, 1), (60_000, 20, 3)] {
        let content = content(length, 12);
        let oti = no_code(length as u64, symbol_size, block);
        let mut harness = Harness::default();
        harness.push_all(&Style::default().fdt(0, &instance("", &[file(1, "a", &oti, "")])));
        harness.push_all(&Style::default().object(1, &oti, &content));
        assert!(harness.take() == [content], "{length} bytes, symbols of {symbol_size}, blocks of {block}");
    }
}

/// 20 MiB without a code, one packet lost per cycle of the carousel, each time another.
#[test]
fn a_carousel_completes_in_the_second_cycle() {
    let content = content(20 << 20, 8);
    let oti = no_code(content.len() as u64, 1400, 64);
    let style = Style::default();
    let packets = style.object(1, &oti, &content);
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
    let mut random = Random(3);
    let lost = random.below(packets.len() as u64) as usize;
    let without = |lost| packets.iter().enumerate().filter(move |(index, _)| *index != lost).map(|(_, packet)| packet);
    harness.push_all(without(lost));
    assert!(harness.objects.is_empty());
    // The packet that is missing completes it, and not one before or after; that another is lost now does not matter.
    let lost_now = random.below(lost as u64) as usize;
    harness.push_all(without(lost_now).take(lost - 1));
    assert!(harness.objects.is_empty());
    harness.push(&packets[lost]);
    assert!(harness.take() == [content]);
}

/// Who joins a carousel at any place has the object after exactly one cycle.
#[test]
fn a_late_joiner_needs_one_cycle() {
    let content = content(1_000_000, 9);
    let oti = no_code(content.len() as u64, 1000, 64);
    let style = Style::default();
    let packets = style.object(1, &oti, &content);
    for join in [0, 1, 600, 999] {
        let mut harness = Harness::default();
        harness.push_all(&style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
        let cycle: Vec<_> = packets[join..].iter().chain(&packets[..join]).collect();
        let (last, others) = cycle.split_last().unwrap();
        harness.push_all(others.iter().copied());
        assert!(harness.objects.is_empty(), "joined at {join}");
        harness.push(last);
        assert!(harness.take() == [content.clone()], "joined at {join}");
        // The next cycle brings nothing new.
        harness.push_all(&packets);
        assert!(harness.objects.is_empty());
        assert_eq!(harness.stats().duplicates, 1000);
    }
}

#[test]
fn any_order_with_duplicates() {
    let content = content(300_000, 10);
    let oti = no_code(content.len() as u64, 1000, 64);
    let style = Style::default();
    let mut packets = style.object(1, &oti, &content);
    packets.extend(packets.clone());
    packets.extend(style.fdt(0, &instance("", &[file(1, "a", &oti, "")])));
    for seed in 1..20 {
        Random(seed).shuffle(&mut packets);
        let mut harness = Harness::default();
        harness.push_all(&packets);
        assert!(harness.take() == [content.clone()], "seed {seed}");
    }
}

/// NTP era 1 begins on 2036-02-07 06:28:16 UTC, Unix time 2085978496.
#[test]
fn past_2036() {
    for start in [2_085_978_490, 2_085_978_496, 2_085_978_500, 2_150_000_000] {
        let content = content(5000, 11);
        let oti = no_code(5000, 1000, 16);
        let style = Style::default();
        let mut harness = Harness::starting_at(Default::default(), start);
        let xml = crate::crafted::instance_until(start + 10, "", &[file(1, "a", &oti, "")]);
        harness.push_all(&style.fdt(0, &xml));
        harness.pass(5);
        harness.push_all(&style.object(1, &oti, &content));
        assert_eq!(harness.take(), [content], "{start}");
    }
}
