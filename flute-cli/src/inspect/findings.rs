// SPDX-License-Identifier: MPL-2.0

//! What was found out: sessions, their FDT Instances and objects, losses, and what breaks a rule.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use flute_proto::Time;
use flute_proto::alc::Packet;
use flute_proto::conformance::{Validator, Violation};
use flute_proto::lct::{Revision, Toi};
use flute_proto::profile::Profile;
use flute_proto::receiver::{Endpoints, Event, ObjectInfo, ReceiverStats, SessionId, SessionStats};
use serde_json::{Value, json};

use crate::Outcome;
use crate::capture::CaptureFacts;
use crate::report::{shown, shown_rate};

/// Sessions, and FDT Instances and objects of a session, that are told apart. Further ones are counted.
const MAX_SESSIONS: usize = 256;
const MAX_INSTANCES: usize = 1024;
const MAX_OBJECTS: usize = 16_384;

/// Everything that was found out.
#[derive(Debug)]
pub(super) struct Findings {
    sessions: BTreeMap<SessionId, Session>,
    validator: Validator,
    /// The bounds of the receiver that were reached, and how often.
    limits: BTreeMap<String, u64>,
    /// What is beyond the bounds above.
    uncounted: u64,
    datagrams: u64,
    capture: Option<CaptureFacts>,
    dropped_by_kernel: u32,
    stats: ReceiverStats,
}

#[derive(Debug, Default)]
struct Session {
    packets: u64,
    bytes: u64,
    fdt_packets: u64,
    first: Option<Time>,
    last: Time,
    instances: BTreeMap<u32, Instance>,
    objects: BTreeMap<(Toi, u32), Object>,
    closed_by_sender: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Instance {
    files: usize,
    rejected: usize,
    is_complete: bool,
}

#[derive(Debug)]
struct Object {
    info: Arc<ObjectInfo>,
    fate: Fate,
}

/// What has become of an object.
#[derive(Debug)]
enum Fate {
    Arriving,
    Complete,
    Lost { reason: String, missing: u64 },
}

impl Session {
    /// Bits per second, from the first packet to the last one.
    fn rate(&self) -> f64 {
        let seconds = self.last.since(self.first.unwrap_or_default()).as_secs_f64();
        if seconds > 0.0 { self.bytes as f64 * 8.0 / seconds } else { 0.0 }
    }
}

impl Findings {
    /// Nothing is known yet. Sessions are held against the rules of `profile`, or of the version that they have.
    pub(super) fn new(profile: Option<Profile>) -> Self {
        Self {
            sessions: BTreeMap::new(),
            validator: Validator::new(profile),
            limits: BTreeMap::new(),
            uncounted: 0,
            datagrams: 0,
            capture: None,
            dropped_by_kernel: 0,
            stats: ReceiverStats::default(),
        }
    }

    pub(super) fn note_capture(&mut self, facts: CaptureFacts) {
        self.capture = Some(facts);
    }

    pub(super) fn note_dropped(&mut self, datagrams: u32) {
        self.dropped_by_kernel = datagrams;
    }

    pub(super) fn note_stats(&mut self, stats: ReceiverStats) {
        self.stats = stats;
    }

    /// A datagram came.
    pub(super) fn note_datagram(&mut self, endpoints: Endpoints, datagram: &[u8], now: Time) {
        self.datagrams += 1;
        self.validator.push(endpoints, datagram);
        let decoded = Packet::decode(datagram, Revision::Rfc5651);
        let Ok(packet) = decoded.or_else(|_| Packet::decode(datagram, Revision::Rfc3451)) else { return };
        let Some(tsi) = packet.header.tsi else { return };
        let key = SessionId::new(endpoints, tsi);
        let Some(session) = self.session(key) else { return };
        session.packets += 1;
        session.bytes += datagram.len() as u64;
        session.fdt_packets += u64::from(packet.header.toi == Some(Toi::FDT));
        session.first.get_or_insert(now);
        session.last = now;
        session.closed_by_sender |= packet.header.close_session;
    }

    /// The receiver told something.
    pub(super) fn note_event(&mut self, event: Event, now: Time) {
        self.validator.note(&event, now);
        match event {
            Event::Fdt { session, instance_id, files, rejected, complete } => {
                let Some(session) = self.session(session) else { return };
                if session.instances.len() < MAX_INSTANCES {
                    session.instances.insert(instance_id, Instance { files, rejected, is_complete: complete });
                } else {
                    self.uncounted += 1;
                }
            }
            Event::LimitReached { limit, .. } => {
                *self.limits.entry(format!("the limit of {limit:?} was reached")).or_default() += 1;
            }
            Event::ObjectStarted(object) => self.note_fate(object, Fate::Arriving),
            Event::Completed { object, .. } => self.note_fate(object, Fate::Complete),
            Event::Failed { object, reason, missing } => {
                let missing = missing.iter().map(|loss| u64::from(loss.missing)).sum();
                self.note_fate(object, Fate::Lost { reason: reason.to_string(), missing });
            }
            _ => (),
        }
    }

    fn session(&mut self, key: SessionId) -> Option<&mut Session> {
        if self.sessions.len() >= MAX_SESSIONS && !self.sessions.contains_key(&key) {
            self.uncounted += 1;
            return None;
        }
        Some(self.sessions.entry(key).or_default())
    }

    fn note_fate(&mut self, info: Arc<ObjectInfo>, fate: Fate) {
        let Some(session) = self.session(info.session) else { return };
        // An object may come again under the same TOI in another version, with an instance of its own.
        let place = (info.toi(), info.fdt_instance_id);
        if session.objects.len() < MAX_OBJECTS || session.objects.contains_key(&place) {
            session.objects.insert(place, Object { info, fate });
        } else {
            self.uncounted += 1;
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        let is_clean = self.validator.is_clean()
            && self.limits.is_empty()
            && self.stats.totals.failed == 0
            && self.stats.totals.packets > 0;
        if is_clean { Outcome::Complete } else { Outcome::Incomplete }
    }

    pub(super) fn to_json(&self) -> Value {
        let loss = Loss::of(&self.stats.totals);
        let capture = self.capture.map(|facts| {
            json!({ "frames": facts.frames, "cut": facts.cut, "fragments": facts.fragments, "others": facts.others })
        });
        json!({
            "event": "inspected",
            "datagrams": self.datagrams,
            "capture": capture,
            "dropped-by-kernel": self.dropped_by_kernel,
            "sessions": self.sessions.iter().map(|(key, session)| session.to_json(key)).collect::<Value>(),
            "violations": self.validator.violations().map(violation_to_json).collect::<Value>(),
            "limits": self.limits.iter().map(|(text, times)| json!({ "text": text, "times": times })).collect::<Value>(),
            "not-listed": self.uncounted,
            "objects-received": self.stats.totals.completed,
            "objects-lost": self.stats.totals.failed,
            "symbols-repaired": self.stats.totals.recovered,
            "duplicate-symbols": self.stats.totals.duplicates,
            "unusable-symbols": self.stats.totals.unusable,
            "contradictions": self.stats.totals.contradictions,
            "loss-before-repair": loss.before,
            "loss-after-repair": loss.after,
        })
    }
}

fn violation_to_json(violation: Violation) -> Value {
    let Violation { session, clause, what, first, times, .. } = violation;
    json!({ "tsi": session.map(|session| session.tsi.get()), "clause": clause, "what": what, "first": first, "times": times })
}

/// Parts of the source symbols that did not come, and that could not be rebuilt either.
struct Loss {
    before: f64,
    after: f64,
}

impl Loss {
    fn of(stats: &SessionStats) -> Self {
        let all = (stats.source_symbols + stats.recovered + stats.lost_symbols).max(1) as f64;
        Self { before: (stats.recovered + stats.lost_symbols) as f64 / all, after: stats.lost_symbols as f64 / all }
    }
}

impl Session {
    fn to_json(&self, SessionId { source, destination, tsi }: &SessionId) -> Value {
        let instances = self.instances.iter().map(|(id, instance)| {
            json!({
                "instance-id": id,
                "files": instance.files,
                "rejected-files": instance.rejected,
                "complete": instance.is_complete,
            })
        });
        json!({
            "tsi": tsi.get(),
            "source": source.map(|source| source.to_string()),
            "destination": destination.map(|destination| destination.to_string()),
            "packets": self.packets,
            "fdt-packets": self.fdt_packets,
            "bytes": self.bytes,
            "bitrate": self.rate().round(),
            "seconds": self.last.since(self.first.unwrap_or_default()).as_secs_f64(),
            "closed-by-sender": self.closed_by_sender,
            "fdt-instances": instances.collect::<Value>(),
            "objects": self.objects.values().map(Object::to_json).collect::<Value>(),
        })
    }
}

impl Object {
    fn to_json(&self) -> Value {
        let (fate, reason, missing) = match &self.fate {
            Fate::Arriving => ("incomplete", None, 0),
            Fate::Complete => ("complete", None, 0),
            Fate::Lost { reason, missing } => ("lost", Some(reason), *missing),
        };
        json!({
            "toi": self.info.toi().to_string(),
            "location": self.info.location(),
            "content-type": self.info.file.content_type,
            "content-encoding": self.info.file.content_encoding,
            "transfer-length": self.info.transfer_length,
            "fec-encoding-id": self.info.file.oti.encoding_id.map(|id| id.0),
            "fate": fate,
            "reason": reason,
            "missing-symbols": missing,
        })
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(facts) = self.capture {
            let CaptureFacts { frames, cut, fragments, others } = facts;
            writeln!(f, "{frames} frames: {cut} cut short, {fragments} fragments, {others} of other protocols")?;
        }
        if self.dropped_by_kernel > 0 {
            writeln!(f, "the kernel dropped {} datagrams: they are not losses of the network", self.dropped_by_kernel)?;
        }
        if self.sessions.is_empty() {
            writeln!(f, "no session of FLUTE in {} datagrams", self.datagrams)?;
        }
        for (key, session) in &self.sessions {
            session.write(f, key)?;
        }
        let (stats, loss) = (&self.stats.totals, Loss::of(&self.stats.totals));
        writeln!(
            f,
            "{} objects complete, {} lost; {:.3} % of source symbols lost, {:.3} % after repair ({} rebuilt)",
            stats.completed,
            stats.failed,
            100.0 * loss.before,
            100.0 * loss.after,
            stats.recovered
        )?;
        for Violation { session, clause, what, first, times, .. } in self.validator.violations() {
            let session = session.map_or_else(String::new, |session| format!("TSI {}, ", session.tsi));
            writeln!(f, "BROKEN, {clause}: {} ({times} times, first: {session}{})", shown(&what), shown(&first))?;
        }
        for (limit, times) in &self.limits {
            writeln!(f, "{times} times: {limit}")?;
        }
        if self.uncounted > 0 {
            writeln!(f, "{} more things are not listed", self.uncounted)?;
        }
        Ok(())
    }
}

impl Session {
    fn write(&self, f: &mut fmt::Formatter<'_>, SessionId { source, destination, tsi }: &SessionId) -> fmt::Result {
        let name = |address: Option<String>| address.unwrap_or_else(|| "unknown".to_owned());
        let source = name(source.map(|source| source.to_string()));
        let destination = name(destination.map(|destination| destination.to_string()));
        let seconds = self.last.since(self.first.unwrap_or_default()).as_secs_f64();
        let end = if self.closed_by_sender { "closed by its sender" } else { "not closed" };
        writeln!(f, "TSI {tsi}, {source} to {destination}, {end}")?;
        writeln!(
            f,
            "  {} packets ({} of FDT Instances), {} bytes in {seconds:.1} s, {}",
            self.packets,
            self.fdt_packets,
            self.bytes,
            shown_rate(self.rate())
        )?;
        let instances: Vec<(&u32, &Instance)> = self.instances.iter().collect();
        // A carousel has many that say the same.
        for alike in instances.chunk_by(|(_, before), (_, after)| before == after) {
            let [(first, instance), ..] = alike else { continue };
            let complete = if instance.is_complete { ", no new files follow" } else { "" };
            let rejected = match instance.rejected {
                0 => String::new(),
                rejected => format!(", {rejected} entries unusable"),
            };
            let numbers = match alike.last() {
                Some((last, _)) if last != first => {
                    format!("{} FDT Instances, {first} to {last}, each", alike.len())
                }
                _ => format!("FDT Instance {first}"),
            };
            writeln!(f, "  {numbers}: {} files{rejected}{complete}", instance.files)?;
        }
        for object in self.objects.values() {
            let (info, file) = (&object.info, &object.info.file);
            let content_type = file.content_type.as_deref().unwrap_or("no Content-Type");
            write!(
                f,
                "  TOI {}: {}, {} bytes, {}: ",
                info.toi(),
                shown(info.location()),
                info.transfer_length,
                shown(content_type)
            )?;
            match &object.fate {
                Fate::Arriving => writeln!(f, "incomplete")?,
                Fate::Complete => writeln!(f, "complete")?,
                Fate::Lost { reason, missing } => writeln!(f, "LOST, {missing} symbols missing: {reason}")?,
            }
        }
        Ok(())
    }
}
