// SPDX-License-Identifier: MPL-2.0

//! The rate of a session.

use std::time::Duration;

use crate::Time;
use crate::setters::setters;

/// How far ahead of the clock a batch reaches: packets of this time are given out together.
pub(super) const BATCH_TIME: Duration = Duration::from_millis(1);
/// How far the session may fall behind its rate and still catch up. A batch on top of it makes the longest burst.
const MAX_BACKLOG: Duration = Duration::from_millis(1);
const NANOSECONDS: u128 = 1_000_000_000;

/// The rate of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pacing {
    /// Bits per second on the wire, 0 for as fast as the packets are taken.
    pub bitrate: u64,
    /// What is counted for each packet besides its own bytes.
    pub overhead: PacketOverhead,
}

setters! {
    Pacing {
        bitrate: u64,
        overhead: PacketOverhead,
    }
}

/// Headers below ALC that count for the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketOverhead {
    /// None: ALC packets only.
    None,
    /// UDP and IPv4, 28 bytes.
    #[default]
    UdpIpv4,
    /// UDP and IPv6, 48 bytes.
    UdpIpv6,
}

impl PacketOverhead {
    /// Bytes that each packet has on the wire besides its own.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::UdpIpv4 => 28,
            Self::UdpIpv6 => 48,
        }
    }
}

/// Says when the next packet may be sent, so that a session keeps its rate.
#[derive(Debug)]
pub(super) struct Pacer {
    pacing: Pacing,
    /// When the next packet may be sent.
    next: Time,
    /// What `next` lacks, in 1/bitrate of a nanosecond, so that no rounding adds up.
    remainder: u128,
}

impl Pacer {
    pub(super) fn new(pacing: Pacing, now: Time) -> Self {
        Self { pacing, next: now, remainder: 0 }
    }

    /// Bytes of a packet of `length` bytes as the rate counts them.
    pub(super) fn wire_bytes(&self, length: usize) -> u64 {
        (length + self.pacing.overhead.bytes()) as u64
    }

    /// When the next packet may be sent; `now` for a session without a rate.
    ///
    /// A sender that falls behind its rate by more than a millisecond does not catch up on the rest with a burst.
    pub(super) fn next(&mut self, now: Time) -> Time {
        if self.pacing.bitrate == 0 {
            return now;
        }
        self.next = self.next.max(now - MAX_BACKLOG);
        self.next
    }

    /// Counts a packet that is sent.
    pub(super) fn charge(&mut self, length: usize) {
        if self.pacing.bitrate > 0 {
            let bits = u128::from(self.wire_bytes(length)) * 8;
            self.advance(bits);
        }
    }

    /// How long this many bytes on the wire take; nothing for a session without a rate.
    pub(super) fn duration(&self, bytes: u64) -> Duration {
        match self.pacing.bitrate {
            0 => Duration::ZERO,
            rate => Duration::from_nanos((u128::from(bytes) * 8 * NANOSECONDS / u128::from(rate)) as u64),
        }
    }

    /// How many packets of `length` bytes there are at most in `time`, one at least.
    pub(super) fn packets_within(&self, time: Duration, length: usize) -> u64 {
        match self.duration(self.wire_bytes(length)).as_nanos() {
            0 => u64::MAX,
            each => (time.as_nanos() / each) as u64 + 1,
        }
    }

    /// Changes the rate: what the last packet still owes is owed at the new one.
    pub(super) fn set(&mut self, pacing: Pacing, now: Time) {
        let owed = self.next.since(now).as_nanos() * u128::from(self.pacing.bitrate) / NANOSECONDS;
        *self = Self::new(pacing, now);
        if pacing.bitrate > 0 {
            self.advance(owed);
        }
    }

    fn advance(&mut self, bits: u128) {
        let rate = u128::from(self.pacing.bitrate);
        let time = bits * NANOSECONDS + self.remainder;
        self.remainder = time % rate;
        self.next = self.next + Duration::from_nanos(u64::try_from(time / rate).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Time {
        Time::from_unix(Duration::from_secs(1_000))
    }

    fn pacer(bitrate: u64) -> Pacer {
        Pacer::new(Pacing { bitrate, overhead: PacketOverhead::UdpIpv4 }, start())
    }

    #[test]
    fn no_rounding_adds_up() {
        // 97 bytes and 28 of UDP and IPv4 are 1000 bits; 3 Mbit/s do not divide a second evenly.
        let mut pacer = pacer(3_000_000);
        for _ in 0..3000 {
            pacer.charge(97);
        }
        assert_eq!(pacer.next(start()), start() + Duration::from_secs(1));
    }

    #[test]
    fn a_stall_is_not_made_up_for() {
        let mut pacer = pacer(1_000_000);
        let later = start() + Duration::from_secs(60);
        assert_eq!(pacer.next(later), later - MAX_BACKLOG);
    }

    #[test]
    fn a_change_takes_effect_at_once() {
        let mut pacer = pacer(1_000);
        pacer.charge(97);
        assert_eq!(pacer.next(start()), start() + Duration::from_secs(1));
        pacer.set(Pacing { bitrate: 1_000_000, overhead: PacketOverhead::None }, start() + Duration::from_millis(500));
        assert_eq!(pacer.next(start()), start() + Duration::from_micros(500_500));
        pacer.set(Pacing::default(), start());
        assert_eq!(pacer.next(start()), start());
    }
}
