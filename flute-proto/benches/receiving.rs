// SPDX-License-Identifier: MPL-2.0

//! How fast a receiver takes packets, beside the `flute` crate: `cargo bench -p flute-proto --bench receiving`, or only the
//! cases whose name has a text in it: `… --bench receiving -- Raptor`.
//!
//! 256 MiB, as one object and as segments of 1 MiB, symbols of 1400 bytes, interleave 4, no digest, one thread, packets
//! prepared in memory. First with objects that are only counted, as they arrive; then with objects that are delivered in
//! memory, and in files without a name in the system's temporary folder: what the other crate takes for the same is the
//! time to count them, since it has no such destinations.
//!
//! Both take the same packets, in turns, and the best turn of each counts. MB/s of object data per second of processor
//! time, of all that was sent where packets are lost.
//!
//! Then what one object of 4 KiB costs, with its FDT Instance, when a session has had more and more of them.

use std::cell::Cell;
use std::hint::black_box;
use std::io;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use flute::core::UDPEndpoint;
use flute::receiver as peer;
use flute::receiver::writer::{
    ObjectMetadata, ObjectWriter as PeerWriter, ObjectWriterBuilder, ObjectWriterBuilderResult,
};
use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::receiver::{Content, Destination, Endpoints, Event, Limits, ObjectWriter, Receiver, ReceiverConfig};
use flute_proto::sender::{Batch, FecConfig, FecScheme, Object, Poll, Sender, SenderConfig};

const LENGTH: usize = 256 << 20;
/// A media segment.
const SEGMENT: usize = 1 << 20;
const SYMBOL: u16 = 1400;
const TURNS: usize = 3;
/// Packets that a system call brings: as many as segmentation offload merges.
const RECEIVED_AT_A_TIME: usize = 44;
const START: Duration = Duration::from_secs(1_800_000_000);

/// All packets of a session, one after the other.
struct Packets {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Packets {
    fn of(config: SenderConfig, objects: Vec<Object>) -> Self {
        let now = Time::from_unix(START);
        let mut sender = Sender::new(config, now).expect("configuration");
        for object in objects {
            sender.add(object, now).expect("object");
        }
        let mut batch = Batch::new(64);
        let mut packets = Self { bytes: Vec::new(), ends: Vec::new() };
        loop {
            match sender.poll(now, &mut batch) {
                Poll::Packets => {
                    for packet in batch.packets() {
                        packets.bytes.extend_from_slice(packet);
                        packets.ends.push(packets.bytes.len());
                    }
                }
                Poll::Wait(at) if at <= now => {}
                _ => return packets,
            }
        }
    }

    /// The packets that arrive. Those of FDT Instances, which are the first, always do.
    fn arriving(&self, percent_lost: u64) -> impl Iterator<Item = &[u8]> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut start = 0;
        self.ends.iter().enumerate().filter_map(move |(index, &end)| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let packet = &self.bytes[start..end];
            start = end;
            (index < 100 || (state >> 33) % 100 >= percent_lost).then_some(packet)
        })
    }

    /// Gives a receiver the packets that arrive, out of a buffer into which they are copied some at a time, as a system
    /// does it: 256 MiB of packets that were never touched would measure the memory of the machine. Returns the processor
    /// time that `push` took.
    fn give(&self, percent_lost: u64, mut push: impl FnMut(&[u8])) -> Duration {
        let mut arriving = self.arriving(percent_lost).peekable();
        let (mut buffer, mut ends) = (Vec::new(), Vec::new());
        let mut time = Duration::ZERO;
        while arriving.peek().is_some() {
            buffer.clear();
            ends.clear();
            for packet in arriving.by_ref().take(RECEIVED_AT_A_TIME) {
                buffer.extend_from_slice(packet);
                ends.push(buffer.len());
            }
            let start = cpu_time();
            let mut begin = 0;
            for &end in &ends {
                push(&buffer[begin..end]);
                begin = end;
            }
            time += cpu_time() - start;
        }
        time
    }
}

/// What this thread has taken of a processor: a busy machine disturbs it less than the wall clock.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Processor time, and bytes that were delivered.
type Figures = (Duration, u64);

/// Where objects go.
#[derive(Clone, Copy)]
enum Place {
    Counted,
    Memory,
    Files,
}

/// Counts the bytes of one object.
#[derive(Debug, Default)]
struct Count {
    bytes: u64,
}

impl ObjectWriter for Count {
    fn write_at(&mut self, _: u64, bytes: &[u8]) -> io::Result<()> {
        self.bytes += black_box(bytes).len() as u64;
        Ok(())
    }

    fn complete(&mut self, length: u64) -> io::Result<()> {
        assert_eq!(self.bytes, length);
        Ok(())
    }

    fn abandon(&mut self) {}
}

fn ours(packets: &Packets, percent_lost: u64, place: Place) -> Figures {
    let now = Time::from_unix(START);
    let limits = Limits::default().max_memory(1 << 30).max_objects(1 << 20);
    let config = ReceiverConfig::default().limits(limits).spool_directory(Some(std::env::temp_dir()));
    let mut receiver = Receiver::with_destinations(config, move |_| match place {
        Place::Counted => Destination::writer(Count::default()),
        Place::Memory => Destination::memory(),
        Place::Files => Destination::spool(),
    });
    let endpoints = Endpoints { source: "192.0.2.1:5000".parse().ok(), destination: "239.1.1.1:3400".parse().ok() };
    let mut delivered = 0;
    let time = packets.give(percent_lost, |packet| {
        receiver.push(endpoints, packet, now);
        while let Some(event) = receiver.poll_event() {
            if let Event::Completed { object, content } = event {
                delivered += match black_box(content) {
                    Content::Memory(bytes) => bytes.len() as u64,
                    Content::File { length, .. } => length,
                    _ => object.transfer_length,
                };
            }
        }
    });
    (time, delivered)
}

/// Counts the bytes of objects.
struct Counter(Rc<Cell<u64>>);

impl ObjectWriterBuilder for Counter {
    fn new_object_writer(
        &self,
        _: &UDPEndpoint,
        _: &u64,
        _: &u128,
        _: &ObjectMetadata,
        _: SystemTime,
    ) -> ObjectWriterBuilderResult {
        ObjectWriterBuilderResult::StoreObject(Box::new(CountingWriter { all: self.0.clone(), own: Cell::new(0) }))
    }

    fn update_cache_control(&self, _: &UDPEndpoint, _: &u64, _: &u128, _: &ObjectMetadata, _: SystemTime) {}

    fn fdt_received(
        &self,
        _: &UDPEndpoint,
        _: &u64,
        _: &str,
        _: SystemTime,
        _: &ObjectMetadata,
        _: Duration,
        _: SystemTime,
        _: Option<SystemTime>,
    ) {
    }
}

struct CountingWriter {
    all: Rc<Cell<u64>>,
    own: Cell<u64>,
}

impl PeerWriter for CountingWriter {
    fn open(&self, _: SystemTime) -> flute::error::Result<()> {
        Ok(())
    }

    fn write(&self, _: u32, data: &[u8], _: SystemTime) -> flute::error::Result<()> {
        self.own.set(self.own.get() + black_box(data).len() as u64);
        Ok(())
    }

    fn complete(&self, _: SystemTime) {
        self.all.set(self.all.get() + self.own.get());
    }

    fn error(&self, _: SystemTime) {}

    fn interrupted(&self, _: SystemTime) {}

    fn enable_md5_check(&self) -> bool {
        false
    }
}

fn theirs(packets: &Packets, percent_lost: u64) -> Figures {
    let now = SystemTime::UNIX_EPOCH + START;
    let delivered = Rc::new(Cell::new(0));
    let config = peer::Config { object_max_cache_size: Some(1 << 30), ..peer::Config::default() };
    let mut receiver = peer::MultiReceiver::new(Rc::new(Counter(delivered.clone())), Some(config), false);
    let endpoint = UDPEndpoint::new(None, "239.1.1.1".to_owned(), 3400);
    let time = packets.give(percent_lost, |packet| {
        // A packet that it does not like is its own affair: what counts is what it delivers.
        let _ = receiver.push(&endpoint, packet, now);
    });
    (time, delivered.get())
}

/// MB/s of the best turn, and how much of the objects was delivered.
fn best(turns: &[Figures], length: usize) -> (f64, f64) {
    let time = turns.iter().map(|(time, _)| *time).min().unwrap_or_default().as_secs_f64();
    let share = turns.iter().map(|(_, delivered)| *delivered).min().unwrap_or_default() as f64 / length as f64;
    (length as f64 / time / 1e6, share)
}

fn codes(wanted: &str) {
    let heads = ["counted", "delivered in memory", "delivered in files"];
    let mut tables = heads.map(|head| {
        format!(
            "\nObjects that are {head}:\n\n\
            | case | objects | lost | flute 1.11.7, MB/s | delivered | flute-proto, MB/s | delivered | ratio |\n\
            |---|---|---|---|---|---|---|---|\n"
        )
    });
    for (name, scheme, source, repair) in [
        ("no-code, blocks of 64", FecScheme::NoCode, 64, 0),
        ("RS 129 (60,4)", FecScheme::ReedSolomon8SmallBlock, 60, 4),
        ("RS 129 (128,32)", FecScheme::ReedSolomon8SmallBlock, 128, 32),
        ("RaptorQ 1000+100", FecScheme::RaptorQ, 1000, 100),
        ("Raptor 1000+100", FecScheme::Raptor, 1000, 100),
    ]
    .into_iter()
    .filter(|(name, ..)| name.contains(wanted))
    {
        let fec = FecConfig::default()
            .scheme(scheme)
            .symbol_size(SYMBOL)
            .max_source_block_length(Some(source))
            .protection(Protection::Symbols(repair));
        let config = SenderConfig::default().fec(fec).interleave(4);
        let content: Vec<u8> = (0..LENGTH).map(|index| (index * 31 + index / 7) as u8).collect();
        for (object, percent_lost) in [(LENGTH, 0), (LENGTH, 5), (SEGMENT, 0), (SEGMENT, 5)] {
            let objects = content.chunks(object).enumerate();
            let objects = objects.map(|(index, bytes)| Object::new(format!("file:///{index}"), bytes.to_vec()));
            let packets = Packets::of(config.clone(), objects.collect());
            let mut them = Vec::new();
            let mut us = [const { Vec::new() }; 3];
            for _ in 0..TURNS {
                them.push(theirs(&packets, percent_lost));
                for (place, us) in [Place::Counted, Place::Memory, Place::Files].into_iter().zip(&mut us) {
                    us.push(ours(&packets, percent_lost, place));
                }
            }
            let (their_rate, their_share) = best(&them, LENGTH);
            for (us, table) in us.iter().zip(&mut tables) {
                let (our_rate, our_share) = best(us, LENGTH);
                let line = format!(
                    "| {name} | {} | {percent_lost} % | {their_rate:.0} | {:.0} % | {our_rate:.0} | {:.0} % | {:.1} |\n",
                    LENGTH / object,
                    100.0 * their_share,
                    100.0 * our_share,
                    our_rate / their_rate
                );
                eprint!("{line}");
                table.push_str(&line);
            }
        }
    }
    tables.iter().for_each(|table| print!("{table}"));
}

fn scale() {
    println!();
    println!("| objects of 4 KiB | µs per object | delivered |");
    println!("|---|---|---|");
    for objects in [10_000, 20_000, 50_000, 100_000] {
        let content: std::sync::Arc<[u8]> = vec![7; 4096].into();
        let all = (0..objects).map(|index| Object::new(format!("file:///{index}"), content.clone()));
        let packets = Packets::of(SenderConfig::default(), all.collect());
        let (time, delivered) = ours(&packets, 0, Place::Memory);
        println!("| {objects} | {:.2} | {} |", time.as_secs_f64() * 1e6 / f64::from(objects), delivered / 4096);
    }
}

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    codes(wanted.as_deref().unwrap_or_default());
    if wanted.is_none() {
        scale();
    }
}
