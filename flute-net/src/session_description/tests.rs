// SPDX-License-Identifier: MPL-2.0

use super::*;

fn parsed(text: &str) -> SessionDescription {
    text.parse().unwrap()
}

fn error(text: &str) -> String {
    text.parse::<SessionDescription>().unwrap_err().to_string()
}

/// The first example of the draft, §4.
const RESTRICTED: &str = "v=0\n\
    o=user123 2890844526 2890842807 IN IP6 2001:0DB8::112E:144A:1E24\n\
    s=File delivery session example\n\
    i=More information\n\
    t=2873397496 2873404696\n\
    a=source-filter: incl IN IP6 * 2001:0DB8:1:2:240:96FF:FE25:8EC9\n\
    a=flute-tsi:3\n\
    a=flute-ch:2\n\
    a=FEC-declaration:0 encoding-id=0\n\
    a=FEC-declaration:1 encoding-id=129; instance-id=0\n\
    m=application 12345 FLUTE/UDP *\n\
    c=IN IP6 FF33::8000:1\n\
    a=FEC:0\n\
    m=application 12346 FLUTE/UDP *\n\
    c=IN IP6 FF33::8000:2\n\
    a=FEC:1\n";

#[test]
fn one_session_of_two_channels() {
    let sdp = parsed(RESTRICTED);
    assert_eq!(sdp.time, (2_873_397_496, 2_873_404_696));
    let expected = DescribedSession {
        tsi: 3,
        source: "2001:db8:1:2:240:96ff:fe25:8ec9".parse().ok(),
        channels: vec!["[ff33::8000:1]:12345".parse().unwrap(), "[ff33::8000:2]:12346".parse().unwrap()],
        fec: vec![(0, None), (129, Some(0))],
        bitrate: None,
    };
    assert_eq!(sdp.sessions, [expected]);
}

/// The second example of the draft, with the source filter in front of the media, where the draft does not want it.
#[test]
fn a_composite_session() {
    let sdp = parsed(
        "v=0\no=user123 2890844526 2890842807 IN IP6 2001:0DB8::112E:144A:1E24\ns=File delivery session example\n\
         t=2873397496 2873404696\na=source-filter: incl IN IP6 * 2001:0DB8:1:2:240:96FF:FE25:8EC9\n\
         a=FEC-declaration:0 encoding-id=0\na=FEC-declaration:1 encoding-id=129; instance-id=0\n\
         a=group:CS 1 2\na=group:CS 3 4\n\
         m=application 12345 FLUTE/UDP *\nc=IN IP6 FF33::8000:1\na=flute-tsi:1\na=FEC:0\na=mid:1\n\
         m=application 12346 FLUTE/UDP *\nc=IN IP6 FF33::8000:2\na=mid:2\n\
         m=application 12347 FLUTE/UDP *\nc=IN IP6 FF33::8000:3\na=flute-tsi:2\na=FEC:1\na=mid:3\n\
         m=application 12348 FLUTE/UDP *\nc=IN IP6 FF33::8000:4\na=mid:4\n",
    );
    let found: Vec<_> = sdp.sessions.iter().map(|session| (session.tsi, session.channels.len())).collect();
    assert_eq!(found, [(1, 2), (2, 2)]);
    assert!(sdp.sessions.iter().all(|session| session.source.is_some()));
    assert_eq!(sdp.sessions[1].channels[1], "[ff33::8000:4]:12348".parse().unwrap());
}

/// As TS 26.346 7.3 prints it: a bandwidth without its kind, media that is video, and attributes that FLUTE does not have.
#[test]
fn the_form_of_mbms() {
    let sdp = parsed(
        "v=0\no=user123 2890844526 2890842807 IN IP6 2201:056D::112E:144A:1E24\ns=File delivery session example\n\
         i=More information\nt=2873397496 2873404696\na=mbms-mode:broadcast 123869108302929 1\n\
         a=FEC-declaration:0 encoding-id=1\na=source-filter: incl IN IP6 * 2001:210:1:2:240:96FF:FE25:8EC9\n\
         a=flute-tsi:3\nm=video 12345 FLUTE/UDP 0\nc=IN IP6 FF1E:03AD::7F2E:172A:1E24\nb=64\na=lang:EN\na=FEC:0\n",
    );
    let [session] = &sdp.sessions[..] else { panic!("{sdp:?}") };
    assert_eq!((session.tsi, &session.fec[..], session.bitrate), (3, &[(1, None)][..], None));
    assert_eq!(session.channels, ["[ff1e:3ad::7f2e:172a:1e24]:12345".parse().unwrap()]);
}

#[test]
fn channels_with_slashes() {
    let with = |media: &str, connection: &str| {
        let text = format!(
            "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\na=flute-tsi:1\nm=application {media} FLUTE/UDP 0\nc=IN IP4 {connection}\n"
        );
        text.parse::<SessionDescription>().map(|sdp| sdp.sessions[0].channels.clone())
    };
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
    assert_eq!(
        with("3400/3", "239.1.1.1/16").unwrap(),
        addresses(&["239.1.1.1:3400", "239.1.1.1:3401", "239.1.1.1:3402"])
    );
    assert_eq!(with("3400", "239.1.1.255/16/2").unwrap(), addresses(&["239.1.1.255:3400", "239.1.2.0:3400"]));
    assert!(with("65535/2", "239.1.1.1/16").is_err());
    assert!(with("3400", "239.1.1.1/16/65").is_err());
    assert!(with("3400", "255.255.255.255/16/2").is_err());
}

#[test]
fn what_is_wrong_is_said() {
    assert!(error("hello").starts_with("it is no session description: "));
    let without = |line: &str| {
        let kept: Vec<&str> = RESTRICTED.lines().filter(|other| !other.starts_with(line)).collect();
        error(&kept.join("\n"))
    };
    assert!(without("a=flute-tsi").contains("a=flute-tsi"));
    assert!(without("c=").contains("port 12345 has no c= line"));
    let other = |from: &str, to: &str| error(&RESTRICTED.replace(from, to));
    assert!(other("FLUTE/UDP", "RTP/AVP").contains("no m= line with the protocol FLUTE/UDP"));
    assert!(other("flute-ch:2", "flute-ch:3").contains("says 3 channels, and there are 2"));
    assert!(other("incl IN", "excl IN").contains("excl IN IP6"));
    assert!(other("flute-tsi:3", "flute-tsi:281474976710656").contains("48 bits"));
    assert!(other("a=flute-tsi:3", "a=group:CS 7").contains("“7”"));
}

#[test]
fn what_is_written_reads_the_same() {
    let session = |tsi| DescribedSession {
        tsi,
        source: "192.0.2.1".parse().ok(),
        channels: vec!["239.1.1.1:3400".parse().unwrap(), "[ff3e::1]:3401".parse().unwrap()],
        fec: vec![(6, None), (129, Some(0))],
        bitrate: Some(5_000_000),
    };
    let mut sdp = SessionDescription { name: "News".to_owned(), time: (3_900_000_000, 0), sessions: vec![session(7)] };
    let text = sdp.to_string();
    assert_eq!(
        text,
        "v=0\r\no=- 3900000000 3900000000 IN IP4 192.0.2.1\r\ns=News\r\nt=3900000000 0\r\n\
         a=source-filter: incl IN IP4 * 192.0.2.1\r\na=flute-tsi:7\r\na=FEC-declaration:0 encoding-id=6\r\n\
         a=FEC-declaration:1 encoding-id=129; instance-id=0\r\n\
         m=application 3400 FLUTE/UDP 0\r\nc=IN IP4 239.1.1.1/64\r\nb=AS:5000\r\n\
         m=application 3401 FLUTE/UDP 0\r\nc=IN IP6 ff3e::1\r\nb=AS:5000\r\n"
    );
    assert_eq!(parsed(&text), sdp);
    sdp.sessions.push(session(8));
    assert_eq!(parsed(&sdp.to_string()), sdp);
}
