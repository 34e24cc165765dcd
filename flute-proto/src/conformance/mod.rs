// SPDX-License-Identifier: MPL-2.0

//! Which rules of a standard a session breaks, each with its clause.
//!
//! A [`Validator`] looks at the packets of sessions, and at what a [`Receiver`] tells of them: the
//! FDT Instances, for which the receiver is to be [asked](crate::receiver::ReceiverConfig::fdt_documents).
//! [`validate`] does both for packets that are there.

mod packets;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use flute_fec::ObjectCodec;

use crate::Time;
use crate::alc::Packet;
use crate::fdt::File;
use crate::lct::{Revision, Toi};
use crate::oti::{Oti, PayloadIdFormat};
use crate::profile::Profile;
use crate::receiver::{Destination, Endpoints, Event, Receiver, ReceiverConfig, SessionId};

/// Bounds on what is remembered: sessions, kinds of violations, and objects and FDT Instances of each session.
const MAX_SESSIONS: usize = 256;
const MAX_VIOLATIONS: usize = 1024;
const MAX_OBJECTS: usize = 16_384;
const MAX_INSTANCES: usize = 4096;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The session, or `None` where a datagram is of no session.
    pub session: Option<SessionId>,
    /// The clause with the rule, such as `RFC 6726 §3.4.1`.
    pub clause: &'static str,
    /// What is wrong.
    pub what: String,
    /// The first case.
    pub first: String,
    /// How often.
    pub times: u64,
}

/// A clause of both versions of FLUTE, or of one that is the same in both.
#[derive(Clone, Copy, Debug)]
struct Clause {
    v2: &'static str,
    v1: &'static str,
}

impl Clause {
    const fn new(v2: &'static str, v1: &'static str) -> Self {
        Self { v2, v1 }
    }

    const fn of_both(clause: &'static str) -> Self {
        Self::new(clause, clause)
    }

    fn of(self, profile: Profile) -> &'static str {
        if profile.rules().flute_version == 1 { self.v1 } else { self.v2 }
    }
}

/// Finds out which rules are broken.
///
/// ```
/// use flute_proto::conformance::validate;
/// use flute_proto::profile::Profile;
/// use flute_proto::sender::{Batch, Object, Poll, Sender, SenderConfig};
/// use flute_proto::Time;
///
/// let now = Time::from_unix(std::time::Duration::from_secs(1_800_000_000));
/// let mut sender = Sender::new(SenderConfig::default(), now)?;
/// sender.add(Object::new("hello.txt", b"Hello!".to_vec()), now)?;
/// let (mut batch, mut packets) = (Batch::new(64), Vec::new());
/// while let Poll::Packets = sender.poll(now, &mut batch) {
///     packets.extend(batch.packets().map(<[u8]>::to_vec));
/// }
/// let broken = validate(Some(Profile::Rfc6726), packets.iter().map(|packet| (now, &packet[..])));
/// assert_eq!(broken, []);
/// // MBMS is FLUTE version 1, and wants a Content-Type.
/// let broken = validate(Some(Profile::Mbms), packets.iter().map(|packet| (now, &packet[..])));
/// assert!(broken.iter().any(|violation| violation.clause == "TS 26.346 L.4.2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn validate<'a>(profile: Option<Profile>, packets: impl IntoIterator<Item = (Time, &'a [u8])>) -> Vec<Violation> {
    let mut validator = Validator::new(profile);
    let config = ReceiverConfig::default().fdt_documents(true);
    let mut receiver = Receiver::with_destinations(config, |_| Destination::nothing());
    let endpoints = Endpoints::default();
    for (now, packet) in packets {
        validator.push(endpoints, packet);
        receiver.push(endpoints, packet, now);
        while receiver.next_deadline().is_some_and(|deadline| deadline <= now) {
            receiver.handle_timeout(now);
        }
        while let Some(event) = receiver.poll_event() {
            validator.note(&event, now);
        }
    }
    validator.violations().collect()
}

/// Finds out which rules the sessions break that it is shown. What it remembers is bounded, however much comes.
#[derive(Debug)]
pub struct Validator {
    profile: Option<Profile>,
    sessions: BTreeMap<SessionId, Session>,
    broken: Broken,
}

/// The violations so far.
#[derive(Debug, Default)]
struct Broken {
    violations: BTreeMap<(Option<SessionId>, &'static str, String), (String, u64)>,
}

impl Broken {
    fn note(
        &mut self,
        session: Option<SessionId>,
        clause: &'static str,
        what: impl Into<String>,
        case: impl FnOnce() -> String,
    ) {
        let place = (session, clause, what.into());
        if let Some((_, times)) = self.violations.get_mut(&place) {
            *times += 1;
        } else if self.violations.len() < MAX_VIOLATIONS {
            self.violations.insert(place, (case(), 1));
        }
    }
}

/// Where the rules of one session write down what breaks them.
struct Findings<'a> {
    session: SessionId,
    profile: Profile,
    broken: &'a mut Broken,
}

impl Findings<'_> {
    fn note(&mut self, clause: Clause, what: impl Into<String>, case: impl FnOnce() -> String) {
        self.note_at(clause.of(self.profile), what, case);
    }

    fn note_at(&mut self, clause: &'static str, what: impl Into<String>, case: impl FnOnce() -> String) {
        self.broken.note(Some(self.session), clause, what, case);
    }
}

/// What is known of a session.
#[derive(Debug, Default)]
struct Session {
    /// The version of FLUTE that its first EXT_FDT gives.
    flute_version: Option<u8>,
    /// The documents of its FDT Instances by their IDs, as digests, with their expiry.
    instances: BTreeMap<u32, (u64, Time)>,
    /// An instance said that no new file would be described after it.
    is_complete: bool,
    described: BTreeMap<Toi, DescribedObject>,
    /// TOIs of packets that no FDT Instance has described so far.
    undescribed: BTreeSet<Toi>,
}

impl Session {
    /// The profile, where the user named none: the RFC of the version that the session has.
    fn profile(&self, wanted: Option<Profile>) -> Profile {
        wanted.unwrap_or(if self.flute_version == Some(1) { Profile::Rfc3926 } else { Profile::Rfc6726 })
    }
}

/// What the FDT says of an object.
#[derive(Debug)]
struct DescribedObject {
    file: File,
    expires: Time,
    cut: Option<Cut>,
}

/// How an object is cut into symbols.
#[derive(Debug)]
struct Cut {
    oti: Oti,
    codec: ObjectCodec,
    format: PayloadIdFormat,
}

impl Cut {
    fn of(oti: &Oti) -> Option<Self> {
        Some(Self { codec: oti.codec().ok()?, format: oti.payload_id_format().ok()?, oti: oti.clone() })
    }
}

impl Validator {
    /// Looks for what breaks a profile; for `None`, RFC 6726 or RFC 3926, whichever version of FLUTE a session has.
    pub fn new(profile: Option<Profile>) -> Self {
        Self { profile, sessions: BTreeMap::new(), broken: Broken::default() }
    }

    /// Looks at a datagram.
    pub fn push(&mut self, endpoints: Endpoints, datagram: &[u8]) {
        // The two bits behind H are T and R in RFC 3451, with fields of their own: which RFC it is, the session says.
        let either = Packet::decode(datagram, Revision::Rfc5651)
            .or_else(|error| Packet::decode(datagram, Revision::Rfc3451).map_err(|_| error));
        let packet = match either {
            Ok(packet) => packet,
            Err(error) => return self.broken.note(None, packets::ALC, error.to_string(), || of_length(datagram)),
        };
        let Some(tsi) = packet.header.tsi else { return };
        let key = SessionId::new(endpoints, tsi);
        let Some(session) = session(&mut self.sessions, key) else { return };
        session.flute_version = session.flute_version.or(packet.fdt.map(|fdt| fdt.flute_version));
        let profile = session.profile(self.profile);
        let packet = match Packet::decode(datagram, profile.rules().lct) {
            Ok(packet) => packet,
            Err(error) => return self.broken.note(Some(key), packets::ALC, error.to_string(), || of_length(datagram)),
        };
        let mut findings = Findings { session: key, profile, broken: &mut self.broken };
        packets::check(&packet, session, &mut findings);
        if let Some(toi) = packet.header.toi.filter(|toi| *toi != Toi::FDT)
            && !session.described.contains_key(&toi)
            && session.undescribed.len() < MAX_OBJECTS
        {
            session.undescribed.insert(toi);
        }
    }

    /// Looks at what a receiver told at `now`.
    pub fn note(&mut self, event: &Event, now: Time) {
        match event {
            Event::FdtDocument { session: id, instance_id, document } => {
                let Some(session) = session(&mut self.sessions, *id) else { return };
                let profile = session.profile(self.profile);
                let mut findings = Findings { session: *id, profile, broken: &mut self.broken };
                tables::check(*instance_id, document, session, now, &mut findings);
            }
            Event::FdtUnusable { session: id, instance_id, reason } => {
                let Some(session) = session(&mut self.sessions, *id) else { return };
                let profile = session.profile(self.profile);
                let mut findings = Findings { session: *id, profile, broken: &mut self.broken };
                findings.note(tables::SYNTAX, reason.clone(), || format!("FDT Instance {instance_id}"));
            }
            _ => {}
        }
    }

    /// Whether no rule was broken so far.
    pub fn is_clean(&self) -> bool {
        self.violations().next().is_none()
    }

    /// The rules that were broken so far, by session and clause; last, objects that no FDT Instance has described.
    pub fn violations(&self) -> impl Iterator<Item = Violation> + '_ {
        let broken = self.broken.violations.iter().map(|((key, clause, what), (first, times))| Violation {
            session: *key,
            clause,
            what: what.clone(),
            first: first.clone(),
            times: *times,
        });
        let undescribed = self.sessions.iter().filter_map(|(key, session)| {
            Some(Violation {
                session: Some(*key),
                clause: tables::DYNAMICS.of(session.profile(self.profile)),
                what: "an object that no FDT Instance describes".to_owned(),
                first: format!("TOI {}", session.undescribed.first()?),
                times: session.undescribed.len() as u64,
            })
        });
        broken.chain(undescribed)
    }
}

fn session(sessions: &mut BTreeMap<SessionId, Session>, key: SessionId) -> Option<&mut Session> {
    (sessions.len() < MAX_SESSIONS || sessions.contains_key(&key)).then(|| sessions.entry(key).or_default())
}

fn of_length(datagram: &[u8]) -> String {
    format!("a datagram of {} bytes", datagram.len())
}
