// SPDX-License-Identifier: MPL-2.0

//! TSI and TOI, header widths, profiles, and the end of a session.

use std::collections::HashSet;
use std::time::Duration;

use flute_proto::content::ContentEncoding;
use flute_proto::lct::{HeaderWidths, Toi, Tsi};
use flute_proto::profile::Profile;
use flute_proto::sender::{
    ConfigError, FdtPolicy, FecConfig, FecScheme, FinishPolicy, Object, ObjectError, Sender, SenderConfig,
};

use crate::harness::{Session, content, no_code, objects, start, tables};

fn object(name: &str) -> Object {
    let mut object = Object::new(name, content(10));
    object.content_type = Some("text/plain".to_owned());
    object
}

#[test]
fn tois_of_16_bits_run_out_with_an_error() {
    let fdt = FdtPolicy::default().lifetime(Duration::from_secs(10));
    let widths = HeaderWidths { tsi: 16, toi: 16 };
    let mut session = Session::new(SenderConfig::default().fdt(fdt).widths(widths).seed(3));
    let tois: HashSet<_> =
        (0..0xffff).map(|number| session.sender.add(object(&number.to_string()), session.now).unwrap()).collect();
    assert_eq!(tois.len(), 0xffff);
    assert!(!tois.contains(&Toi::FDT));
    assert!(matches!(session.sender.add(object("more"), session.now), Err(ObjectError::NoFreeToi)));
    // All have been sent, but FDT Instances that name them are valid.
    session.run_for(Duration::from_secs(8));
    assert_eq!(session.sender.stats().objects, 0);
    assert!(matches!(session.sender.add(object("more"), session.now), Err(ObjectError::NoFreeToi)));
    let mut taken = object("asked for");
    taken.toi = Toi::new(5);
    assert!(matches!(session.sender.add(taken, session.now), Err(ObjectError::ToiInUse(_))));
    session.run_for(Duration::from_secs(4));
    assert!(session.sender.add(object("more"), session.now).is_ok());
}

#[test]
fn tois_that_are_asked_for() {
    let mut session = Session::new(SenderConfig::default().first_toi(Toi::new(10)));
    let mut asked = object("a");
    asked.toi = Toi::new(11);
    assert_eq!(session.sender.add(asked, session.now).unwrap(), Toi::new(11).unwrap());
    assert_eq!(session.sender.add(object("b"), session.now).unwrap(), Toi::new(10).unwrap());
    assert_eq!(session.sender.add(object("c"), session.now).unwrap(), Toi::new(12).unwrap());
    let mut fdt = object("d");
    fdt.toi = Some(Toi::FDT);
    assert!(matches!(session.sender.add(fdt, session.now), Err(ObjectError::ToiInUse(Toi::FDT))));
    let mut wide = object("e");
    wide.toi = Toi::new(1 << 32);
    assert!(matches!(session.sender.add(wide, session.now), Err(ObjectError::ToiTooWide { bits: 32, .. })));
}

#[test]
fn the_first_toi_is_random() {
    let first = |seed, profile| {
        let mut session = Session::new(SenderConfig::default().seed(seed).profile(profile));
        session.sender.add(object("a"), session.now).unwrap().get()
    };
    for profile in Profile::ALL {
        let tois: HashSet<_> = (0..20).map(|seed| first(seed, profile)).collect();
        assert!(tois.len() > 18, "{profile}: {tois:?}");
        assert_eq!(first(7, profile), first(7, profile));
    }
}

#[test]
fn header_widths() {
    let widths = |config: SenderConfig| {
        let mut session = Session::new(config);
        session.sender.add(object("a"), session.now).unwrap();
        let sent = session.drain().0;
        let widths = sent[0].packet().header.widths;
        assert!(sent.iter().all(|sent| sent.packet().header.widths == widths));
        (widths.tsi, widths.toi)
    };
    let tsi = |tsi| SenderConfig::default().tsi(Tsi::new(tsi).unwrap());
    assert_eq!(widths(tsi(1)), (32, 32));
    assert_eq!(widths(tsi(1 << 40)), (48, 48));
    assert_eq!(widths(tsi(1).first_toi(Toi::new(1 << 100))), (16, 112));
    assert_eq!(widths(tsi(1).profile(Profile::Mbms)), (16, 16));
    let asked = |tsi_bits, toi| tsi(1).widths(HeaderWidths { tsi: tsi_bits, toi });
    assert_eq!(widths(asked(16, 16)), (16, 16));
    assert_eq!(widths(asked(0, 96)), (32, 96));
    assert!(matches!(Sender::new(asked(16, 32), start()), Err(ConfigError::Widths(_))));
    let wide = asked(16, 16).first_toi(Toi::new(70_000));
    assert!(matches!(Sender::new(wide, start()), Err(ConfigError::Widths(_))));
    // What is wanted is named, and what is not is left out.
    let error = Sender::new(tsi(70_000).widths(HeaderWidths { tsi: 16, toi: 0 }), start()).unwrap_err().to_string();
    assert!(error.starts_with("no LCT header has a TSI of 16 bits and a TOI that hold these identifiers"), "{error}");
}

#[test]
fn what_a_profile_forbids_names_its_clause() {
    let refused = |config: SenderConfig| Sender::new(config, start()).unwrap_err().to_string();
    let mbms = || SenderConfig::default().profile(Profile::Mbms);
    let error = refused(mbms().sender_current_time(true));
    assert_eq!(error, "the Sender Current Time is not allowed by TS 26.346 L.4.7");
    let error = refused(mbms().content_encoding(ContentEncoding::Gzip));
    let reason = "which leave no place for the length of an encoded object: send it without encoding";
    assert_eq!(error, format!("the content encoding `gzip` is not allowed by TS 26.346 L.4.2 and 7.2.8, {reason}"));
    let fec = FecConfig::default().scheme(FecScheme::RaptorQ);
    let allowed = "which has Compact No-Code (0) and Raptor (1)";
    assert_eq!(refused(mbms().fec(fec)), format!("this FEC scheme is not allowed by TS 26.346 7.2, {allowed}"));

    let mut session = Session::new(mbms());
    let untyped = Object::new("a", content(10));
    let error = session.sender.add(untyped, session.now).unwrap_err();
    assert_eq!(error.to_string(), "a file without `Content-Type` is not allowed by TS 26.346 L.4.2");
    let mut unwritable = object("a");
    unwritable.etag = Some("\u{1}".to_owned());
    let error = Session::new(SenderConfig::default()).sender.add(unwritable, start()).unwrap_err();
    assert!(matches!(error, ObjectError::Fdt(_)), "{error}");
}

#[test]
fn settings_that_cannot_be() {
    let refused = |config: SenderConfig| Sender::new(config, start()).unwrap_err();
    let fdt = FdtPolicy::default().lifetime(Duration::from_millis(999));
    assert!(matches!(refused(SenderConfig::default().fdt(fdt)), ConfigError::FdtLifetime(_)));
    let fdt = FdtPolicy::default().interval(Duration::ZERO);
    assert!(matches!(refused(SenderConfig::default().fdt(fdt)), ConfigError::FdtInterval(_)));
    let first_toi = Some(Toi::FDT);
    assert!(matches!(refused(SenderConfig::default().first_toi(first_toi)), ConfigError::FirstToi));
    assert!(matches!(refused(SenderConfig::default().fec(no_code(0, 64))), ConfigError::Fec(_)));
}

#[test]
fn a_session_is_closed_with_and_without_payload() {
    let close = |config: SenderConfig| {
        let mut session = Session::new(config);
        session.sender.add(object("a"), session.now).unwrap();
        session.sender.finish(FinishPolicy::default(), session.now);
        session.run_to_end()
    };
    // RFC 6726 §3.1: without payload there is no TOI.
    let sent = close(SenderConfig::default());
    let closing: Vec<_> = sent.iter().filter(|sent| sent.packet().header.close_session).collect();
    assert_eq!(closing.len(), 3);
    assert!(closing.iter().all(|sent| sent.toi().is_none() && sent.packet().payload.is_none()));

    // Where that is asked for, where there is no header without a TOI, and where a profile has none, the last table says it.
    for config in [
        SenderConfig::default().close_with_payload(true),
        SenderConfig::default().tsi(Tsi::new(1 << 40).unwrap()),
        SenderConfig::default().profile(Profile::Mbms),
    ] {
        let complete = config.profile == Profile::Rfc6726;
        let sent = close(config);
        let closing: Vec<_> = sent.iter().filter(|sent| sent.packet().header.close_session).cloned().collect();
        assert_eq!(tables(&closing).len(), 3);
        assert!(tables(&closing).iter().all(|table| table.1.complete == complete && table.1.files.len() == 1));
        // What was said once is said to the end.
        let first = sent.iter().position(|sent| sent.packet().header.close_session).unwrap();
        assert_eq!(sent.len() - first, closing.len());
    }

    let sent = close(SenderConfig::default().close_session(false));
    assert!(sent.iter().all(|sent| !sent.packet().header.close_session));
}

#[test]
fn extensions_of_packets() {
    let fdt = FdtPolicy::default().content_encoding(ContentEncoding::Zlib);
    let config = SenderConfig::default().fdt(fdt).sender_current_time(true).fti_on_objects(true);
    let mut session = Session::new(config);
    session.now = session.now + Duration::from_millis(2500);
    session.sender.add(object("a"), session.now).unwrap();
    let sent = session.drain().0;
    let table = sent[0].packet();
    assert_eq!(table.fdt.unwrap().flute_version, 2);
    assert_eq!(table.content_encoding, Some(1));
    let sct = table.time.unwrap().sender_current_time.unwrap();
    assert_eq!(sct.seconds, session.now.ntp_seconds());
    assert_eq!(sct.fraction, Some(1 << 31));
    // RFC 6726 §5: the FEC OTI of EXT_FTI and of the FDT are the same.
    let file = tables(&sent)[0].1.files[0].clone();
    let packet = objects(&sent)[0].clone();
    let oti = packet.packet().oti().unwrap().unwrap();
    assert_eq!(oti.attributes().unwrap(), file.oti);
    assert_eq!((packet.packet().fdt, packet.packet().content_encoding), (None, None));
}
