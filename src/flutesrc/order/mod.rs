// SPDX-License-Identifier: MPL-2.0

//! Media segments in the order in which a demuxer wants them, without a manifest that says it: the initialisation first,
//! one representation, one segment after the other, and a lost one left out when it has been waited for long enough.
//!
//! It knows neither GStreamer nor a clock: an object carries a payload of any type, and the time is an argument.

mod content;
mod isobmff;
mod mpegts;
mod numbered_name;
mod representation;
#[cfg(test)]
mod tests;

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use flute_proto::Time;

pub(super) use content::{Content, Timing};
use isobmff::Movie;
use numbered_name::{NumberedName, likeness};
use representation::{Moment, Representation};

/// Segments that begin closer to each other than this begin at the same time: less than any segment lasts, and more than
/// audio and video of the same segment differ.
const SAME_TIME: Duration = Duration::from_millis(40);

/// The gap between segments that follow each other is below this, if they are long: the end of a segment of a transport
/// stream is known by its last clock reference only.
const LONGEST_GAP: Duration = Duration::from_millis(150);

/// Media that is further ahead than this has another time than what was before.
const LONGEST_JUMP: Duration = Duration::from_secs(30);

/// Segments, names and other initialisations that are kept, at most.
const MAX_WAITING: usize = 4096;
const MAX_NAMES: usize = 256;

/// So many late segments in a row are a sender that began anew, if nothing else came for the time of some deadlines.
const LATE_UNTIL_RESTART: u32 = 3;
const DEADLINES_UNTIL_RESTART: u32 = 4;

/// An object that was received.
#[derive(Debug)]
pub(super) struct MediaObject<T> {
    /// Content-Location.
    pub(super) location: String,
    /// Content-Type without parameters, in lower case.
    pub(super) media_type: Option<String>,
    pub(super) content: Content,
    /// Bytes.
    pub(super) size: u64,
    pub(super) payload: T,
}

/// A segment whose turn has come.
#[derive(Debug)]
pub(super) struct Segment<T> {
    /// Goes before the segment.
    pub(super) initialisation: Option<T>,
    pub(super) payload: T,
    pub(super) location: String,
    /// Decode times of its beginning and of its end, as far as they can be read.
    pub(super) times: Option<(Duration, Duration)>,
    /// Something is missing in front of it.
    pub(super) is_discontinuous: bool,
    /// How many segments are missing in front of it, if they can be counted.
    pub(super) missing: u64,
    /// Its time has nothing to do with what was before: there was nothing, or the time of the media has jumped.
    pub(super) begins: bool,
}

/// Why an object does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is a manifest, or something else.
    NoMedia,
    /// It was there before.
    Repeated,
    /// It belongs to another representation than the one that came first.
    OtherRepresentation,
    /// Its turn is over.
    Late,
    /// Too much is waiting already, or the initialisation did not come.
    NoRoom,
}

/// What became of the objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) initialisations: u64,
    pub(super) segments: u64,
    pub(super) missing: u64,
    pub(super) late: u64,
    pub(super) repeated: u64,
    pub(super) other_representations: u64,
    pub(super) no_media: u64,
    pub(super) no_room: u64,
    /// Segments that wait at present, and their bytes.
    pub(super) waiting: u64,
    pub(super) waiting_bytes: u64,
}

#[derive(Debug)]
struct Initialisation<T> {
    location: String,
    media_type: Option<String>,
    movie: Movie,
    bytes: Vec<u8>,
    payload: T,
    /// Counts the versions.
    version: u64,
}

#[derive(Debug)]
struct WaitingSegment<T> {
    location: String,
    name: NumberedName,
    media_type: Option<String>,
    timing: Timing,
    times: Option<(Duration, Duration)>,
    arrived: Time,
    /// Version of the initialisation that was there when it came.
    version: u64,
    size: u64,
    payload: T,
}

/// The segment that went last.
#[derive(Debug)]
struct LastSegment {
    name: NumberedName,
    times: Option<(Duration, Duration)>,
}

/// Puts the segments of one representation in order.
#[derive(Debug)]
pub(super) struct Order<T> {
    deadline: Duration,
    max_bytes: u64,
    /// Versions of the initialisation that are still needed, the oldest first.
    initialisations: VecDeque<Initialisation<T>>,
    /// Version that went downstream.
    sent_version: Option<u64>,
    /// Locations of initialisations of other representations.
    other_representations: Vec<String>,
    representation: Representation,
    /// The folder of the segments.
    folder: Option<String>,
    waiting: Vec<WaitingSegment<T>>,
    last: Option<LastSegment>,
    /// Segments that went, the latest last.
    delivered: VecDeque<(String, Option<Duration>)>,
    /// Segments that are being received.
    expected: BTreeMap<String, NumberedName>,
    /// Segments that will never come.
    lost: Vec<NumberedName>,
    late_in_a_row: u32,
    last_progress: Time,
    dropped: VecDeque<(String, Reason)>,
    counts: Counts,
    is_ending: bool,
}

fn folder(location: &str) -> &str {
    location.rfind('/').map_or("", |slash| &location[..slash])
}

/// `audio` or `video` of a Content-Type.
fn kind(media_type: Option<&str>) -> Option<&str> {
    media_type?.split('/').next().filter(|kind| matches!(*kind, "audio" | "video"))
}

impl<T: Clone> Order<T> {
    /// An order that waits for so long for what is missing, and holds so many bytes.
    pub(super) fn new(deadline: Duration, max_bytes: u64) -> Self {
        Self {
            deadline,
            max_bytes,
            initialisations: VecDeque::new(),
            sent_version: None,
            other_representations: Vec::new(),
            representation: Representation::default(),
            folder: None,
            waiting: Vec::new(),
            last: None,
            delivered: VecDeque::new(),
            expected: BTreeMap::new(),
            lost: Vec::new(),
            late_in_a_row: 0,
            last_progress: Time::default(),
            dropped: VecDeque::new(),
            counts: Counts::default(),
            is_ending: false,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { waiting: self.waiting.len() as u64, waiting_bytes: self.waiting_bytes(), ..self.counts }
    }

    /// Objects that did not go on, and why.
    pub(super) fn poll_dropped(&mut self) -> Option<(String, Reason)> {
        self.dropped.pop_front()
    }

    /// The first symbol of an object has arrived.
    pub(super) fn expect(&mut self, location: &str) {
        if self.expected.len() < MAX_NAMES {
            self.expected.insert(location.to_owned(), NumberedName::new(location));
        }
    }

    /// An object will never come.
    pub(super) fn lose(&mut self, location: &str) {
        self.expected.remove(location);
        if self.lost.len() < MAX_NAMES {
            self.lost.push(NumberedName::new(location));
        }
    }

    /// An object is there.
    pub(super) fn push(&mut self, object: MediaObject<T>, now: Time) {
        self.expected.remove(&object.location);
        match object.content {
            Content::Other => self.drop_object(object.location, Reason::NoMedia),
            Content::Initialisation(movie, bytes) => {
                self.initialise(object.location, object.media_type, movie, bytes, object.payload);
            }
            Content::Media(timing) => {
                let name = NumberedName::new(&object.location);
                let times = self.times_of(&timing);
                let version = self.initialisations.back().map_or(0, |initialisation| initialisation.version);
                let (location, media_type) = (object.location, object.media_type);
                let (size, payload) = (object.size, object.payload);
                self.queue(WaitingSegment {
                    location,
                    name,
                    media_type,
                    timing,
                    times,
                    arrived: now,
                    version,
                    size,
                    payload,
                });
            }
        }
    }

    /// Nothing more will come: everything that is waiting goes.
    pub(super) fn finish(&mut self) {
        self.is_ending = true;
    }

    /// When [`pop`](Self::pop) has something that it did not have before, whether or not an object comes.
    pub(super) fn deadline(&self) -> Option<Time> {
        let is_waiting = self.candidate().is_some_and(|candidate| self.has_initialisation(&self.waiting[candidate]));
        let oldest = self.waiting.iter().map(|segment| segment.arrived).min()?;
        is_waiting.then(|| oldest + self.deadline)
    }

    /// The segment whose turn it is, if its turn has come.
    pub(super) fn pop(&mut self, now: Time) -> Option<Segment<T>> {
        let candidate = self.candidate()?;
        if !self.has_initialisation(&self.waiting[candidate]) {
            if self.is_ending {
                for segment in std::mem::take(&mut self.waiting) {
                    self.drop_object(segment.location, Reason::NoRoom);
                }
            }
            return None;
        }
        let is_due = self.deadline().is_some_and(|deadline| deadline <= now);
        if !(self.is_ending || is_due || self.is_full() || self.is_next(candidate)) {
            return None;
        }
        Some(self.take(candidate, now))
    }

    fn waiting_bytes(&self) -> u64 {
        self.waiting.iter().map(|segment| segment.size).fold(0, u64::saturating_add)
    }

    fn is_full(&self) -> bool {
        self.waiting.len() > MAX_WAITING || (self.waiting.len() > 1 && self.waiting_bytes() > self.max_bytes)
    }

    fn times_of(&self, timing: &Timing) -> Option<(Duration, Duration)> {
        let movie = self.initialisations.back().map(|initialisation| &initialisation.movie);
        let near =
            self.last.as_ref().and_then(|last| last.times).or(self.waiting.first().and_then(|segment| segment.times));
        timing.times(movie, near.map(|(start, _)| start))
    }

    /// Whether the initialisation is there that a segment needs.
    fn has_initialisation(&self, segment: &WaitingSegment<T>) -> bool {
        !segment.timing.needs_initialisation() || !self.initialisations.is_empty()
    }

    fn drop_object(&mut self, location: String, reason: Reason) {
        let count = match reason {
            Reason::NoMedia => &mut self.counts.no_media,
            Reason::Repeated => &mut self.counts.repeated,
            Reason::OtherRepresentation => &mut self.counts.other_representations,
            Reason::Late => &mut self.counts.late,
            Reason::NoRoom => &mut self.counts.no_room,
        };
        *count += 1;
        if self.dropped.len() < MAX_NAMES {
            self.dropped.push_back((location, reason));
        }
    }

    fn initialise(&mut self, location: String, media_type: Option<String>, movie: Movie, bytes: Vec<u8>, payload: T) {
        if self.initialisations.iter().any(|initialisation| initialisation.bytes == bytes) {
            return self.drop_object(location, Reason::Repeated);
        }
        let version = match self.initialisations.back() {
            Some(present) if present.location != location => {
                if !self.other_representations.contains(&location) && self.other_representations.len() < MAX_NAMES {
                    self.other_representations.push(location.clone());
                }
                self.drop_object(location, Reason::OtherRepresentation);
                return self.reconsider();
            }
            Some(present) => present.version + 1,
            None => 1,
        };
        self.initialisations.push_back(Initialisation { location, media_type, movie, bytes, payload, version });
        if version == 1 {
            // What was waiting until now is explained by it.
            for segment in &mut self.waiting {
                segment.version = version;
            }
            self.reconsider();
        }
    }

    /// Drops what turns out not to be of the representation, now that more is known, and learns from the rest.
    fn reconsider(&mut self) {
        let mut segments = std::mem::take(&mut self.waiting);
        // Those come first that look the most like what the initialisation belongs to.
        segments.sort_by_key(|segment| {
            let present = self.initialisations.back();
            let near = present.map_or(0, |present| likeness(&present.location, &segment.location));
            (Reverse(near), segment.arrived)
        });
        if self.last.is_none() {
            self.representation = Representation::default();
            self.folder = None;
        }
        for mut segment in segments {
            segment.times = self.times_of(&segment.timing);
            self.queue(segment);
        }
    }

    /// Whether a segment goes with the initialisation, as far as that is there.
    fn suits(&self, segment: &WaitingSegment<T>) -> bool {
        let Some(present) = self.initialisations.back().filter(|_| segment.timing.needs_initialisation()) else {
            return true;
        };
        let kinds = (kind(present.media_type.as_deref()), kind(segment.media_type.as_deref()));
        let is_other_kind = matches!(kinds, (Some(one), Some(other)) if one != other);
        let near = likeness(&present.location, &segment.location);
        !is_other_kind
            && segment.timing.suits(&present.movie)
            && !self.other_representations.iter().any(|other| likeness(other, &segment.location) > near)
    }

    fn queue(&mut self, segment: WaitingSegment<T>) {
        let start = segment.times.map(|(start, _)| start);
        let known = self.waiting.iter().map(|segment| (&segment.location, segment.times.map(|(start, _)| start)));
        let mut known = known.chain(self.delivered.iter().map(|(location, start)| (location, *start)));
        let is_same_time = |other: Option<Duration>| match (start, other) {
            (Some(start), Some(other)) => start.abs_diff(other) < SAME_TIME,
            _ => false,
        };
        if let Some((_, other)) = known.clone().find(|(location, _)| **location == segment.location) {
            if is_same_time(other) || start.is_none() || other.is_none() {
                return self.drop_object(segment.location, Reason::Repeated);
            }
            // Names are used again, in turn.
            self.representation.ignore_order();
        }
        if !self.has_initialisation(&segment) {
            // What it belongs to is seen when the initialisation comes. What is oldest is the most likely to be late.
            self.waiting.push(segment);
            while self.is_full() {
                let segment = self.waiting.remove(0);
                self.drop_object(segment.location, Reason::NoRoom);
            }
            return;
        }
        let end = self
            .waiting
            .iter()
            .filter_map(|segment| segment.times)
            .chain(self.last.as_ref().and_then(|last| last.times));
        let end = end.map(|(_, end)| end).max();
        let moment = match (start, end) {
            _ if known.any(|(location, other)| *location != segment.location && is_same_time(other)) => Moment::Known,
            (Some(start), Some(end)) if start + SAME_TIME >= end => Moment::Later,
            _ => Moment::Other,
        };
        let shares_folder = self.folder.as_deref().is_none_or(|known| known == folder(&segment.location));
        if !self.suits(&segment) || !self.representation.take(&segment.name, shares_folder, moment) {
            return self.drop_object(segment.location, Reason::OtherRepresentation);
        }
        self.folder.get_or_insert_with(|| folder(&segment.location).to_owned());
        if self.last.as_ref().is_some_and(|last| self.is_before(&segment, last)) {
            self.late_in_a_row += 1;
            let silence = segment.arrived.since(self.last_progress);
            if self.late_in_a_row < LATE_UNTIL_RESTART || silence < self.deadline * DEADLINES_UNTIL_RESTART {
                return self.drop_object(segment.location, Reason::Late);
            }
            self.restart(&segment);
        }
        self.late_in_a_row = 0;
        self.last_progress = segment.arrived;
        self.waiting.push(segment);
    }

    /// The sender began anew, with this segment.
    fn restart(&mut self, segment: &WaitingSegment<T>) {
        self.last = None;
        self.delivered.clear();
        self.lost.clear();
        self.representation = Representation::default();
        self.representation.take(&segment.name, true, Moment::Other);
    }

    fn is_before(&self, segment: &WaitingSegment<T>, last: &LastSegment) -> bool {
        self.compare((&segment.name, segment.times), (&last.name, last.times)) != Ordering::Greater
            && (self.representation.is_ordered() || (segment.times.is_some() && last.times.is_some()))
    }

    fn compare(
        &self,
        (name, times): (&NumberedName, Option<(Duration, Duration)>),
        (other_name, other_times): (&NumberedName, Option<(Duration, Duration)>),
    ) -> Ordering {
        match (times, other_times) {
            _ if self.representation.is_ordered() => name.values().cmp(&other_name.values()),
            (Some((start, _)), Some((other, _))) => start.cmp(&other),
            // They stay as they came.
            _ => Ordering::Equal,
        }
    }

    /// Index of the earliest segment that is waiting.
    fn candidate(&self) -> Option<usize> {
        let earliest = self
            .waiting
            .iter()
            .enumerate()
            .min_by(|(_, one), (_, other)| self.compare((&one.name, one.times), (&other.name, other.times)));
        earliest.map(|(index, _)| index)
    }

    fn follows(&self, name: &NumberedName, times: Option<(Duration, Duration)>, segment: &WaitingSegment<T>) -> bool {
        if self.representation.is_ordered() && self.representation.between(name, &segment.name) == Some(0) {
            return true;
        }
        match (times, segment.times) {
            (Some((start, end)), Some((next, _))) => {
                let length = end.saturating_sub(start);
                next >= start && next.abs_diff(end) <= LONGEST_GAP.max(length / 8).min(length / 2)
            }
            _ => !self.representation.is_ordered(),
        }
    }

    /// How many segments are missing between two that do not follow each other: at least one.
    fn missing(&self, last: &LastSegment, segment: &WaitingSegment<T>) -> u64 {
        let by_time = || {
            let ((start, end), (next, _)) = (last.times?, segment.times?);
            let length = end.checked_sub(start).filter(|length| !length.is_zero())?;
            Some((next.checked_sub(end)?.as_secs_f64() / length.as_secs_f64()).round() as u64)
        };
        by_time().or_else(|| self.representation.between(&last.name, &segment.name)).unwrap_or(1).max(1)
    }

    /// Whether nothing is missing in front of the earliest segment, or nothing that will ever come.
    fn is_next(&self, candidate: usize) -> bool {
        let segment = &self.waiting[candidate];
        let Some(last) = &self.last else { return self.is_first(candidate) };
        if self.follows(&last.name, last.times, segment) {
            return true;
        }
        let is_between = |name: &NumberedName| {
            name.is_like(&segment.name) && name.values() > last.name.values() && name.values() < segment.name.values()
        };
        let lost = self.lost.iter().filter(|name| is_between(name)).count() as u64;
        let expected = self.expected.values().any(|name| self.representation.could_have(name) && is_between(name));
        self.representation.is_ordered() && !expected && lost >= self.missing(last, segment)
    }

    /// Whether a segment is the first of all: by its number or its time, or because two follow each other already.
    fn is_first(&self, candidate: usize) -> bool {
        let segment = &self.waiting[candidate];
        let is_expected = self.representation.is_ordered()
            && self.expected.values().any(|name| {
                self.representation.could_have(name)
                    && name.is_like(&segment.name)
                    && name.values() < segment.name.values()
            });
        let count = self.representation.count(&segment.name);
        let is_origin = match segment.times {
            Some((start, _)) => start.is_zero() || count.is_some_and(|count| count <= 1),
            None => count.is_none_or(|count| count <= 1),
        };
        let is_followed = || {
            let mut others = self.waiting.iter().enumerate().filter(|(index, _)| *index != candidate);
            others.any(|(_, other)| self.follows(&segment.name, segment.times, other))
        };
        !is_expected && (is_origin || is_followed())
    }

    fn take(&mut self, candidate: usize, now: Time) -> Segment<T> {
        // A segment that came after a new initialisation can still be one of the old, if later ones are.
        let version = self.waiting.iter().map(|segment| segment.version).min().unwrap_or(0);
        let follows = match &self.last {
            Some(last) => self.follows(&last.name, last.times, &self.waiting[candidate]),
            None => false,
        };
        let segment = self.waiting.remove(candidate);
        let begins = match (self.last.as_ref().map(|last| last.times), segment.times) {
            (Some(Some((last, _))), Some((start, _))) => start < last || start - last > LONGEST_JUMP,
            (last, _) => last.is_none(),
        };
        let missing = match &self.last {
            Some(last) if !follows => self.missing(last, &segment),
            _ => 0,
        };
        self.counts.missing += missing;
        self.counts.segments += 1;
        let initialisation = self.initialisation(version).filter(|_| segment.timing.needs_initialisation());
        self.lost.retain(|name| name.is_like(&segment.name) && name.values() > segment.name.values());
        self.expected.retain(|_, name| !(name.is_like(&segment.name) && name.values() <= segment.name.values()));
        if self.delivered.len() == MAX_NAMES {
            self.delivered.pop_front();
        }
        self.delivered.push_back((segment.location.clone(), segment.times.map(|(start, _)| start)));
        self.last_progress = now;
        self.last = Some(LastSegment { name: segment.name, times: segment.times });
        Segment {
            initialisation,
            payload: segment.payload,
            location: segment.location,
            times: segment.times,
            is_discontinuous: !follows,
            missing,
            begins,
        }
    }

    /// The initialisation of this version, if it is another one than went last. Older ones are no longer needed.
    fn initialisation(&mut self, version: u64) -> Option<T> {
        while self.initialisations.len() > 1 && self.initialisations[0].version < version {
            self.initialisations.pop_front();
        }
        let initialisation = self.initialisations.front()?;
        if self.sent_version == Some(initialisation.version) {
            return None;
        }
        self.sent_version = Some(initialisation.version);
        self.counts.initialisations += 1;
        Some(initialisation.payload.clone())
    }
}
