// SPDX-License-Identifier: MPL-2.0

//! A network that loses packets in bursts, sends some twice and lets others overtake each other, the same way every time.

/// Losses, in packets of ten thousand: a burst begins after a packet, and ends after one. Bursts of four packets on
/// average, five of a hundred packets altogether.
const BURST_BEGINS: u64 = 132;
const BURST_ENDS: u64 = 2500;
/// Packets that come twice, of ten thousand.
const DUPLICATED: u64 = 300;
/// Places by which a packet may be late.
const REORDERED_WITHIN: u64 = 30;

/// Numbers that look random and are the same every time (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }

    fn happens(&mut self, of_ten_thousand: u64) -> bool {
        self.below(10_000) < of_ten_thousand
    }
}

/// The network, which is the same one for the whole test.
pub(crate) struct Network {
    random: Random,
    in_burst: bool,
    pub(crate) sent: u64,
    pub(crate) lost: u64,
}

impl Network {
    pub(crate) fn new() -> Self {
        Self { random: Random(1), in_burst: false, sent: 0, lost: 0 }
    }

    /// What arrives of these packets, in the order in which it does.
    pub(crate) fn carry<'a>(&mut self, packets: &'a [Vec<u8>]) -> Vec<&'a Vec<u8>> {
        let mut order = Vec::new();
        for (place, packet) in packets.iter().enumerate() {
            self.sent += 1;
            self.in_burst =
                if self.in_burst { !self.random.happens(BURST_ENDS) } else { self.random.happens(BURST_BEGINS) };
            if self.in_burst {
                self.lost += 1;
                continue;
            }
            let copies = if self.random.happens(DUPLICATED) { 2 } else { 1 };
            for _ in 0..copies {
                order.push((place as u64 + self.random.below(REORDERED_WITHIN + 1), packet));
            }
        }
        order.sort_by_key(|(place, _)| *place);
        order.into_iter().map(|(_, packet)| packet).collect()
    }
}
