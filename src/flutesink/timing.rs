// SPDX-License-Identifier: MPL-2.0

//! When and how often an object is sent: what its meta says, else its pad, else what it is.

use std::time::Duration;

use flute_proto::Time;
use flute_proto::sender::{Carousel, Deadline, Interval};

use super::enums::FluteCarousel;
use super::pad_settings::PadSettings;
use crate::object_meta::ObjectMeta;

/// How often what receivers need before anything else is repeated, where no interval is set.
const REPETITION: Duration = Duration::from_secs(1);

/// The time that buffers cover.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    bounds: Option<(gst::ClockTime, gst::ClockTime)>,
    /// Of buffers that do not say where they are.
    elsewhere: gst::ClockTime,
}

impl Span {
    /// The time that one buffer covers.
    pub(super) fn of(buffer: &gst::BufferRef) -> Self {
        let duration = buffer.duration().unwrap_or_default();
        match buffer.pts().or(buffer.dts()) {
            Some(start) => Self { bounds: Some((start, start.saturating_add(duration))), ..Self::default() },
            None => Self { bounds: None, elsewhere: duration },
        }
    }

    /// Adds the time that other buffers cover; of tracks side by side it counts once.
    pub(super) fn add(&mut self, other: Self) {
        self.bounds = match (self.bounds, other.bounds) {
            (Some((start, end)), Some((other_start, other_end))) => Some((start.min(other_start), end.max(other_end))),
            (bounds, other) => bounds.or(other),
        };
        self.elsewhere = self.elsewhere.saturating_add(other.elsewhere);
    }

    /// How long it is, if anything is known of that.
    pub(super) fn duration(&self) -> Option<gst::ClockTime> {
        let bounded = self.bounds.map_or(gst::ClockTime::ZERO, |(start, end)| end.saturating_sub(start));
        Some(bounded.max(self.elsewhere)).filter(|duration| *duration > gst::ClockTime::ZERO)
    }
}

/// How often an object is transferred. `is_vital` tells whether receivers need it before anything else, such as a manifest
/// or an initialisation; it is not asked where that makes no difference.
pub(super) fn carousel(meta: &ObjectMeta, pad: &PadSettings, is_vital: impl FnOnce() -> bool) -> Carousel {
    let count = meta.repeat_count.or(pad.repeat_count);
    let delay = meta.repeat_delay.map_or(pad.repeat_delay, gst::ClockTime::nseconds);
    let interval = meta.repeat_interval.map_or(pad.repeat_interval, gst::ClockTime::nseconds);
    let is_vital = count.is_none() && pad.carousel == FluteCarousel::Auto && is_vital();
    let transfers = match count {
        Some(count) => (count > 0).then_some(count.into()),
        None if is_vital || pad.carousel == FluteCarousel::All => None,
        None => Some(1),
    };
    let interval = match (interval, delay) {
        (0, 0) if is_vital => Interval::Start(REPETITION),
        (0, delay) => Interval::Delay(Duration::from_nanos(delay)),
        (interval, _) => Interval::Start(Duration::from_nanos(interval)),
    };
    Carousel { transfers, interval }
}

/// The time that a transfer of an object takes, where it covers `live` time of a live stream.
pub(super) fn deadline(meta: &ObjectMeta, pad: &PadSettings, live: Option<gst::ClockTime>) -> Option<Deadline> {
    if let Some(time) = meta.deadline_time {
        return Some(Deadline::At(utc(time)));
    }
    let spread = match (meta.deadline, u64::try_from(pad.deadline)) {
        (Some(spread), _) => Some(spread),
        (None, Ok(spread)) => Some(gst::ClockTime::from_nseconds(spread)),
        (None, Err(_)) => live,
    };
    spread.filter(|spread| *spread > gst::ClockTime::ZERO).map(|spread| Deadline::Within(spread.into()))
}

/// A point in time of the meta.
pub(super) fn utc(since_epoch: gst::ClockTime) -> Time {
    Time::from_unix(since_epoch.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> gst::ClockTime {
        gst::ClockTime::from_seconds(seconds)
    }

    fn once() -> Carousel {
        Carousel::default()
    }

    fn every(period: u64) -> Carousel {
        Carousel { transfers: None, interval: Interval::Start(Duration::from_secs(period)) }
    }

    #[test]
    fn what_receivers_need_first_goes_out_every_second() {
        let meta = ObjectMeta::default();
        let pad = PadSettings::default();
        assert_eq!(carousel(&meta, &pad, || true), every(1));
        assert_eq!(carousel(&meta, &pad, || false), once());
        let off = PadSettings { carousel: FluteCarousel::Off, ..Default::default() };
        assert_eq!(carousel(&meta, &off, || unreachable!()), once());
        let all = PadSettings { carousel: FluteCarousel::All, ..Default::default() };
        let endless = Carousel { transfers: None, ..once() };
        assert_eq!(carousel(&meta, &all, || unreachable!()), endless);
    }

    #[test]
    fn numbers_go_before_what_an_object_is() {
        let meta = ObjectMeta::default();
        let pad = PadSettings { repeat_interval: 5_000_000_000, ..Default::default() };
        assert_eq!(carousel(&meta, &pad, || true), every(5));
        let pad = PadSettings { repeat_count: Some(1), ..Default::default() };
        assert_eq!(carousel(&meta, &pad, || unreachable!()), once());
        let pad = PadSettings { repeat_count: Some(0), repeat_interval: 3_000_000_000, ..Default::default() };
        assert_eq!(carousel(&meta, &pad, || unreachable!()), every(3));
        let meta = ObjectMeta { repeat_count: Some(1), ..Default::default() };
        assert_eq!(carousel(&meta, &PadSettings::default(), || unreachable!()), once());
        let meta = ObjectMeta { repeat_delay: Some(seconds(2)), ..Default::default() };
        let delayed = Carousel { transfers: None, interval: Interval::Delay(Duration::from_secs(2)) };
        assert_eq!(carousel(&meta, &PadSettings::default(), || true), delayed);
    }

    #[test]
    fn deadlines() {
        let within = |seconds| Some(Deadline::Within(Duration::from_secs(seconds)));
        let (meta, pad) = (ObjectMeta::default(), PadSettings::default());
        assert_eq!(deadline(&meta, &pad, Some(seconds(2))), within(2));
        assert_eq!(deadline(&meta, &pad, None), None);
        let pad = PadSettings { deadline: 0, ..Default::default() };
        assert_eq!(deadline(&meta, &pad, Some(seconds(2))), None);
        let pad = PadSettings { deadline: 3_000_000_000, ..Default::default() };
        assert_eq!(deadline(&meta, &pad, Some(seconds(2))), within(3));
        let meta = ObjectMeta { deadline: Some(seconds(4)), ..Default::default() };
        assert_eq!(deadline(&meta, &pad, None), within(4));
        let meta = ObjectMeta { deadline: Some(gst::ClockTime::ZERO), ..Default::default() };
        assert_eq!(deadline(&meta, &pad, None), None);
        let meta = ObjectMeta { deadline_time: Some(seconds(5)), ..Default::default() };
        assert_eq!(deadline(&meta, &pad, None), Some(Deadline::At(Time::from_unix(Duration::from_secs(5)))));
    }

    #[test]
    fn spans() {
        gst::init().unwrap();
        let span = |pts: Option<u64>, duration: Option<u64>| {
            let mut buffer = gst::Buffer::new();
            let buffer = buffer.get_mut().unwrap();
            buffer.set_pts(pts.map(seconds));
            buffer.set_duration(duration.map(seconds));
            Span::of(buffer)
        };
        let all = |spans: &[Span]| {
            let mut all = Span::default();
            spans.iter().for_each(|&span| all.add(span));
            all.duration()
        };
        assert_eq!(all(&[]), None);
        assert_eq!(all(&[span(Some(5), None)]), None);
        assert_eq!(all(&[span(Some(7), Some(1)), span(Some(5), Some(1))]), Some(seconds(3)));
        assert_eq!(all(&[span(Some(5), None), span(Some(7), None)]), Some(seconds(2)));
        assert_eq!(all(&[span(None, Some(1)), span(None, Some(1)), span(None, None)]), Some(seconds(2)));
    }
}
