// SPDX-License-Identifier: MPL-2.0

//! The table of the README: `cargo bench -p flute-fec --bench table` prints it, and with `-- --write` puts it there.
//! Words behind `--` choose the codes whose names have them all.
//!
//! The contenders of a case take turns, so that what disturbs the machine disturbs all of them. Time is that of the
//! thread, without what others on the machine take, where the system tells it.

mod cases;

use std::collections::BTreeMap;
use std::time::Duration;

use cases::{Case, Contender, Work, products};
use flute_fec::Kernel;

/// Time for all turns of a contender, but for the slowest.
const TIME: Duration = Duration::from_millis(300);

/// A turn takes about so long, but one run at least.
const TURN: Duration = Duration::from_millis(1);

/// Columns of the table.
const CRATES: [&str; 5] = ["flute-fec", "reed-solomon-erasure", "reed-solomon-simd", "raptorq", "raptor-code"];

/// Instructions of interest.
const FLAGS: [&str; 6] = ["ssse3", "avx2", "avx512f", "avx512bw", "gfni", "asimd"];

/// Between these lines of the README.
const MARKS: [&str; 2] = ["<!-- made by the bench `table` -->\n", "<!-- until here -->\n"];

/// GB/s of each crate.
type Speeds = BTreeMap<&'static str, f64>;

/// Seconds of one run, measured over a turn of `runs`.
fn turn(contender: &mut Contender, runs: u32) -> f64 {
    let start = now();
    (0..runs).for_each(|_| (contender.run)());
    (now() - start).as_secs_f64() / f64::from(runs)
}

/// Processor time of this thread.
#[cfg(target_os = "linux")]
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Time since the first call.
#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

fn measure(mut case: Case) -> Speeds {
    let mut longest = TURN.as_secs_f64();
    let runs: Vec<u32> = case
        .contenders
        .iter_mut()
        .map(|contender| {
            (contender.run)();
            let seconds = turn(contender, 1);
            longest = longest.max(seconds);
            (TURN.as_secs_f64() / seconds).clamp(1.0, 1e6) as u32
        })
        .collect();
    let turns = (TIME.as_secs_f64() / longest).clamp(5.0, 300.0) as usize;
    let mut seconds = vec![Vec::new(); runs.len()];
    for _ in 0..turns {
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

/// The processor, and its instructions of interest.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    };
    let has: Vec<_> = field("flags").split(' ').chain(field("Features").split(' ')).collect();
    let flags: Vec<_> = FLAGS.into_iter().filter(|flag| has.contains(flag)).collect();
    let name = match field("model name") {
        "" => std::env::consts::ARCH,
        name => name,
    };
    format!("{name} ({}), one thread, kernel `{}`.", flags.join(" "), Kernel::chosen())
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<_> = std::iter::once(name.to_owned()).chain(cells).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn cell(encode: &Speeds, decode: &Speeds, name: &str) -> String {
    match (encode.get(name), decode.get(name)) {
        (Some(encode), Some(decode)) => format!("{encode:.2} / {decode:.2}"),
        _ => String::new(),
    }
}

/// How fast this crate is, compared with another contender.
fn ratio(encode: &Speeds, decode: &Speeds, name: &str) -> String {
    let of = |speeds: &Speeds| Some(speeds.get(CRATES[0])? / speeds.get(name)?);
    match (of(encode), of(decode)) {
        (Some(encode), Some(decode)) => format!("{encode:.2} / {decode:.2}"),
        _ => String::new(),
    }
}

/// The cells of a code: the speeds, and how they compare.
fn cells(encode: &Speeds, decode: &Speeds) -> impl Iterator<Item = String> {
    let speeds = CRATES.into_iter().chain([products::NAME]).map(|name| cell(encode, decode, name));
    speeds.chain([products::NAME, CRATES[1]].map(|name| ratio(encode, decode, name)))
}

fn main() {
    let mut text = format!("{}\n\n", machine());
    let ratios = [products::NAME, CRATES[1]].map(|name| format!("ratio to {name}"));
    let columns: Vec<_> = CRATES.into_iter().chain([products::NAME]).map(str::to_owned).chain(ratios).collect();
    let aligned = columns.iter().map(|_| "---:".to_owned()).collect::<Vec<_>>();
    text += &row("GB/s of source data, encode / decode", columns);
    text += &row("---", aligned);
    print!("{text}");
    let mut encode = Speeds::new();
    let filter: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for make in cases::all() {
        let case = make();
        if !filter.iter().all(|part| case.name.contains(part)) {
            continue;
        }
        let (name, work) = (case.name.clone(), case.work);
        let speeds = measure(case);
        match work {
            Work::Encode => encode = speeds,
            Work::Decode => {
                let line = row(&name, cells(&encode, &speeds));
                print!("{line}");
                text += &line;
            }
        }
    }
    if std::env::args().any(|argument| argument == "--write") {
        write(&text);
    }
}

/// Puts the table into the README.
fn write(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("there is a README");
    let (before, rest) = readme.split_once(MARKS[0]).expect("the README has a mark before the table");
    let (_, after) = rest.split_once(MARKS[1]).expect("the README has a mark after the table");
    let [start, end] = MARKS;
    std::fs::write(path, format!("{before}{start}\n{table}\n{end}{after}")).expect("the README can be written");
}
