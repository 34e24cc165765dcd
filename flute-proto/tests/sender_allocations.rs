// SPDX-License-Identifier: MPL-2.0

//! A sender in its stride allocates no memory for its packets.

use std::io::Write;
use std::time::Duration;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::sender::{
    Batch, Carousel, FecConfig, FecScheme, FileSource, Interval, Object, Pacing, PacketOverhead, Poll, Sender,
    SenderConfig,
};

/// Allocations in a second of a session that sends ten thousand packets and more, beyond those of FDT Instances.
fn allocations(fec: FecConfig, object: Object) -> (u64, u64) {
    let mut now = Time::from_unix(Duration::from_secs(1_800_000_000));
    let pacing = Pacing::default().bitrate(150_000_000).overhead(PacketOverhead::UdpIpv4);
    let config = SenderConfig::default().fec(fec).pacing(pacing).interleave(2);
    let mut sender = Sender::new(config, now).unwrap();
    sender.add(object, now).unwrap();
    let mut batch = Batch::new(64);
    let mut run = |end: Time| {
        while now < end {
            while sender.poll_event().is_some() {}
            match sender.poll(now, &mut batch) {
                Poll::Packets => {}
                Poll::Wait(at) => now = at.max(now),
                poll => panic!("{poll:?}"),
            }
        }
        sender.stats().packets
    };
    // The first blocks bring the buffers up to size.
    let warm = Time::from_unix(Duration::from_millis(1_800_000_000_500));
    let before = run(warm);
    let mut after = 0;
    // Until just in front of the next repetition of the table.
    let counted = allocation_counter::measure(|| after = run(warm + Duration::from_millis(450)));
    (counted.count_total, after - before)
}

fn endless(mut object: Object) -> Object {
    object.carousel = Carousel { transfers: None, interval: Interval::Delay(Duration::from_secs(1)) };
    object
}

#[test]
fn none_per_packet() {
    // Whole blocks of 60, 300 and 1000 symbols.
    let bytes = vec![7; 30_000 * 1400];
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    for (scheme, block) in [
        (FecScheme::NoCode, 64),
        (FecScheme::ReedSolomon8, 60),
        (FecScheme::ReedSolomon8SmallBlock, 128),
        (FecScheme::ReedSolomon2m { m: 16, symbols_per_packet: 1 }, 300),
        (FecScheme::Raptor, 1000),
        (FecScheme::RaptorQ, 1000),
    ] {
        let protection = Protection::Percent(5.0);
        let fec = FecConfig::default()
            .scheme(scheme)
            .protection(protection)
            .symbol_size(1400)
            .max_source_block_length(Some(block));
        for object in
            [Object::new("memory", bytes.clone()), Object::new("file", FileSource::open(file.path()).unwrap())]
        {
            let location = object.location.clone();
            let (allocations, packets) = allocations(fec, endless(object));
            assert!(packets > 5_000, "{packets}");
            // Reed-Solomon lists the symbols of a block while it makes repair symbols of them: a few times per block.
            let blocks = match scheme {
                FecScheme::NoCode | FecScheme::Raptor | FecScheme::RaptorQ => 0,
                _ => packets / u64::from(block) + 1,
            };
            assert!(allocations <= 5 * blocks, "{scheme:?} from {location}: {allocations} in {packets} packets");
        }
    }
}

#[test]
fn a_long_file_takes_little_memory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // Of zeros that take no room on the disk.
    file.as_file().set_len(700 << 20).unwrap();
    for (scheme, block) in [(FecScheme::NoCode, 64), (FecScheme::NoCode, 60_000), (FecScheme::ReedSolomon8, 60)] {
        let now = Time::from_unix(Duration::from_secs(1_800_000_000));
        let protection = Protection::Percent(5.0);
        let fec = FecConfig::default()
            .scheme(scheme)
            .protection(protection)
            .symbol_size(1400)
            .max_source_block_length(Some(block));
        let config = SenderConfig::default().fec(fec).interleave(4);
        let mut transfers = 0;
        let counted = allocation_counter::measure(|| {
            let mut sender = Sender::new(config, now).unwrap();
            sender.add(Object::new("file", FileSource::open(file.path()).unwrap()), now).unwrap();
            let mut batch = Batch::new(64);
            while let Poll::Packets = sender.poll(now, &mut batch) {}
            transfers = sender.stats().transfers;
        });
        assert_eq!(transfers, 1);
        assert!(counted.bytes_max < 4 << 20, "{} bytes for {scheme:?} in blocks of {block}", counted.bytes_max);
    }
}
