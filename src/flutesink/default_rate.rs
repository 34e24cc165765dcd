// SPDX-License-Identifier: MPL-2.0

//! The rate of a session whose user sets no `bitrate`.

use std::collections::HashMap;
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::lct::Toi;
use flute_proto::sender::{Deadline, Object};

/// Bits per second on the wire for what has no deadline: what networks and the receivers' buffers take as they are.
pub(super) const DEFAULT_BITRATE: u64 = 20_000_000;

/// Bits per second of one object with a deadline, at most: as fast as possible for one whose deadline has passed.
const MAX_NEEDED: u64 = 10_000_000_000;

/// The rate where the user sets none: [`DEFAULT_BITRATE`], and beside it what objects with a deadline need, which sets a
/// pace of its own. A live segment of 40 Mbit/s would fall behind its time otherwise.
#[derive(Debug, Default)]
pub(super) struct DefaultRate {
    needed: HashMap<Toi, u64>,
    sum: u64,
}

impl DefaultRate {
    /// Bits per second on the wire.
    pub(super) fn bitrate(&self) -> u64 {
        DEFAULT_BITRATE.saturating_add(self.sum)
    }

    /// Adds an object that needs so many bits per second.
    pub(super) fn add(&mut self, toi: Toi, bitrate: u64) {
        self.sum = self.sum.saturating_add(bitrate);
        self.needed.insert(toi, bitrate);
    }

    /// Takes an object out that is sent no more. `false` if it needed nothing.
    pub(super) fn remove(&mut self, toi: Toi) -> bool {
        let Some(bitrate) = self.needed.remove(&toi) else { return false };
        self.sum = self.sum.saturating_sub(bitrate);
        true
    }
}

/// Bits per second on the wire that an object needs for its deadline, repair symbols and headers included; `None` for one
/// without a deadline. `protection` is that of objects without one of their own.
pub(super) fn needed_bitrate(object: &Object, protection: Protection, now: Time) -> Option<u64> {
    let time = match object.deadline? {
        Deadline::Within(time) => time,
        Deadline::At(time) => time.since(now),
    };
    let protection = object.fec.as_ref().map_or(protection, |fec| fec.protection);
    // In thousandths of the source symbols, of a block of a thousand; headers are a tenth of a packet at most.
    let symbols = 1000 + u128::from(protection.repair_symbols(1000));
    let bits = u128::from(object.source.len()) * 8 * symbols / 1000 * 11 / 10;
    let nanoseconds = time.max(Duration::from_millis(1)).as_nanos();
    let bitrate = bits * 1_000_000_000 / nanoseconds;
    Some(u64::try_from(bitrate).unwrap_or(u64::MAX).min(MAX_NEEDED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(length: usize, deadline: Option<Deadline>) -> Object {
        let mut object = Object::new("a", vec![0u8; length]);
        object.deadline = deadline;
        object
    }

    #[test]
    fn deadlines_need_their_rate() {
        let now = Time::from_unix(Duration::from_secs(1_000));
        let none = Protection::Symbols(0);
        let within = |seconds| Some(Deadline::Within(Duration::from_secs(seconds)));
        assert_eq!(needed_bitrate(&object(1_000_000, None), none, now), None);
        assert_eq!(needed_bitrate(&object(1_000_000, within(2)), none, now), Some(4_400_000));
        assert_eq!(needed_bitrate(&object(1_000_000, within(2)), Protection::Percent(50.0), now), Some(6_600_000));
        let at = Some(Deadline::At(now + Duration::from_secs(4)));
        assert_eq!(needed_bitrate(&object(1_000_000, at), none, now), Some(2_200_000));
        let past = Some(Deadline::At(now));
        assert_eq!(needed_bitrate(&object(100_000_000, past), none, now), Some(MAX_NEEDED));
    }

    #[test]
    fn the_rate_is_that_of_all_deadlines_and_the_default() {
        let mut rate = DefaultRate::default();
        let toi = |toi| Toi::new(toi).unwrap();
        assert_eq!(rate.bitrate(), DEFAULT_BITRATE);
        rate.add(toi(1), 5_000_000);
        rate.add(toi(2), 40_000_000);
        assert_eq!(rate.bitrate(), 65_000_000);
        assert!(rate.remove(toi(1)) && !rate.remove(toi(1)) && !rate.remove(toi(3)));
        assert_eq!(rate.bitrate(), 60_000_000);
    }
}
