// SPDX-License-Identifier: MPL-2.0

//! The clock of a sender, by which it says until when an FDT Instance is valid (RFC 6726 §3.3).

use std::time::Duration;

use crate::Time;

/// `Expires` has whole seconds, cut off or rounded, and clocks are not set more exactly than that.
const TOLERANCE: Duration = Duration::from_secs(2);
/// How long an instance is valid that has expired when it arrives, by the clock of a sender that does not tell the time.
/// A sender sets `Expires` to a time in its own future (RFC 6726 §3.3), so the two clocks do not agree.
pub(super) const ASSUMED_LIFETIME: Duration = Duration::from_secs(600);

/// How far the sender's clock is ahead of that of this receiver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum SenderClock {
    /// Nothing is known of the sender's clock.
    #[default]
    Unknown,
    /// By so much.
    Ahead(Duration),
    /// It is behind by so much.
    Behind(Duration),
}

/// When something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// By the clock of this receiver.
    pub(super) expires: Time,
    /// The sender's clock cannot be right, so that other times by it say nothing.
    pub(super) is_assumed: bool,
}

impl SenderClock {
    /// The sender says that it is `sender` now.
    pub(super) fn set(&mut self, sender: Time, now: Time) {
        *self = if sender >= now { Self::Ahead(sender.since(now)) } else { Self::Behind(now.since(sender)) };
    }

    /// Whether the sender has told the time.
    pub(super) fn is_known(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Until when something is valid that ends at these NTP seconds by the sender's clock; `None` if it has ended.
    pub(super) fn validity(self, expires: u32, now: Time) -> Option<Validity> {
        let sender_now = match self {
            Self::Unknown => now,
            Self::Ahead(by) => now + by,
            Self::Behind(by) => now - by,
        };
        let left = Time::from_ntp_seconds(expires, sender_now).since(sender_now);
        match (left > Duration::ZERO, self) {
            (true, _) => Some(Validity { expires: now + left + TOLERANCE, is_assumed: false }),
            (false, Self::Unknown) => Some(Validity { expires: now + ASSUMED_LIFETIME, is_assumed: true }),
            (false, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_by_the_clock_of_the_sender() {
        let now = Time::from_unix(Duration::from_secs(1_800_000_000));
        let seconds = |time: Time| (time.since(Time::from_unix(Duration::ZERO)).as_secs() + 2_208_988_800) as u32;
        let in_a_minute = seconds(now + Duration::from_secs(60));
        let validity = |clock: SenderClock| clock.validity(in_a_minute, now);
        let of = |seconds, is_assumed| Validity { expires: now + Duration::from_secs(seconds), is_assumed };

        let mut clock = SenderClock::default();
        assert_eq!(validity(clock), Some(of(62, false)));
        assert_eq!(clock.validity(in_a_minute - 3600, now), Some(of(600, true)));
        clock.set(now + Duration::from_secs(30), now);
        assert_eq!(validity(clock), Some(of(32, false)));
        clock.set(now - Duration::from_secs(30), now);
        assert_eq!(validity(clock), Some(of(92, false)));
        clock.set(now + Duration::from_secs(60), now);
        assert_eq!(validity(clock), None);
    }
}
