// SPDX-License-Identifier: MPL-2.0

//! How fast a sender makes packets, beside the `flute` crate: `cargo bench -p flute-proto --bench sending`.
//!
//! 256 MiB in memory, symbols of 1400 bytes, interleave 4, no digest, one thread. The two take turns, so that what disturbs
//! the machine disturbs both, and the best turn of each counts. It is one object, except with FEC Encoding ID 5: there the
//! other crate has at most 255 source blocks, so it is several. Memory allocations are counted in turns of their own, of
//! one object in two lengths: what differs belongs to the packets, and not to the object.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use flute::core::{Oti, UDPEndpoint};
use flute::sender as peer;
use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::sender::{Batch, FecConfig, FecScheme, Object, Poll, Sender, SenderConfig, Source};

const LENGTH: usize = 256 << 20;
const SHORT: usize = 16 << 20;
const SYMBOL: u16 = 1400;
const TURNS: usize = 3;

struct Case {
    name: &'static str,
    scheme: FecScheme,
    /// Source and repair symbols of a block.
    block: (u16, u16),
    /// Bytes of an object, at most.
    object: usize,
    oti: Oti,
}

fn cases() -> Vec<Case> {
    let case = |name, scheme, block, oti| Case { name, scheme, block, object: LENGTH, oti };
    vec![
        case("no-code, blocks of 64", FecScheme::NoCode, (64, 0), Oti::new_no_code(SYMBOL, 64)),
        Case {
            object: SHORT,
            ..case(
                "RS 5 (60,4)",
                FecScheme::ReedSolomon8,
                (60, 4),
                Oti::new_reed_solomon_rs28(SYMBOL, 60, 4).expect("parameters"),
            )
        },
        case(
            "RS 129 (128,32)",
            FecScheme::ReedSolomon8SmallBlock,
            (128, 32),
            Oti::new_reed_solomon_rs28_under_specified(SYMBOL, 128, 32).expect("parameters"),
        ),
        case(
            "RaptorQ 1000+100",
            FecScheme::RaptorQ,
            (1000, 100),
            Oti::new_raptorq(SYMBOL, 1000, 100, 1, 4).expect("parameters"),
        ),
        case(
            "Raptor 1000+100",
            FecScheme::Raptor,
            (1000, 100),
            Oti::new_raptor(SYMBOL, 1000, 100, 1, 4).expect("parameters"),
        ),
    ]
}

/// An object of zeros and ones in memory that is made only once.
#[derive(Clone, Debug)]
struct Shared(&'static [u8]);

impl Source for Shared {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.copy_from_slice(&self.0[offset as usize..][..buffer.len()]);
        Ok(())
    }

    fn as_slice(&self) -> Option<&[u8]> {
        Some(self.0)
    }
}

/// What sending an object took.
#[derive(Clone, Copy, Default)]
struct Figures {
    time: Duration,
    packets: u64,
    longest: Duration,
}

fn ours(case: &Case, content: &'static [u8]) -> Figures {
    let now = Time::from_unix(Duration::from_secs(1_800_000_000));
    let fec = FecConfig::default()
        .scheme(case.scheme)
        .symbol_size(SYMBOL)
        .max_source_block_length(Some(case.block.0.into()))
        .protection(Protection::Symbols(case.block.1.into()));
    let config = SenderConfig::default().fec(fec).interleave(4);
    let mut sender = Sender::new(config, now).expect("configuration");
    for (number, content) in content.chunks(case.object).enumerate() {
        sender.add(Object::new(format!("file:///{number}"), Shared(content)), now).expect("object");
    }
    let mut batch = Batch::new(64);
    let mut figures = Figures::default();
    let start = Instant::now();
    loop {
        let before = Instant::now();
        let poll = sender.poll(now, &mut batch);
        figures.longest = figures.longest.max(before.elapsed());
        match poll {
            Poll::Packets => {
                figures.packets += batch.len() as u64;
                black_box(batch.as_bytes());
            }
            Poll::Wait(at) if at <= now => {}
            _ => break,
        }
    }
    figures.time = start.elapsed();
    assert_eq!(sender.stats().transfers, content.len().div_ceil(case.object) as u64);
    figures
}

fn theirs(case: &Case, content: &'static [u8]) -> Figures {
    let now = SystemTime::now();
    let endpoint = UDPEndpoint::new(None, "239.1.1.1".to_owned(), 3400);
    let config = peer::Config { interleave_blocks: 4, ..peer::Config::default() };
    let mut sender = peer::Sender::new(endpoint, 1, &case.oti, &config);
    for (number, content) in content.chunks(case.object).enumerate() {
        let object = peer::CreateFromBuffer::builder()
            .content(content.to_vec())
            .content_type("application/octet-stream".to_owned())
            .content_location(url::Url::parse(&format!("file:///{number}")).expect("URL"))
            .compute_md5(false)
            .build()
            .create()
            .expect("object");
        sender.add_object(0, object).expect("object");
    }
    sender.publish(now).expect("FDT");
    let mut figures = Figures::default();
    let start = Instant::now();
    loop {
        let before = Instant::now();
        let Some(packet) = sender.read(now) else { break };
        figures.longest = figures.longest.max(before.elapsed());
        figures.packets += 1;
        black_box(packet);
    }
    figures.time = start.elapsed();
    figures
}

fn best(turns: &[Figures]) -> f64 {
    let shortest = turns.iter().map(|figures| figures.time).min().unwrap_or_default();
    LENGTH as f64 / shortest.as_secs_f64() / 1e6
}

fn longest(turns: &[Figures]) -> f64 {
    turns.iter().map(|figures| figures.longest).min().unwrap_or_default().as_secs_f64() * 1e3
}

/// Memory allocations per packet of a longer object beyond those of a shorter one.
fn allocations(send: impl Fn(&'static [u8]) -> Figures, content: &'static [u8]) -> f64 {
    let count = |length| {
        let mut packets = 0;
        let counted = allocation_counter::measure(|| packets = send(&content[..length]).packets);
        (counted.count_total as f64, packets as f64)
    };
    let (short, long) = (count(SHORT / 2), count(SHORT));
    (long.0 - short.0) / (long.1 - short.1)
}

fn main() {
    let content: &'static [u8] = Vec::leak((0..LENGTH).map(|index| (index * 31 + index / 7) as u8).collect());
    println!("| case | flute 1.11.7, MB/s | flute-proto, MB/s | ratio | allocations per packet | longest call, ms |");
    println!("|---|---|---|---|---|---|");
    for case in cases() {
        let (mut us, mut them) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            them.push(theirs(&case, content));
            us.push(ours(&case, content));
        }
        println!(
            "| {} | {:.0} | {:.0} | {:.1} | {:.2} / {:.4} | {:.2} / {:.2} |",
            case.name,
            best(&them),
            best(&us),
            best(&us) / best(&them),
            allocations(|content| theirs(&case, content), content),
            allocations(|content| ours(&case, content), content),
            longest(&them),
            longest(&us),
        );
    }
}
