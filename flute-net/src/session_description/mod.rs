// SPDX-License-Identifier: MPL-2.0

//! FLUTE sessions in SDP (RFC 8866), as draft-mehta-rmt-flute-sdp-06 and 3GPP TS 26.346 7.3 have them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use sdp_types::{AddrType, Attribute, Bandwidth, BandwidthType, Connection, Media, NetType, Origin, Session, Time};

/// The protocol of an `m=` line.
const PROTOCOL: &str = "FLUTE/UDP";

/// Channels of a session, at most: nobody has as many, and each is a socket.
const MAX_CHANNELS: usize = 64;

/// What a session description says of FLUTE sessions.
///
/// ```
/// let sdp: flute_net::SessionDescription = "v=0\r\n\
///     o=- 1 1 IN IP4 192.0.2.1\r\n\
///     s=News\r\n\
///     t=0 0\r\n\
///     a=source-filter: incl IN IP4 * 192.0.2.1\r\n\
///     a=flute-tsi:7\r\n\
///     m=application 3400 FLUTE/UDP 0\r\n\
///     c=IN IP4 239.1.1.1/16\r\n"
///     .parse()?;
/// let [session] = &sdp.sessions[..] else { panic!() };
/// assert_eq!((session.tsi, session.channels[0]), (7, "239.1.1.1:3400".parse().unwrap()));
/// # Ok::<(), flute_net::SessionDescriptionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// `s=`: a name for people.
    pub name: String,
    /// `t=`: start and end in NTP seconds; 0 for no bound.
    pub time: (u64, u64),
    /// The sessions.
    pub sessions: Vec<DescribedSession>,
}

/// One FLUTE session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedSession {
    /// `flute-tsi`.
    pub tsi: u64,
    /// `source-filter`: the one sender.
    pub source: Option<IpAddr>,
    /// Destination addresses, the base channel first.
    pub channels: Vec<SocketAddr>,
    /// `FEC-declaration`: FEC Encoding ID, and FEC Instance ID of those that have one. What a receiver must be able to
    /// decode; how an object is coded, the session itself says.
    pub fec: Vec<(u8, Option<u16>)>,
    /// `b=`: bits per second at most.
    pub bitrate: Option<u64>,
}

/// Why a text describes no FLUTE session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionDescriptionError {
    /// It is no SDP.
    #[error("it is no session description: {0}")]
    Syntax(#[from] sdp_types::ParserError),
    /// It describes something else.
    #[error("there is no m= line with the protocol {PROTOCOL}")]
    NoFlute,
    /// A session without a Transport Session Identifier.
    #[error("a session has no a=flute-tsi, or one that is no number of 48 bits")]
    Tsi,
    /// A channel without an address.
    #[error("port {port} has no c= line with an IP address and no more than {MAX_CHANNELS} channels")]
    Address {
        /// The port of the `m=` line.
        port: u16,
    },
    /// A source filter that is not one address to be included.
    #[error("the source filter “{0}” is not one address to include (incl IN IP4 * ADDRESS)")]
    SourceFilter(String),
    /// `flute-ch` has another number than there are channels.
    #[error("a=flute-ch says {said} channels, and there are {found}")]
    Channels {
        /// What it says.
        said: String,
        /// How many there are.
        found: usize,
    },
    /// A member of a group that no `m=` line is.
    #[error("a=group names the media “{0}”, which there is not")]
    Group(String),
}

impl FromStr for SessionDescription {
    type Err = SessionDescriptionError;

    fn from_str(text: &str) -> Result<Self, SessionDescriptionError> {
        // The examples of TS 26.346 have `b=64`, which RFC 8866 does not.
        let lines = text.lines().filter(|line| !line.starts_with("b=") || line.contains(':'));
        let text: String = lines.flat_map(|line| [line, "\r\n"]).collect();
        let sdp = Session::parse(text.as_bytes())?;
        let media: Vec<&Media> = sdp.medias.iter().filter(|media| media.proto.eq_ignore_ascii_case(PROTOCOL)).collect();
        if media.is_empty() {
            return Err(SessionDescriptionError::NoFlute);
        }
        // A TSI in front of all media is the sign of one session that has them all (draft §3.2).
        let is_one = value(&sdp.attributes, "flute-tsi").is_some();
        let groups: Vec<&str> = values(&sdp.attributes, "group").filter_map(|group| group.strip_prefix("CS")).collect();
        let sessions = if is_one || groups.is_empty() {
            vec![described(&sdp, &media)?]
        } else {
            let of_group = |group: &&str| {
                let members = group.split_whitespace().map(|mid| {
                    let found = media.iter().find(|media| value(&media.attributes, "mid") == Some(mid));
                    found.copied().ok_or_else(|| SessionDescriptionError::Group(mid.to_owned()))
                });
                described(&sdp, &members.collect::<Result<Vec<_>, _>>()?)
            };
            groups.iter().map(of_group).collect::<Result<_, _>>()?
        };
        let time = sdp.times.first().map_or((0, 0), |time| (time.start_time, time.stop_time));
        Ok(Self { name: sdp.session_name, time, sessions })
    }
}

/// One session: what its first media does not say, the description does.
fn described(sdp: &Session, media: &[&Media]) -> Result<DescribedSession, SessionDescriptionError> {
    let primary = media.first().ok_or(SessionDescriptionError::NoFlute)?;
    let of_session = |name| value(&primary.attributes, name).or_else(|| value(&sdp.attributes, name)).map(str::trim);
    let tsi = of_session("flute-tsi").and_then(|tsi| tsi.parse().ok()).filter(|tsi: &u64| *tsi >> 48 == 0);
    let source = of_session("source-filter")
        .map(|filter| included(filter).ok_or_else(|| SessionDescriptionError::SourceFilter(filter.to_owned())));
    let mut channels = Vec::new();
    for media in media {
        let address = SessionDescriptionError::Address { port: media.port };
        let connection = media.connections.first().or(sdp.connection.as_ref());
        match connection.and_then(|connection| channels_of(media, connection)) {
            Some(more) if channels.len() + more.len() <= MAX_CHANNELS => channels.extend(more),
            _ => return Err(address),
        }
    }
    if let Some(said) = of_session("flute-ch").filter(|said| said.parse() != Ok(channels.len())) {
        return Err(SessionDescriptionError::Channels { said: said.to_owned(), found: channels.len() });
    }
    let declared = sdp.attributes.iter().chain(media.iter().flat_map(|media| &media.attributes));
    let mut fec: Vec<_> = declared
        .filter(|attribute| attribute.attribute == "FEC-declaration")
        .filter_map(|attribute| declaration(attribute.value.as_deref()?))
        .collect();
    fec.sort_unstable();
    fec.dedup();
    let bandwidths = media.iter().flat_map(|media| &media.bandwidths).chain(&sdp.bandwidths);
    let bitrate = bandwidths.filter_map(bits_per_second).next();
    Ok(DescribedSession {
        tsi: tsi.ok_or(SessionDescriptionError::Tsi)?,
        source: source.transpose()?,
        channels,
        fec,
        bitrate,
    })
}

/// The channels of an `m=` line: several ports of one address, or several addresses (draft §3.6).
fn channels_of(media: &Media, connection: &Connection) -> Option<Vec<SocketAddr>> {
    let address = connection.try_address().ok()?;
    let ports = usize::from(media.num_ports.unwrap_or(1).max(1));
    let addresses = usize::from(address.count.unwrap_or(1).max(1));
    if ports > MAX_CHANNELS || addresses > MAX_CHANNELS {
        return None;
    }
    let mut ip = Some(address.ip);
    let mut channels = Vec::new();
    for _ in 0..addresses {
        let this = ip?;
        for index in 0..ports {
            channels.push(SocketAddr::new(this, media.port.checked_add(index as u16)?));
        }
        ip = match this {
            IpAddr::V4(ip) => u32::from(ip).checked_add(1).map(|ip| IpAddr::V4(ip.into())),
            IpAddr::V6(ip) => u128::from(ip).checked_add(1).map(|ip| IpAddr::V6(ip.into())),
        };
    }
    Some(channels)
}

/// The one source that is included, whatever the destination (RFC 4570).
fn included(filter: &str) -> Option<IpAddr> {
    let words: Vec<&str> = filter.split_whitespace().collect();
    match words[..] {
        ["incl", "IN", "IP4" | "IP6", _, source] => source.parse().ok(),
        _ => None,
    }
}

/// `1 encoding-id=129; instance-id=0`
fn declaration(value: &str) -> Option<(u8, Option<u16>)> {
    let (_, ids) = value.trim().split_once(char::is_whitespace)?;
    let mut parts = ids.split(';').map(str::trim);
    let encoding_id = parts.next()?.strip_prefix("encoding-id=")?.parse().ok()?;
    let instance_id = parts.next().and_then(|part| part.strip_prefix("instance-id=")?.parse().ok());
    Some((encoding_id, instance_id))
}

/// `AS` counts kilobits with all headers, `TIAS` (RFC 3890) bits without those of IP and UDP.
fn bits_per_second(bandwidth: &Bandwidth) -> Option<u64> {
    match bandwidth.bwtype.as_str() {
        "AS" => bandwidth.bandwidth.checked_mul(1000),
        "TIAS" => Some(bandwidth.bandwidth),
        _ => None,
    }
}

fn value<'a>(attributes: &'a [Attribute], name: &'a str) -> Option<&'a str> {
    values(attributes, name).next()
}

fn values<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |attribute| attribute.attribute == name)
        .filter_map(|attribute| attribute.value.as_deref())
}

impl fmt::Display for SessionDescription {
    /// One session as 3GPP's receivers want it ("Restricted Behaviour"), several as a composite session (draft §3.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::new();
        self.to_sdp().write(&mut bytes).map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&bytes))
    }
}

impl SessionDescription {
    fn to_sdp(&self) -> Session {
        let source = self.sessions.iter().find_map(|session| session.source);
        let address = source.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
        // A number that tells descriptions of one machine apart is theirs to choose (RFC 8866 §5.2).
        let origin = Origin::with_ip_addr(self.time.0, self.time.0, address);
        let mut sdp = Session::new(origin, if self.name.is_empty() { "-" } else { &self.name });
        sdp.times.push(Time::new(self.time.0, self.time.1));
        if let [session] = &self.sessions[..] {
            sdp.attributes = session.attributes();
            sdp.attributes.extend(session.declarations());
            sdp.medias = session.media(None);
            return sdp;
        }
        let mut first_mid = 1;
        for session in &self.sessions {
            let mids: Vec<String> =
                (first_mid..).take(session.channels.len()).map(|mid: usize| mid.to_string()).collect();
            sdp.attributes.push(Attribute::with_value("group", format!("CS {}", mids.join(" "))));
            let mut media = session.media(Some(first_mid));
            if let Some(primary) = media.first_mut() {
                primary.attributes.splice(0..0, session.attributes().into_iter().chain(session.declarations()));
            }
            sdp.medias.extend(media);
            first_mid += mids.len();
        }
        sdp
    }
}

impl DescribedSession {
    /// What there is one of for each session.
    fn attributes(&self) -> Vec<Attribute> {
        let source = self.source.map(|source| {
            let family = AddrType::from(source);
            Attribute::with_value("source-filter", format!(" incl IN {} * {source}", family.as_str()))
        });
        source.into_iter().chain([Attribute::with_value("flute-tsi", self.tsi)]).collect()
    }

    fn declarations(&self) -> impl Iterator<Item = Attribute> + '_ {
        self.fec.iter().enumerate().map(|(reference, (encoding_id, instance_id))| {
            let instance = instance_id.map_or_else(String::new, |id| format!("; instance-id={id}"));
            Attribute::with_value("FEC-declaration", format!("{reference} encoding-id={encoding_id}{instance}"))
        })
    }

    fn media(&self, first_mid: Option<usize>) -> Vec<Media> {
        let media = self.channels.iter().enumerate().map(|(index, channel)| {
            let ttl = (channel.ip().is_ipv4() && channel.ip().is_multicast()).then_some(TTL);
            Media {
                media: "application".to_owned(),
                port: channel.port(),
                num_ports: None,
                proto: PROTOCOL.to_owned(),
                // As MBMS has it; the draft's `*` means the same.
                fmt: "0".to_owned(),
                media_title: None,
                connections: vec![Connection {
                    nettype: NetType::In,
                    ..Connection::from_ip_addr_ttl(channel.ip(), ttl)
                }],
                bandwidths: self
                    .bitrate
                    .map(|rate| Bandwidth::new(BandwidthType::As, rate.div_ceil(1000)))
                    .into_iter()
                    .collect(),
                key: None,
                attributes: first_mid.map(|first| Attribute::with_value("mid", first + index)).into_iter().collect(),
            }
        });
        media.collect()
    }
}

/// Routers that packets pass at most, which RFC 8866 §5.7 wants to be said of IPv4 groups.
const TTL: u8 = 64;

#[cfg(test)]
mod tests;
