// SPDX-License-Identifier: MPL-2.0

//! Encoding and decoding with every code, beside other crates.

mod cases;

use std::time::Duration;

use criterion::{Criterion, Throughput};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for make in cases::all() {
        let case = make();
        let mut group = criterion.benchmark_group(format!("{}, {:?}", case.name, case.work));
        group.throughput(Throughput::Bytes(case.source_bytes as u64));
        for mut contender in case.contenders {
            group.bench_function(contender.name, |bencher| bencher.iter(&mut contender.run));
        }
    }
    criterion.final_summary();
}
