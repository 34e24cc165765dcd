// SPDX-License-Identifier: MPL-2.0

//! Every target with the inputs that a fuzzer begins with, and with some that are like them.

use std::path::Path;
use std::process::Command;

use flute_fuzz::TARGETS;

/// Inputs that are made of each.
const VARIANTS: u64 = 20;

/// Numbers that look random and are the same every time (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }
}

/// Some bytes are changed, and now and then the end is cut off or the beginning repeated.
fn varied(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=random.below(4) {
        let place = random.below(input.len());
        if let Some(byte) = input.get_mut(place) {
            *byte ^= 1 << random.below(8);
        }
    }
    match random.below(8) {
        0 => input.truncate(random.below(seed.len())),
        1 => input.extend_from_within(..random.below(seed.len())),
        _ => {}
    }
    input
}

#[test]
fn seeds_and_inputs_like_them_keep_every_promise() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = tempfile::tempdir().unwrap();
    let made = Command::new("python3").arg(folder.join("seeds.py")).arg(corpus.path()).status();
    assert!(made.is_ok_and(|status| status.success()), "seeds.py");
    for (name, run) in TARGETS {
        let mut seeds: Vec<_> =
            std::fs::read_dir(corpus.path().join(name)).unwrap().map(|seed| seed.unwrap()).collect();
        seeds.sort_by_key(|seed| seed.file_name());
        // There are more where captures of other senders are.
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            let seed = std::fs::read(seed.path()).unwrap();
            run(&seed);
            let mut random = Random(seed.len() as u64 * 2 + 1);
            (0..VARIANTS).for_each(|_| run(&varied(&seed, &mut random)));
        }
    }
}
