// SPDX-License-Identifier: MPL-2.0

//! What the packets of an MPEG transport stream say of its time (ISO/IEC 13818-1 §2.4.3).

use std::time::Duration;

const SYNC_BYTE: u8 = 0x47;

/// Bytes of a packet as such, behind a time code (M2TS), and with parity bytes (DVB).
const PACKET_SIZES: [usize; 3] = [188, 192, 204];

/// Ticks per second of the system clock.
const CLOCK_RATE: u64 = 27_000_000;

/// After so many ticks a Program Clock Reference begins anew: 33 bits of 90 kHz.
const WRAP: u64 = (1 << 33) * 300;

/// Program Clock References of a segment, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Transport {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// Whether the bytes are packets of a transport stream; a segment of one packet is none.
pub(super) fn is_transport_stream(bytes: &[u8]) -> bool {
    packets(bytes).is_some()
}

/// The packets, without what stands around them.
fn packets(bytes: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let (start, size) = PACKET_SIZES.into_iter().find_map(|size| {
        let start = if size == 192 { 4 } else { 0 };
        let is_sync = |index: usize| bytes.get(start + index * size) == Some(&SYNC_BYTE);
        ((0..2).all(is_sync)).then_some((start, size))
    })?;
    Some(bytes[start..].chunks(size).filter_map(|packet| packet.get(..188)).filter(|packet| packet[0] == SYNC_BYTE))
}

/// The Program Clock Reference in the adaptation field of a packet.
fn clock_reference(packet: &[u8]) -> Option<u64> {
    let has_field = packet[3] & 0x20 != 0 && packet[4] >= 7 && packet[5] & 0x10 != 0;
    let [a, b, c, d, e, f] = *packet.get(6..12)?.first_chunk()?;
    let base = u64::from(u32::from_be_bytes([a, b, c, d])) << 1 | u64::from(e >> 7);
    let extension = u64::from(e & 1) << 8 | u64::from(f);
    has_field.then_some(base * 300 + extension)
}

fn program(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[1], packet[2]]) & 0x1fff
}

/// The first and the last reference of the program that has the first one.
pub(super) fn read(bytes: &[u8]) -> Option<Transport> {
    let mut references = packets(bytes)?.filter_map(|packet| Some((program(packet), clock_reference(packet)?)));
    let (pid, first) = references.next()?;
    let last = references.filter(|(other, _)| *other == pid).map(|(_, last)| last).last().unwrap_or(first);
    Some(Transport { first, last })
}

impl Transport {
    /// The two as times that do not begin anew, given a time that is not half a day away.
    pub(super) fn times(&self, near: Option<Duration>) -> (Duration, Duration) {
        let time = |ticks: u64| {
            let (seconds, rest) = (ticks / CLOCK_RATE, ticks % CLOCK_RATE);
            Duration::from_secs(seconds) + Duration::from_nanos(rest * 1000 / 27)
        };
        let near = near.and_then(|near| u64::try_from(near.as_nanos() * 27 / 1000).ok()).unwrap_or(self.first);
        let start = nearest(self.first, near);
        (time(start), time(nearest(self.last, start)))
    }
}

/// The number of ticks that is this one but for whole wraps, and is the closest to another.
fn nearest(ticks: u64, near: u64) -> u64 {
    let wrapped = near - near % WRAP + ticks;
    if wrapped > near && wrapped - near > WRAP / 2 {
        wrapped.checked_sub(WRAP).unwrap_or(wrapped)
    } else if near > wrapped && near - wrapped > WRAP / 2 {
        wrapped + WRAP
    } else {
        wrapped
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A packet with a Program Clock Reference.
    pub(in super::super) fn packet(pid: u16, ticks: u64) -> Vec<u8> {
        let (base, extension) = (ticks / 300, ticks % 300);
        let mut packet = vec![SYNC_BYTE, (pid >> 8) as u8, pid as u8, 0x30, 7, 0x10];
        packet.extend(((base >> 1) as u32).to_be_bytes());
        packet.extend([((base & 1) as u8) << 7 | 0x7e | (extension >> 8) as u8, extension as u8]);
        packet.resize(188, 0xff);
        packet
    }

    /// A packet without one.
    pub(in super::super) fn plain_packet(pid: u16) -> Vec<u8> {
        let mut packet = vec![SYNC_BYTE, (pid >> 8) as u8, pid as u8, 0x10];
        packet.resize(188, 0x10);
        packet
    }

    #[test]
    fn references() {
        let second = CLOCK_RATE;
        let stream =
            [plain_packet(0), packet(256, 10 * second + 299), packet(257, 1), packet(256, 12 * second)].concat();
        let transport = read(&stream).unwrap();
        assert_eq!(transport, Transport { first: 10 * second + 299, last: 12 * second });
        let (start, end) = transport.times(None);
        assert_eq!((start.as_nanos(), end), (10_000_011_074, Duration::from_secs(12)));
        assert_eq!(read(&[plain_packet(0), plain_packet(1)].concat()), None);
        assert!(is_transport_stream(&[plain_packet(0), plain_packet(1)].concat()));
        assert!(!is_transport_stream(b"<MPD>"));
        assert!(!is_transport_stream(&[]));
    }

    #[test]
    fn packets_with_something_around_them() {
        let second = CLOCK_RATE;
        for (before, after) in [(4, 0), (0, 16)] {
            let wrapped = |packet: Vec<u8>| [vec![0; before], packet, vec![0; after]].concat();
            let stream = [wrapped(packet(256, second)), wrapped(packet(256, 2 * second))].concat();
            assert_eq!(read(&stream), Some(Transport { first: second, last: 2 * second }));
        }
    }

    #[test]
    fn the_clock_goes_on_when_it_wraps() {
        let second = CLOCK_RATE;
        let before = Transport { first: WRAP - second, last: second };
        let (start, end) = before.times(None);
        assert_eq!(end - start, Duration::from_secs(2));
        let after = Transport { first: second, last: 3 * second };
        assert_eq!(after.times(Some(end)).0, end);
        assert_eq!(before.times(Some(end)).0, start, "back over the wrap");
        assert_eq!(after.times(None).0, Duration::from_secs(1));
    }
}
