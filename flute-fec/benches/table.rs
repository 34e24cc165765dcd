// SPDX-License-Identifier: MPL-2.0

//! The table of the README: `cargo bench -p flute-fec --bench table`, with `-- --write` to put it there.
//!
//! The contenders of a case take turns, so that what disturbs the machine disturbs all of them; the median counts.

mod cases;

use std::fmt::Write;
use std::time::{Duration, Instant};

use cases::{Case, Contender};

/// Turns of each contender.
const TURNS: usize = 101;

/// A turn takes about so long.
const TURN: Duration = Duration::from_millis(1);

/// Seconds of one run, measured over a turn of `runs`.
fn turn(contender: &mut Contender, runs: u32) -> f64 {
    let start = Instant::now();
    (0..runs).for_each(|_| (contender.run)());
    start.elapsed().as_secs_f64() / f64::from(runs)
}

/// GB/s of each contender.
fn measure(case: &mut Case) -> Vec<(&'static str, f64)> {
    let runs: Vec<u32> = case
        .contenders
        .iter_mut()
        .map(|contender| {
            (contender.run)();
            (TURN.as_secs_f64() / turn(contender, 1)).clamp(1.0, 1e6) as u32
        })
        .collect();
    let mut seconds = vec![Vec::new(); runs.len()];
    for _ in 0..TURNS {
        for ((contender, &runs), seconds) in case.contenders.iter_mut().zip(&runs).zip(&mut seconds) {
            seconds.push(turn(contender, runs));
        }
    }
    let speed = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        case.source_bytes as f64 / seconds[seconds.len() / 2] / 1e9
    };
    case.contenders.iter().map(|contender| contender.name).zip(seconds.into_iter().map(speed)).collect()
}

fn main() {
    let mut text = String::new();
    for make in cases::all() {
        let mut case = make();
        let speeds = measure(&mut case);
        write!(text, "{} {}", case.name, case.work).unwrap();
        for (name, speed) in speeds {
            write!(text, " | {name} {speed:.2}").unwrap();
        }
        println!("{text}");
        text.clear();
    }
}
