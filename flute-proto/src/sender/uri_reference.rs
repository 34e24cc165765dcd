// SPDX-License-Identifier: MPL-2.0

//! Content-Location is a URI (RFC 6726 §3.4.2), and users have file names.

use std::borrow::Cow;
use std::fmt::Write;

/// `location` with every character percent-encoded that a URI reference does not have (RFC 3986 §2, RFC 3987 §3.1).
/// What is a URI already stays as it is, and so does its meaning: escapes that are there are not encoded again.
pub(super) fn uri_reference(location: &str) -> Cow<'_, str> {
    let bytes = location.as_bytes();
    let fragment = location.find('#');
    // Brackets stand around an IPv6 address in the authority, and nowhere else.
    let address = location.find("//[").filter(|start| !location[..*start].contains('/')).and_then(|start| {
        let length = location[start..].find(']')?;
        Some(start + 2..=start + length)
    });
    let is_legal = |index: usize| match bytes[index] {
        b'%' => bytes.get(index + 1..index + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        b'#' => fragment == Some(index),
        b'[' | b']' => address.as_ref().is_some_and(|address| address.contains(&index)),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=".contains(&byte),
    };
    if (0..bytes.len()).all(is_legal) {
        return Cow::Borrowed(location);
    }
    let mut uri = String::with_capacity(bytes.len() + 16);
    for (index, byte) in bytes.iter().enumerate() {
        if is_legal(index) {
            uri.push((*byte).into());
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    Cow::Owned(uri)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uri_stays_as_it_is() {
        // The examples of RFC 3986 §1.1.2.
        for uri in [
            "ftp://ftp.is.co.za/rfc/rfc1808.txt",
            "http://www.ietf.org/rfc/rfc2396.txt",
            "ldap://[2001:db8::7]/c=GB?objectClass?one",
            "mailto:John.Doe@example.com",
            "news:comp.infosystems.www.servers.unix",
            "tel:+1-816-555-1212",
            "telnet://192.0.2.16:80/",
            "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
            "segment%201.m4s?a=b#chunk",
            "../~user/$%26!'()*,;=:@-._",
            "",
        ] {
            assert_eq!(uri_reference(uri), uri);
        }
    }

    #[test]
    fn a_file_name_becomes_a_uri() {
        assert_eq!(uri_reference("my film [1].mp4"), "my%20film%20%5B1%5D.mp4");
        assert_eq!(uri_reference("Grüße/日.txt"), "Gr%C3%BC%C3%9Fe/%E6%97%A5.txt");
        assert_eq!(uri_reference("100%.txt"), "100%25.txt");
        assert_eq!(uri_reference("a\\b|c^`{}<>\"\u{7f}"), "a%5Cb%7Cc%5E%60%7B%7D%3C%3E%22%7F");
        assert_eq!(uri_reference("a#b#c"), "a#b%23c");
        assert_eq!(uri_reference("x/y//[1]"), "x/y//%5B1%5D");
    }

    proptest! {
        #[test]
        fn twice_is_once(location: String) {
            let uri = uri_reference(&location);
            prop_assert_eq!(&uri_reference(&uri), &uri);
        }
    }
}
