// SPDX-License-Identifier: MPL-2.0

use super::*;
use crate::content::ContentEncoding;
use crate::lct::Toi;

#[test]
fn names() {
    for (name, profile) in ["rfc6726", "rfc3926", "mbms", "mbms-2022", "dvb-mabr"].into_iter().zip(Profile::ALL) {
        assert_eq!(name.parse(), Ok(profile));
        assert_eq!(profile.to_string(), name);
    }
    let error = "mbms-2005".parse::<Profile>().unwrap_err();
    assert!(error.to_string().contains("`mbms-2022`"), "{error}");
}

#[test]
fn versions() {
    // RFC 6726 §3.4.1 and RFC 3926 §3.4.1; TS 26.346 7.2 and TS 103 769 Annex F stand on the latter.
    let versions = Profile::ALL.map(|profile| profile.rules().flute_version);
    assert_eq!(versions, [2, 1, 1, 1, 1]);
}

#[test]
fn a_message_names_the_clause() {
    let forbidden = Profile::Mbms.check(Feature::Complete).unwrap_err();
    assert_eq!(forbidden.to_string(), "the attribute `Complete` is not allowed by TS 26.346 L.4.2");
    assert_eq!(Profile::Rfc6726.check(Feature::Complete), Ok(()));
}

#[test]
fn content_encodings() {
    let allowed = |profile: Profile| {
        [ContentEncoding::Null, ContentEncoding::Zlib, ContentEncoding::Deflate, ContentEncoding::Gzip]
            .map(|encoding| profile.check(Feature::ContentEncoding(encoding)).is_ok())
    };
    assert_eq!(allowed(Profile::Rfc6726), [true, true, false, true]);
    assert_eq!(allowed(Profile::Rfc3926), [true, true, false, true]);
    assert_eq!(allowed(Profile::Mbms), [true, false, false, false]);
    assert_eq!(allowed(Profile::Mbms2022), [true, false, false, true]);
    assert_eq!(allowed(Profile::DvbMabr), [true, false, false, false]);
    let fdt = Profile::ALL.map(|profile| profile.check(Feature::FdtContentEncoding).is_ok());
    assert_eq!(fdt, [true, true, false, false, false]);
}

#[test]
fn fec_schemes() {
    let allowed = |profile: Profile| [0, 1, 2, 5, 6, 129].map(|id| profile.check_fec(FecEncodingId(id)).is_ok());
    assert_eq!(allowed(Profile::Rfc6726), [true; 6]);
    assert_eq!(allowed(Profile::Mbms), [true, true, false, false, false, false]);
    assert_eq!(allowed(Profile::DvbMabr), [true, true, true, true, true, false]);
}

#[test]
fn widths() {
    let any = HeaderWidths::default();
    let tsi = |number| Tsi::new(number).unwrap();
    let wide = HeaderWidths { tsi: 32, toi: 32 };
    assert_eq!(Profile::Rfc6726.widths(wide, tsi(1)), Ok(wide));
    assert_eq!(Profile::Mbms.widths(any, tsi(0xFFFF)), Ok(HeaderWidths { tsi: 16, toi: 0 }));
    // TS 26.346 7.2.7: the TOI should have 16 bits, the TSI shall.
    assert_eq!(Profile::Mbms.widths(HeaderWidths { tsi: 0, toi: 48 }, tsi(1)), Ok(HeaderWidths { tsi: 16, toi: 48 }));
    let forbidden = Err(Forbidden { what: "a TSI of another width than 16 bits", clause: "TS 26.346 7.2.7" });
    assert_eq!(Profile::Mbms.widths(wide, tsi(1)), forbidden);
    assert_eq!(Profile::DvbMabr.widths(any, tsi(0x1_0000)), forbidden);
}

#[test]
fn files() {
    let file = File {
        content_location: "a".to_owned(),
        toi: Toi::new(1).unwrap(),
        content_length: Some(1),
        content_type: Some("text/plain".to_owned()),
        ..File::default()
    };
    let all = |file: &File| Profile::ALL.map(|profile| profile.check_file(file).is_ok());
    assert_eq!(all(&file), [true; 5]);
    assert_eq!(all(&File { content_type: None, ..file.clone() }), [true, true, false, false, false]);
    assert_eq!(all(&File { content_length: None, ..file.clone() }), [true, true, false, false, false]);
    assert_eq!(all(&File { transfer_length: Some(1), ..file.clone() }), [true, true, false, true, false]);
    assert_eq!(all(&File { groups: vec!["g".to_owned()], ..file.clone() }), [true, true, false, false, false]);
    assert_eq!(all(&File { expires: Some(1), ..file.clone() }), [false, false, false, true, true]);
    let gzip = File { content_encoding: Some("gzip".to_owned()), ..file };
    assert_eq!(all(&gzip), [true, true, false, true, false]);
}

#[test]
fn instances() {
    let all = |instance: &FdtInstance| Profile::ALL.map(|profile| profile.check_instance(instance).is_ok());
    assert_eq!(all(&FdtInstance::default()), [true; 5]);
    assert_eq!(all(&FdtInstance { complete: true, ..Default::default() }), [true, true, false, false, false]);
    assert_eq!(all(&FdtInstance { full_fdt: true, ..Default::default() }), [true, true, false, false, false]);
    let base = FdtInstance { base_url_1: vec!["http://a/".to_owned()], ..Default::default() };
    assert_eq!(all(&base), [true, true, true, false, false]);
}
