// SPDX-License-Identifier: MPL-2.0

//! The FDT database: complementary instances, expiry, versions, restarted senders.

use std::time::Duration;

use flute_proto::Time;
use flute_proto::receiver::{Event, Mode, ReceiverConfig};

use crate::crafted::{Harness, START, Style, content, file, instance, instance_until, no_code};

const SIZE: usize = 5000;

/// Pushes an instance that describes these TOIs and locations, all of [`SIZE`] bytes.
fn describe(harness: &mut Harness, instance_id: u32, more: &str, files: &[(u128, &str)]) {
    let oti = no_code(SIZE as u64, 1000, 16);
    let files: Vec<_> = files.iter().map(|(toi, location)| file(*toi, location, &oti, "")).collect();
    harness.push_all(&Style::default().fdt(instance_id, &instance(more, &files)));
}

fn packets(toi: u128, content: &[u8]) -> Vec<Vec<u8>> {
    Style::default().object(toi, &no_code(content.len() as u64, 1000, 16), content)
}

#[test]
fn complementary_instances_deliver_once() {
    let mut harness = Harness::default();
    let objects = [content(SIZE, 1), content(SIZE, 2)];
    describe(&mut harness, 0, "", &[(1, "a")]);
    describe(&mut harness, 1, "", &[(2, "b")]);
    harness.push_all(&packets(2, &objects[1]));
    harness.push_all(&packets(1, &objects[0]));
    assert_eq!(harness.take(), [objects[1].clone(), objects[0].clone()]);
    describe(&mut harness, 2, "", &[(1, "a"), (2, "b")]);
    harness.push_all(&packets(1, &objects[0]));
    harness.push_all(&packets(2, &objects[1]));
    assert!(harness.objects.is_empty());
    assert_eq!(harness.stats().fdt_instances, 3);
}

/// RFC 6726 §3.3: packets received after the expiry are not interpreted by the instance.
#[test]
fn expired_instance() {
    let object = content(SIZE, 1);
    let oti = no_code(SIZE as u64, 1000, 16);
    let xml = instance_until(START + 10, "", &[file(1, "a", &oti, "")]);
    let mut harness = Harness::default();
    harness.push_all(&Style::default().fdt(0, &xml));
    harness.pass(60);
    assert_eq!(harness.failures(), [(1, "Expired".to_owned())]);
    harness.push_all(&packets(1, &object));
    assert!(harness.objects.is_empty());
    // The symbols are kept all the same, and a new instance makes them an object.
    describe(&mut harness, 1, "", &[(1, "a")]);
    assert_eq!(harness.take(), [object]);
}

/// A file is known until the highest expiry of the instances that describe it.
#[test]
fn highest_expiry() {
    let object = content(SIZE, 1);
    let oti = no_code(SIZE as u64, 1000, 16);
    let files = [file(1, "a", &oti, "")];
    let mut harness = Harness::default();
    for (id, until) in [(0, 10), (1, 100), (2, 20)] {
        harness.push_all(&Style::default().fdt(id, &instance_until(START + until, "", &files)));
    }
    harness.pass(90);
    harness.push_all(&packets(1, &object));
    assert_eq!(harness.take(), [object]);
    assert_eq!(harness.failures(), []);
}

/// The sender's clock is 1000 s behind or ahead, which EXT_TIME shows.
#[test]
fn expiry_by_the_senders_clock() {
    let oti = no_code(SIZE as u64, 1000, 16);
    for sender in [START - 1000, START + 1000] {
        let now = Time::from_unix(Duration::from_secs(sender));
        let style = Style { sender_current_time: Some(now), ..Style::default() };
        let xml = instance_until(sender + 10, "", &[file(1, "a", &oti, "")]);
        let object = content(SIZE, 1);
        let mut harness = Harness::default();
        harness.push_all(&style.fdt(0, &xml));
        harness.pass(9);
        harness.push_all(&packets(1, &object)[..4]);
        harness.pass(1);
        harness.push_all(&packets(1, &object)[4..]);
        assert_eq!(harness.take(), [object]);

        let mut harness = Harness::default();
        harness.push_all(&style.fdt(0, &xml));
        harness.pass(15);
        assert_eq!(harness.failures(), [(1, "Expired".to_owned())]);
    }
}

/// Expired when it was sent, by the sender's own clock.
#[test]
fn expired_before_it_was_sent() {
    let oti = no_code(SIZE as u64, 1000, 16);
    let now = Time::from_unix(Duration::from_secs(START));
    let style = Style { sender_current_time: Some(now), ..Style::default() };
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &instance_until(START - 1, "", &[file(1, "a", &oti, "")])));
    harness.push_all(&packets(1, &content(SIZE, 1)));
    assert!(harness.objects.is_empty());
    assert_eq!(harness.stats().fdt_instances, 0);
}

/// Without EXT_TIME an instance that has expired when it arrives shows that the clocks do not agree, as in a replay.
#[test]
fn clocks_that_do_not_agree() {
    let object = content(SIZE, 1);
    let oti = no_code(SIZE as u64, 1000, 16);
    let mut harness = Harness::default();
    harness.push_all(&Style::default().fdt(0, &instance_until(START - 100_000, "", &[file(1, "a", &oti, "")])));
    harness.pass(5);
    harness.push_all(&packets(1, &object));
    assert_eq!(harness.take(), [object]);
}

#[test]
fn full_table_withdraws_what_it_does_not_list() {
    let object = content(SIZE, 1);
    let mut harness = Harness::default();
    describe(&mut harness, 0, "", &[(1, "a"), (2, "b")]);
    harness.push_all(&packets(1, &object)[..4]);
    let full = "xmlns:mbms2008=\"urn:3GPP:metadata:2008:MBMS:FLUTE:FDT_ext\" mbms2008:FullFDT=\"true\"";
    describe(&mut harness, 1, full, &[(2, "b")]);
    // Late packets still count.
    harness.push_all(&packets(1, &object)[4..]);
    assert_eq!(harness.take(), std::slice::from_ref(&object));
    describe(&mut harness, 2, full, &[(3, "c")]);
    // One that is older than it withdraws nothing.
    describe(&mut harness, 1, full, &[(2, "b")]);
    harness.pass(20);
    assert_eq!(harness.failures(), [(2, "Expired".to_owned())]);
    harness.push_all(&packets(2, &object));
    assert!(harness.objects.is_empty());
    harness.push_all(&packets(3, &object));
    assert_eq!(harness.take(), [object]);
}

/// The same Content-Location with a new TOI is a new version; once it is there, the older one is not waited for.
#[test]
fn new_version_of_a_location() {
    let versions = [content(SIZE, 1), content(SIZE, 2)];
    let mut harness = Harness::default();
    describe(&mut harness, 0, "", &[(1, "a")]);
    harness.push_all(&packets(1, &versions[0])[..4]);
    describe(&mut harness, 1, "", &[(2, "a")]);
    harness.push_all(&packets(2, &versions[1]));
    assert_eq!(harness.take(), [versions[1].clone()]);
    assert_eq!(harness.failures(), [(1, "Superseded".to_owned())]);
    harness.push_all(&packets(1, &versions[0]));
    assert!(harness.objects.is_empty());
}

/// A carousel may keep two versions, and describe both.
#[test]
fn two_versions_side_by_side() {
    let versions = [content(SIZE, 1), content(SIZE, 2)];
    let mut harness = Harness::default();
    describe(&mut harness, 0, "", &[(1, "a"), (2, "a")]);
    harness.push_all(&packets(2, &versions[1]));
    harness.push_all(&packets(1, &versions[0]));
    assert_eq!(harness.take(), [versions[1].clone(), versions[0].clone()]);
    assert_eq!(harness.failures(), []);
}

#[test]
fn modes() {
    for (mode, expected) in
        [(Mode::Everything, vec![1, 2, 3]), (Mode::OncePerLocation, vec![1, 3]), (Mode::KeepUpdated, vec![1, 2, 3])]
    {
        let mut harness = Harness::new(ReceiverConfig::default().mode(mode));
        for (id, toi, location) in [(0, 1, "a"), (1, 2, "a"), (2, 3, "b")] {
            describe(&mut harness, id, "", &[(toi, location)]);
            harness.push_all(&packets(toi, &content(SIZE, toi as u64)));
            harness.push_all(&packets(toi, &content(SIZE, toi as u64)));
        }
        let tois: Vec<_> = harness.objects.iter().map(|(object, _)| object.toi().get()).collect();
        assert_eq!(tois, expected, "{mode:?}");
        assert_eq!(harness.failures(), []);
    }
}

/// Only the latest version counts as soon as it is described.
#[test]
fn keep_updated_drops_the_older_version_at_once() {
    let mut harness = Harness::new(ReceiverConfig::default().mode(Mode::KeepUpdated));
    describe(&mut harness, 0, "", &[(1, "a")]);
    harness.push_all(&packets(1, &content(SIZE, 1))[..4]);
    describe(&mut harness, 1, "", &[(2, "a")]);
    assert_eq!(harness.failures(), [(1, "Superseded".to_owned())]);
}

/// A sender that is started again uses instance 0 and TOI 1 again.
#[test]
fn restarted_sender() {
    let (old, new) = (content(SIZE, 1), content(SIZE + 1, 2));
    for complete_before in [true, false] {
        let mut harness = Harness::default();
        describe(&mut harness, 0, "", &[(1, "a")]);
        let before = packets(1, &old);
        harness.push_all(&before[..if complete_before { before.len() } else { 3 }]);
        assert_eq!(harness.take().len(), usize::from(complete_before));
        let oti = no_code(SIZE as u64 + 1, 1000, 16);
        harness.push_all(&Style::default().fdt(0, &instance("", &[file(1, "other", &oti, "")])));
        harness.push_all(&packets(1, &new));
        assert_eq!(harness.take(), std::slice::from_ref(&new));
        let superseded = [(1, "Superseded".to_owned())];
        assert_eq!(harness.failures(), if complete_before { &[][..] } else { &superseded });
    }
}

/// The description is the same, the content is not: what is sent shows it.
#[test]
fn restarted_sender_with_the_same_description() {
    let (old, new) = (content(SIZE, 1), content(SIZE, 2));
    let mut harness = Harness::default();
    describe(&mut harness, 0, "", &[(1, "a")]);
    harness.push_all(&packets(1, &old));
    harness.push_all(&packets(1, &old));
    assert_eq!(harness.take(), [old]);
    describe(&mut harness, 1, "", &[(1, "a")]);
    harness.push_all(&packets(1, &new));
    assert_eq!(harness.take(), [new]);
}

/// It begins with data, and its FDT comes later.
#[test]
fn restarted_sender_with_data_first() {
    let (old, new) = (content(SIZE, 1), content(SIZE + 1, 2));
    let mut harness = Harness::default();
    describe(&mut harness, 0, "", &[(1, "a")]);
    harness.push_all(&packets(1, &old));
    harness.take();
    let style = Style { fti_on_objects: true, ..Style::default() };
    let oti = no_code(SIZE as u64 + 1, 1000, 16);
    harness.push_all(&style.object(1, &oti, &new));
    assert!(harness.objects.is_empty());
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "other", &oti, "")])));
    assert_eq!(harness.objects[0].0.location(), "other");
    assert_eq!(harness.take(), [new]);
}

/// EXT_FTI goes before the FDT (RFC 6726 §5).
#[test]
fn contradicting_oti() {
    let object = content(SIZE, 1);
    let style = Style { fti_on_objects: true, ..Style::default() };
    let wrong = file(1, "a", &no_code(77, 10, 1), "");
    for data_first in [true, false] {
        let mut harness = Harness::default();
        let data = style.object(1, &no_code(SIZE as u64, 1000, 16), &object);
        let fdt = style.fdt(0, &instance("", std::slice::from_ref(&wrong)));
        let (one, two) = if data_first { (&data, &fdt) } else { (&fdt, &data) };
        harness.push_all(one);
        harness.push_all(two);
        assert_eq!(harness.objects[0].0.transfer_length, SIZE as u64);
        assert_eq!(harness.take(), std::slice::from_ref(&object));
    }
}

/// EXT_FTI is not on every packet, and there is no other FEC OTI.
#[test]
fn oti_on_one_packet_only() {
    let object = content(SIZE, 1);
    let oti = no_code(SIZE as u64, 1000, 16);
    let mut data = packets(1, &object);
    data[3] = Style { fti_on_objects: true, ..Style::default() }.object(1, &oti, &object)[3].clone();
    let mut harness = Harness::default();
    harness.push_all(&Style::default().fdt(0, &instance("", &["<File TOI=\"1\" Content-Location=\"a\"/>".to_owned()])));
    harness.push_all(&data);
    assert_eq!(harness.take(), [object]);
}

/// A bad entry loses that entry, not the instance.
#[test]
fn bad_entry() {
    let object = content(SIZE, 1);
    let oti = no_code(SIZE as u64, 1000, 16);
    let files = ["<File TOI=\"x\" Content-Location=\"b\"/>".to_owned(), file(1, "a", &oti, "")];
    let mut harness = Harness::default();
    harness.push_all(&Style::default().fdt(0, &instance("", &files)));
    assert!(harness.events.iter().any(|event| matches!(event, Event::Fdt { files: 1, rejected: 1, .. })));
    harness.push_all(&packets(1, &object));
    assert_eq!(harness.take(), [object]);
}

/// What cannot be decoded is not delivered encoded.
#[test]
fn unknown_encoding_and_unknown_scheme() {
    let mut harness = Harness::default();
    let oti = no_code(SIZE as u64, 1000, 16);
    let files = [
        file(1, "a", &oti, "Content-Encoding=\"br\""),
        file(2, "b", &oti, "").replace("Encoding-ID=\"0\"", "Encoding-ID=\"77\""),
    ];
    harness.push_all(&Style::default().fdt(0, &instance("", &files)));
    harness.push_all(&packets(1, &content(SIZE, 1)));
    harness.push_all(&packets(2, &content(SIZE, 1)));
    assert!(harness.objects.is_empty());
    assert_eq!(harness.failures().iter().map(|(toi, _)| *toi).collect::<Vec<_>>(), [1, 2]);
    assert!(harness.failures().iter().all(|(_, reason)| reason.starts_with("Description")));
    assert_eq!(harness.stats().failed, 2);
}

/// An instance in several packets, out of order, with a repeated packet.
#[test]
fn long_instance() {
    let object = content(SIZE, 1);
    let oti = no_code(SIZE as u64, 1000, 16);
    let files: Vec<_> = (1..100).map(|toi| file(toi, &format!("file {toi}"), &oti, "")).collect();
    let mut fdt = Style::default().fdt(0, &instance("", &files));
    assert!(fdt.len() > 10);
    fdt.reverse();
    fdt.push(fdt[3].clone());
    let mut harness = Harness::default();
    harness.push_all(&fdt);
    harness.push_all(&packets(55, &object));
    assert_eq!(harness.take(), [object]);
    assert_eq!(harness.stats().fdt_instances, 1);
}

/// The FDT Instances of a sender that has been restarted overtake each other: both have IDs that were used before, and
/// the order of their IDs is still that of the versions of a file.
#[test]
fn instances_of_a_restarted_sender_out_of_order() {
    let style = Style::default();
    let mut harness = Harness::default();
    for (life, order) in [(0, [0, 1]), (1, [1, 0]), (2, [0, 1]), (3, [1, 0])] {
        let versions = [0, 1].map(|version| content(3000 + 100 * life + version, 1));
        let otis = [0, 1].map(|version: usize| no_code(versions[version].len() as u64, 1000, 16));
        for version in order {
            let xml = instance("", &[file(1 + version as u128, "a", &otis[version], "")]);
            harness.push_all(&style.fdt(version as u32, &xml));
        }
        for version in [0, 1] {
            harness.push_all(&style.object(1 + version as u128, &otis[version], &versions[version]));
        }
        assert_eq!(harness.take(), versions, "life {life}");
    }
    assert_eq!(harness.failures(), []);
}

/// The TOI of an object that was delivered stands for another: the packets that came before its description do not make
/// the old one a lost one.
#[test]
fn a_delivered_object_is_not_lost_with_its_toi() {
    let style = Style::default();
    let (old, new) = (content(3000, 1), content(3001, 2));
    let (old_oti, new_oti) = (no_code(3000, 1000, 16), no_code(3001, 1000, 16));
    let mut harness = Harness::default();
    harness.push_all(&style.fdt(0, &instance("", &[file(1, "old", &old_oti, "")])));
    harness.push_all(&style.object(1, &old_oti, &old));
    assert!(harness.take() == [old]);
    harness.push_all(&style.object(1, &new_oti, &new)[..2]);
    harness.push_all(&style.fdt(1, &instance("", &[file(1, "new", &new_oti, "")])));
    harness.push_all(&style.object(1, &new_oti, &new));
    assert!(harness.take() == [new]);
    harness.finish();
    assert_eq!(harness.failures(), []);
}

#[test]
fn base_urls_are_told_with_each_object() {
    let mut harness = Harness::default();
    let oti = no_code(SIZE as u64, 1000, 16);
    let urls = "<Base-URL-1 xmlns=\"urn:3GPP:metadata:2012:MBMS:FLUTE:FDT\">http://r.example.com/</Base-URL-1>\
                <Base-URL-2 xmlns=\"urn:3GPP:metadata:2012:MBMS:FLUTE:FDT\">http://s.example.com/</Base-URL-2>";
    let fdt = instance("", &[file(1, "a", &oti, ""), urls.to_owned()]);
    harness.push_all(&Style::default().fdt(0, &fdt));
    let base_urls = &harness.receiver.described_objects()[0].base_urls;
    assert_eq!(
        (&base_urls.first[..], &base_urls.second[..]),
        (&["http://r.example.com/".to_owned()][..], &["http://s.example.com/".to_owned()][..])
    );
}
