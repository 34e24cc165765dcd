// SPDX-License-Identifier: MPL-2.0

//! The sender for C.

use std::ffi::c_char;
use std::ptr;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::lct::{Toi, Tsi};
use flute_proto::sender::{
    Batch, FecConfig, FecScheme, FileSource, FinishPolicy, Object, Pacing, Poll, Removal, Sender, SenderConfig,
};
use std::time::Duration;

use crate::FluteToi;
use crate::pointers;
use crate::status::{Failure, FluteStatus, Handle, call};

/// Packets of a batch at most.
const BATCH: usize = 64;

/// A sender of one session.
#[derive(Debug)]
pub struct FluteSender(Handle<Sending>);

#[derive(Debug)]
struct Sending {
    sender: Sender,
    batch: Batch,
}

/// How objects are protected.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub enum FluteFec {
    /// Not at all: FEC Encoding ID 0.
    None = 0,
    /// Raptor (RFC 5053).
    Raptor = 1,
    /// Reed-Solomon over GF(2^8) (RFC 5510).
    ReedSolomon = 5,
    /// RaptorQ (RFC 6330).
    RaptorQ = 6,
}

/// Settings of a sender. Let flute_sender_config_default fill it, and set what differs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FluteSenderConfig {
    /// Transport Session Identifier, up to 48 bits.
    pub tsi: u64,
    /// Bits per second on the wire with headers of UDP and IPv4; 0 is as fast as packets are taken.
    pub bitrate: u64,
    /// How objects are protected: one of FluteFec.
    pub fec: u32,
    /// Bytes of a symbol.
    pub symbol_size: u16,
    /// Source symbols of a block at most; 0 is what suits the code.
    pub max_source_block_length: u32,
    /// Repair symbols in percent of the source symbols.
    pub repair_percent: f64,
    /// A random number, of which the first TOI is made: so receivers tell this session from an earlier one.
    pub seed: u64,
}

/// What a poll found.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlutePoll {
    /// Packets, to be sent at the time `due`; poll again.
    Packets = 0,
    /// Nothing before the time `due`.
    Wait = 1,
    /// Nothing to send until something is added.
    Idle = 2,
    /// The session was finished, and its last packet has been given out.
    Done = 3,
}

/// Packets one after the other, all of one size but the last, which may be shorter.
#[repr(C)]
#[derive(Debug)]
pub struct FluteBatch {
    /// What the poll found.
    pub poll: FlutePoll,
    /// The first packet. It is there until the next call with this sender.
    pub packets: *const u8,
    /// Bytes of all packets.
    pub length: usize,
    /// Bytes of each packet but the last.
    pub packet_size: usize,
    /// When the packets are to be sent, or when to poll again, in nanoseconds since 1970.
    pub due: u64,
}

/// Fills in the defaults: TSI 1, 20 Mbit/s, no FEC, symbols of 1400 bytes.
///
/// # Safety
/// `config` points to a FluteSenderConfig, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_sender_config_default(config: *mut FluteSenderConfig) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let config = unsafe { pointers::write(config, "config") }?;
        *config = FluteSenderConfig {
            tsi: 1,
            bitrate: 20_000_000,
            fec: FluteFec::None as u32,
            symbol_size: 1400,
            max_source_block_length: 0,
            repair_percent: 0.0,
            seed: 0,
        };
        Ok(())
    })
}

impl FluteSenderConfig {
    fn to_config(self) -> Result<SenderConfig, Failure> {
        let scheme = match self.fec {
            fec if fec == FluteFec::None as u32 => FecScheme::NoCode,
            fec if fec == FluteFec::Raptor as u32 => FecScheme::Raptor,
            fec if fec == FluteFec::ReedSolomon as u32 => FecScheme::ReedSolomon8,
            fec if fec == FluteFec::RaptorQ as u32 => FecScheme::RaptorQ,
            fec => return Err(Failure::Number("fec", fec.into())),
        };
        let fec = FecConfig::default()
            .scheme(scheme)
            .symbol_size(self.symbol_size)
            .max_source_block_length(Some(self.max_source_block_length).filter(|length| *length > 0))
            .protection(Protection::Percent(self.repair_percent));
        Ok(SenderConfig::default()
            .tsi(Tsi::new(self.tsi).ok_or(Failure::Number("tsi", self.tsi))?)
            .fec(fec)
            .pacing(Pacing::default().bitrate(self.bitrate))
            .seed(self.seed))
    }
}

/// Makes a sender, whose session begins at `now`, in nanoseconds since 1970. It is to be freed by flute_sender_free.
///
/// # Safety
/// `config` and `sender` point to what their types say, or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_sender_new(
    config: *const FluteSenderConfig,
    now: u64,
    sender: *mut *mut FluteSender,
) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let (config, handle) = unsafe { (pointers::read(config, "config")?, pointers::write(sender, "sender")?) };
        *handle = ptr::null_mut();
        let sender = Sender::new(config.to_config()?, time(now))?;
        *handle = Box::into_raw(Box::new(FluteSender(Handle::new(Sending { sender, batch: Batch::new(BATCH) }))));
        Ok(())
    })
}

/// Frees a sender. NULL is left alone.
///
/// # Safety
/// `sender` is NULL, or of flute_sender_new and not freed yet; and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_sender_free(sender: *mut FluteSender) {
    call(|| {
        if !sender.is_null() {
            // SAFETY: the contract of this function: the box is the one that flute_sender_new made.
            drop(unsafe { Box::from_raw(sender) });
        }
        Ok(())
    });
}

/// Adds an object with these bytes, of which a copy is made. `content_type` and `toi` may be NULL; `toi` is told the
/// identifier of the object.
///
/// # Safety
/// Pointers that are not NULL point to what their types say, `location` and `content_type` to texts that end with NUL, and
/// `bytes` to so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_sender_add_bytes(
    sender: *mut FluteSender,
    location: *const c_char,
    content_type: *const c_char,
    bytes: *const u8,
    length: usize,
    now: u64,
    toi: *mut FluteToi,
) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let (location, content) =
            unsafe { (pointers::text(location, "location")?, pointers::bytes(bytes, length, "bytes")?) };
        let object = Object::new(location, content.to_vec());
        // SAFETY: the same.
        unsafe { add(sender, object, content_type, now, toi) }
    })
}

/// Adds a file, which is read while it is sent. `content_type` and `toi` may be NULL.
///
/// # Safety
/// Pointers that are not NULL point to what their types say, texts end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_sender_add_file(
    sender: *mut FluteSender,
    location: *const c_char,
    content_type: *const c_char,
    path: *const c_char,
    now: u64,
    toi: *mut FluteToi,
) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let (location, path) = unsafe { (pointers::text(location, "location")?, pointers::text(path, "path")?) };
        let source = FileSource::open(path).map_err(|error| Failure::File { path: path.to_owned(), error })?;
        // SAFETY: the same.
        unsafe { add(sender, Object::new(location, source), content_type, now, toi) }
    })
}

/// Adds an object.
///
/// # Safety
/// That of the functions above.
unsafe fn add(
    sender: *mut FluteSender,
    mut object: Object,
    content_type: *const c_char,
    now: u64,
    toi: *mut FluteToi,
) -> Result<(), Failure> {
    // SAFETY: the contract of this function.
    let (sender, content_type) =
        unsafe { (pointers::write(sender, "sender")?, pointers::optional_text(content_type, "content_type")?) };
    object.content_type = content_type.map(str::to_owned);
    object.md5 = true;
    let added = sender.0.with(|sending| Ok(sending.sender.add(object, time(now))?))?;
    // SAFETY: the contract of this function.
    if let Some(toi) = unsafe { toi.as_mut() } {
        *toi = added.into();
    }
    Ok(())
}

/// Stops sending an object, and describes it no more; nothing if there is no such object.
///
/// # Safety
/// `sender` is NULL or of flute_sender_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_sender_remove(sender: *mut FluteSender, toi: FluteToi, now: u64) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let sender = unsafe { pointers::write(sender, "sender") }?;
        sender.0.with(|sending| {
            let toi = Toi::new(u128::from(toi.high) << 64 | u128::from(toi.low));
            let toi = toi.ok_or(Failure::Number("toi.high", u64::MAX))?;
            sending.sender.remove(toi, Removal::Now, time(now));
            Ok(())
        })
    })
}

/// No more objects will be added: what is on its way is sent, and the session closed.
///
/// # Safety
/// `sender` is NULL or of flute_sender_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_sender_finish(sender: *mut FluteSender, now: u64) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let sender = unsafe { pointers::write(sender, "sender") }?;
        sender.0.with(|sending| {
            sending.sender.finish(FinishPolicy::FinishTransfers, time(now));
            Ok(())
        })
    })
}

/// Finds out what is to be sent.
///
/// # Safety
/// `sender` is NULL or of flute_sender_new, `batch` is NULL or points to a FluteBatch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_sender_poll(sender: *mut FluteSender, now: u64, batch: *mut FluteBatch) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let (sender, batch) = unsafe { (pointers::write(sender, "sender")?, pointers::write(batch, "batch")?) };
        *batch = sender.0.with(|sending| {
            let polled = sending.sender.poll(time(now), &mut sending.batch);
            // Nobody here is told of events, and they must not pile up.
            while sending.sender.poll_event().is_some() {}
            let (poll, due) = match polled {
                Poll::Packets => (FlutePoll::Packets, sending.batch.due()),
                Poll::Wait(until) => (FlutePoll::Wait, until),
                Poll::Idle => (FlutePoll::Idle, Time::MAX),
                Poll::Done => (FlutePoll::Done, Time::MAX),
            };
            let packets = sending.batch.as_bytes();
            Ok(FluteBatch {
                poll,
                packets: packets.as_ptr(),
                length: packets.len(),
                packet_size: sending.batch.packet_size(),
                due: nanoseconds(due),
            })
        })?;
        Ok(())
    })
}

impl From<Toi> for FluteToi {
    fn from(toi: Toi) -> Self {
        Self { high: (toi.get() >> 64) as u64, low: toi.get() as u64 }
    }
}

/// The time of the protocol.
pub(crate) fn time(nanoseconds: u64) -> Time {
    Time::from_unix(Duration::from_nanos(nanoseconds))
}

/// The same for C.
pub(crate) fn nanoseconds(time: Time) -> u64 {
    u64::try_from(time.as_unix().as_nanos()).unwrap_or(u64::MAX)
}
