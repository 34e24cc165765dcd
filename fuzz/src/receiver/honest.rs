// SPDX-License-Identifier: MPL-2.0

//! A session as a well-meant sender plays it, made by the real one from a few bytes of the input.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::content::ContentEncoding;
use flute_proto::lct::{HeaderWidths, Toi, Tsi};
use flute_proto::profile::Profile;
use flute_proto::sender::{Batch, FdtPolicy, FecConfig, FecScheme, FinishPolicy, Object, Poll, Sender, SenderConfig};

/// Packets of one session are no more than these.
const MAX_PACKETS: usize = 2000;

/// What a sender sent.
pub(crate) struct Session {
    pub(crate) packets: Vec<Vec<u8>>,
    /// Content-Locations and contents.
    pub(crate) objects: Vec<(String, Vec<u8>)>,
    /// A packet says that the session ends, after which a receiver need not wait for others.
    pub(crate) closes: bool,
}

impl Session {
    /// The session that the next bytes of the input stand for; `None` if the sender refuses such a one.
    pub(crate) fn new(input: &mut Unstructured<'_>, tsi: Tsi, now: Time) -> Result<Option<Self>> {
        let config = config(input, tsi)?;
        let closes = config.close_session;
        let Ok(mut sender) = Sender::new(config, now) else { return Ok(None) };
        let mut objects = Vec::new();
        for number in 0..input.int_in_range(1..=4u8)? {
            let location = format!("http://example.com/{number}");
            let content = content(input)?;
            let mut object = Object::new(location.clone(), content.clone());
            // The only promise that the content of a session that was tampered with can be held to.
            object.md5 = true;
            object.priority = u32::from(number) % 2;
            if sender.add(object, now).is_ok() {
                objects.push((location, content));
            }
        }
        sender.finish(FinishPolicy::FinishTransfers, now);

        let mut packets = Vec::new();
        let (mut now, mut batch) = (now, Batch::new(16));
        loop {
            match sender.poll(now, &mut batch) {
                Poll::Packets => packets.extend(batch.packets().map(<[u8]>::to_vec)),
                Poll::Wait(at) => now = at.max(now),
                Poll::Idle | Poll::Done => break,
            }
            if packets.len() > MAX_PACKETS {
                return Ok(None);
            }
        }
        Ok(Some(Self { packets, objects, closes }))
    }
}

fn config(input: &mut Unstructured<'_>, tsi: Tsi) -> Result<SenderConfig> {
    let scheme = *input.choose(&[
        FecScheme::NoCode,
        FecScheme::Raptor,
        FecScheme::ReedSolomon2m { m: 8, symbols_per_packet: 2 },
        FecScheme::ReedSolomon2m { m: 4, symbols_per_packet: 1 },
        FecScheme::ReedSolomon2m { m: 16, symbols_per_packet: 1 },
        FecScheme::ReedSolomon8,
        FecScheme::RaptorQ,
        FecScheme::ReedSolomon8SmallBlock,
    ])?;
    let fec = FecConfig::default()
        .scheme(scheme)
        .symbol_size(8 * input.int_in_range(4..=128u16)?)
        .max_source_block_length(Some(input.int_in_range(1..=64u32)?))
        .protection(Protection::Symbols(input.int_in_range(0..=8u32)?));
    let profile = *input.choose(&Profile::ALL)?;
    let encodings = [ContentEncoding::Null, ContentEncoding::Gzip, ContentEncoding::Zlib, ContentEncoding::Deflate];
    let (tsi_width, toi_width) = *input.choose(&[(0, 0), (16, 16), (32, 32), (48, 112), (32, 64)])?;
    let flags: u8 = input.arbitrary()?;
    let is_set = |bit: u8| flags & 1 << bit != 0;
    let own_fdt_code = FecConfig::default().symbol_size(512).protection(Protection::Symbols(0));
    Ok(SenderConfig::default()
        .tsi(tsi)
        .profile(profile)
        .fec(fec)
        .content_encoding(*input.choose(&encodings)?)
        .fdt(
            FdtPolicy::default()
                .content_encoding(*input.choose(&encodings)?)
                .fec(is_set(0).then_some(own_fdt_code))
                .full_fdt(is_set(1)),
        )
        .first_toi(Toi::new(1))
        .widths(HeaderWidths { tsi: tsi_width, toi: toi_width })
        .interleave(input.int_in_range(1..=4u32)?)
        .multiplex(input.int_in_range(1..=4u32)?)
        .spread_repair(is_set(2))
        .sender_current_time(is_set(3))
        .fti_on_objects(is_set(4))
        .close_session(is_set(5))
        .close_with_payload(is_set(6)))
}

/// Bytes that differ from place to place, or hardly do.
fn content(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = input.int_in_range(0..=4095u64)?;
    let factor: u64 = input.arbitrary::<u8>()?.into();
    Ok((0..length).map(|index| ((index + 1).wrapping_mul(factor << 32 | factor) >> 30) as u8).collect())
}

/// A moment in which all sessions begin.
pub(crate) fn start() -> Time {
    Time::from_unix(Duration::from_secs(1_650_000_000))
}
