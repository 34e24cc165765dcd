// SPDX-License-Identifier: MPL-2.0

//! Time as the protocol needs it: one number for timers and for the wall clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Seconds from 1900-01-01 to 1970-01-01: what NTP counts more than Unix does.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// A point in time, in nanoseconds since 1970-01-01 00:00 UTC; enough until the year 2554.
///
/// The application makes these, from the system's clock or as the time of a simulation, and never lets them go
/// backwards. Differences drive the timers; the absolute value is needed for `Expires` and `EXT_TIME`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The latest time there is.
    pub const MAX: Self = Self(u64::MAX);

    /// From the time since the Unix epoch.
    pub fn from_unix(since_epoch: Duration) -> Self {
        Self(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The time since the Unix epoch.
    pub fn as_unix(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Seconds since 1900-01-01, modulo 2^32: the upper half of a 64-bit NTP timestamp (RFC 5905 §6). The number wraps
    /// on 2036-02-07.
    pub fn ntp_seconds(self) -> u32 {
        (self.0 / 1_000_000_000 + NTP_TO_UNIX) as u32
    }

    /// The lower half of a 64-bit NTP timestamp: fractions of a second in units of 2^-32 s.
    pub fn ntp_fraction(self) -> u32 {
        (((self.0 % 1_000_000_000) << 32) / 1_000_000_000) as u32
    }

    /// The time with these NTP seconds in the NTP era that brings it nearest to `near`, as RFC 6726 §3.3 asks for.
    pub fn from_ntp_seconds(seconds: u32, near: Self) -> Self {
        let near_ntp = (near.0 / 1_000_000_000 + NTP_TO_UNIX) as i64;
        let distance = seconds.wrapping_sub(near_ntp as u32) as i32;
        let unix = (near_ntp + i64::from(distance)).saturating_sub(NTP_TO_UNIX as i64).max(0) as u64;
        Self(unix.saturating_mul(1_000_000_000))
    }

    /// How long after `earlier` this is, zero if it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(seconds: u64) -> Time {
        Time::from_unix(Duration::from_secs(seconds))
    }

    #[test]
    fn ntp_eras() {
        // RFC 5905 §6: era 1 begins on 2036-02-07 06:28:16 UTC, which is Unix time 2085978496.
        assert_eq!(unix(2_085_978_495).ntp_seconds(), u32::MAX);
        assert_eq!(unix(2_085_978_496).ntp_seconds(), 0);
        assert_eq!(Time::from_ntp_seconds(5, unix(2_085_978_400)), unix(2_085_978_501));
        assert_eq!(Time::from_ntp_seconds(u32::MAX, unix(2_085_978_600)), unix(2_085_978_495));
        assert_eq!(Time::from_ntp_seconds(2_208_988_800, unix(100)), unix(0));
    }

    #[test]
    fn ntp_fractions() {
        let half = Time::from_unix(Duration::from_millis(1500));
        assert_eq!(half.ntp_fraction(), 1 << 31);
    }
}
