// SPDX-License-Identifier: MPL-2.0

use super::*;
use crate::oti::FecEncodingId;
use crate::profile::Profile;

fn read(document: &str) -> Parsed {
    FdtInstance::from_xml(document.as_bytes(), &ReadLimits::default()).unwrap()
}

#[test]
fn rfc6726_minimum() {
    let parsed = read(
        r#"<?xml version="1.0"?><FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" Expires="3900000000">
           <File Content-Location="a.bin" TOI="01" Content-Length=" 10 " FEC-OTI-FEC-Encoding-ID="0"/></FDT-Instance>"#,
    );
    assert_eq!(parsed.rejected, []);
    assert_eq!(parsed.instance.expires, 3_900_000_000);
    let file = &parsed.instance.files[0];
    assert_eq!((file.content_location.as_str(), file.toi.get(), file.content_length), ("a.bin", 1, Some(10)));
    assert_eq!(file.oti.encoding_id, Some(FecEncodingId::NO_CODE));
    for profile in [Profile::Rfc6726, Profile::Rfc3926, Profile::Mbms, Profile::Mbms2022, Profile::DvbMabr] {
        let xml = parsed.instance.to_xml(profile).unwrap();
        assert_eq!(read(&xml), parsed, "{xml}");
    }
}
