// SPDX-License-Identifier: MPL-2.0

//! When the transfers of an object begin, and which one is the last.

use super::object::{Carousel, Interval};
use crate::Time;

/// The carousel of an object, and how far it is.
#[derive(Debug)]
pub(super) struct TransferPlan {
    carousel: Carousel,
    /// The first transfer does not begin before.
    start: Option<Time>,
    /// When the transfer that runs was to begin.
    nominal_start: Time,
    /// When the next transfer is to begin, if the carousel says so.
    next_start: Option<Time>,
    /// Transfers that have ended.
    transfers: u64,
    /// The next transfer begins as soon as it can, whatever the carousel says.
    is_triggered: bool,
    /// The transfer that runs, or is the next to run, is the last one, whatever the carousel says.
    ends_after_transfer: bool,
}

impl TransferPlan {
    pub(super) fn new(carousel: Carousel, start: Option<Time>) -> Self {
        Self {
            carousel,
            start,
            nominal_start: Time::default(),
            next_start: None,
            transfers: 0,
            is_triggered: false,
            ends_after_transfer: false,
        }
    }

    /// When the first transfer is due.
    pub(super) fn first_start(&self, now: Time) -> Time {
        self.start.unwrap_or(now)
    }

    /// Transfers that have ended.
    pub(super) fn transfers(&self) -> u64 {
        self.transfers
    }

    /// Whether the object waits for the time before which it must not be sent.
    pub(super) fn is_before_start(&self, now: Time) -> bool {
        self.transfers == 0 && self.start.is_some_and(|start| start > now)
    }

    /// Whether the carousel never ends.
    pub(super) fn is_endless(&self) -> bool {
        self.carousel.transfers.is_none()
    }

    /// Whether the transfer that runs, or is the next to run, is the last one.
    pub(super) fn is_last(&self) -> bool {
        self.ends_after_transfer || self.carousel.transfers.is_some_and(|count| self.transfers + 1 >= count)
    }

    /// A transfer begins.
    pub(super) fn begin(&mut self, now: Time) {
        self.nominal_start = self.next_start.take().unwrap_or(now);
        self.is_triggered = false;
    }

    /// A transfer has ended; returns when the next one is due, `None` after the last.
    pub(super) fn end(&mut self, now: Time) -> Option<Time> {
        let was_last = self.is_last();
        self.transfers += 1;
        let at = match self.carousel.interval {
            _ if self.is_triggered => now,
            Interval::Delay(delay) => now + delay,
            Interval::Start(period) => (self.nominal_start + period).max(now),
        };
        self.next_start = (!was_last).then_some(at);
        self.next_start
    }

    /// Makes the transfer that runs, or is the next to run, the last one.
    pub(super) fn end_after_transfer(&mut self) {
        self.ends_after_transfer = true;
    }

    /// Has the first transfer begin as soon as the object is prepared.
    pub(super) fn trigger_first(&mut self) {
        self.start = None;
    }

    /// Has the next transfer, which waits for its time, begin now.
    pub(super) fn trigger_next(&mut self) {
        self.next_start = None;
    }

    /// Has the next transfer begin as soon as the one that runs has ended.
    pub(super) fn trigger_after_running(&mut self) {
        self.is_triggered = true;
    }

    /// One more transfer after the one that runs, and then no other.
    pub(super) fn repeat_running_once(&mut self) {
        self.carousel.transfers = Some(self.transfers + 2);
        self.is_triggered = true;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_unix(Duration::from_secs(seconds))
    }

    fn plan(transfers: Option<u64>, interval: Interval) -> TransferPlan {
        TransferPlan::new(Carousel { transfers, interval }, None)
    }

    #[test]
    fn from_start_to_start_or_from_end_to_start() {
        for (interval, next) in [
            (Interval::Start(Duration::from_secs(10)), 110),
            (Interval::Start(Duration::from_secs(2)), 104),
            (Interval::Delay(Duration::from_secs(10)), 114),
        ] {
            let mut plan = plan(Some(2), interval);
            plan.begin(at(100));
            assert_eq!(plan.end(at(104)), Some(at(next)));
            plan.begin(at(next + 1));
            assert!(plan.is_last());
            assert_eq!(plan.end(at(next + 5)), None);
        }
    }

    #[test]
    fn triggers_and_ends_come_before_the_carousel() {
        let mut plan = plan(None, Interval::Delay(Duration::from_secs(10)));
        plan.begin(at(0));
        plan.trigger_after_running();
        assert_eq!(plan.end(at(1)), Some(at(1)));
        plan.begin(at(1));
        plan.repeat_running_once();
        assert!(!plan.is_last());
        assert_eq!(plan.end(at(2)), Some(at(2)));
        plan.begin(at(2));
        assert_eq!((plan.end(at(3)), plan.transfers()), (None, 3));
    }
}
