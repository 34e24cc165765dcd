// SPDX-License-Identifier: MPL-2.0

//! The receiver for C.

use std::ffi::{CString, c_char};
use std::net::{IpAddr, SocketAddr};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use flute_proto::lct::Tsi;
use flute_proto::receiver::{
    Content, Destination, Endpoints, Event, Filter, Limits, ObjectInfo, Receiver, ReceiverConfig, SessionId,
};

use crate::FluteToi;
use crate::pointers;
use crate::sender::{nanoseconds, time};
use crate::status::{Failure, FluteStatus, Handle, call};

/// A receiver of any number of sessions.
#[derive(Debug)]
pub struct FluteReceiver(Handle<Receiving>);

#[derive(Debug)]
struct Receiving {
    receiver: Receiver,
    /// What the last event points to.
    told: Told,
}

/// What an event points to.
#[derive(Debug, Default)]
struct Told {
    location: CString,
    content_type: Option<CString>,
    reason: CString,
    content: Option<Content>,
}

/// Settings of a receiver. Let flute_receiver_config_default fill it, and set what differs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FluteReceiverConfig {
    /// The session to take, if `any_tsi` is false.
    pub tsi: u64,
    /// Take any session.
    pub any_tsi: bool,
    /// Bytes that are kept on behalf of a session, content included.
    pub max_memory: u64,
    /// Nanoseconds of silence after which a session is closed.
    pub session_timeout: u64,
}

/// Where a datagram came from.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FluteAddress {
    /// The IP address as it is on the wire; of IPv4 the first four bytes.
    pub ip: [u8; 16],
    /// 4 or 6.
    pub ip_version: u8,
    /// UDP port.
    pub port: u16,
}

/// What has happened.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FluteEventKind {
    /// Nothing more has happened.
    None = 0,
    /// The first packet of a session arrived.
    SessionOpened = 1,
    /// The session was closed: by its sender, if `by_sender` is true.
    SessionClosed = 2,
    /// An object is described, and a symbol of it has arrived.
    ObjectStarted = 3,
    /// An object is complete, decoded, and its digest is right: `content`.
    ObjectReceived = 4,
    /// An object is lost: `reason`.
    ObjectLost = 5,
}

/// Something that has happened. What it points to is there until the next call with this receiver.
#[repr(C)]
#[derive(Debug)]
pub struct FluteEvent {
    /// What it is.
    pub kind: FluteEventKind,
    /// Transport Session Identifier.
    pub tsi: u64,
    /// Of an object, its TOI.
    pub toi: FluteToi,
    /// Of an object, its Content-Location; empty otherwise.
    pub location: *const c_char,
    /// Of an object, its Content-Type, or NULL.
    pub content_type: *const c_char,
    /// Of an object that was received, its bytes.
    pub content: *const u8,
    /// How many they are.
    pub content_length: usize,
    /// Of an object that is lost, why; empty otherwise.
    pub reason: *const c_char,
    /// Of a session that was closed, whether its sender did it.
    pub by_sender: bool,
}

/// Fills in the defaults: any session, 256 MiB, five minutes.
///
/// # Safety
/// `config` points to a FluteReceiverConfig, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_receiver_config_default(config: *mut FluteReceiverConfig) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let config = unsafe { pointers::write(config, "config") }?;
        let limits = Limits::default();
        *config = FluteReceiverConfig {
            tsi: 0,
            any_tsi: true,
            max_memory: limits.max_memory,
            session_timeout: limits.session_timeout.as_nanos() as u64,
        };
        Ok(())
    })
}

/// Makes a receiver, which delivers objects in memory. It is to be freed by flute_receiver_free.
///
/// # Safety
/// `config` and `receiver` point to what their types say, or are NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_receiver_new(
    config: *const FluteReceiverConfig,
    receiver: *mut *mut FluteReceiver,
) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let (config, handle) = unsafe { (pointers::read(config, "config")?, pointers::write(receiver, "receiver")?) };
        *handle = ptr::null_mut();
        let tsis = match config.any_tsi {
            true => Vec::new(),
            false => vec![Tsi::new(config.tsi).ok_or(Failure::Number("tsi", config.tsi))?],
        };
        let limits = Limits::default()
            .max_memory(config.max_memory)
            .session_timeout(Duration::from_nanos(config.session_timeout));
        let config = ReceiverConfig::default().filter(Filter::default().tsis(tsis)).limits(limits);
        let receiver = Receiver::with_destinations(config, |_| Destination::memory());
        *handle = Box::into_raw(Box::new(FluteReceiver(Handle::new(Receiving { receiver, told: Told::default() }))));
        Ok(())
    })
}

/// Frees a receiver. NULL is left alone.
///
/// # Safety
/// `receiver` is NULL, or of flute_receiver_new and not freed yet; and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_receiver_free(receiver: *mut FluteReceiver) {
    call(|| {
        if !receiver.is_null() {
            // SAFETY: the contract of this function: the box is the one that flute_receiver_new made.
            drop(unsafe { Box::from_raw(receiver) });
        }
        Ok(())
    });
}

/// Takes a datagram that arrived at `now`, in nanoseconds since 1970. What is wrong with it is no error. `source` may be
/// NULL; then sessions are told apart by their TSI alone.
///
/// # Safety
/// `receiver` is NULL or of flute_receiver_new, `source` NULL or an address, and `datagram` points to so many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_receiver_push(
    receiver: *mut FluteReceiver,
    source: *const FluteAddress,
    datagram: *const u8,
    length: usize,
    now: u64,
) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let (receiver, source, datagram) = unsafe {
            (pointers::write(receiver, "receiver")?, source.as_ref(), pointers::bytes(datagram, length, "datagram")?)
        };
        let source = source.copied().map(FluteAddress::to_address).transpose()?;
        receiver.0.with(|receiving| {
            receiving.receiver.push(Endpoints { source, destination: None }, datagram, time(now));
            Ok(())
        })
    })
}

/// When flute_receiver_handle_timeout has something to do, in nanoseconds since 1970: UINT64_MAX if that is never, and a
/// time that is past while there is work that one call did not finish.
///
/// # Safety
/// `receiver` is NULL or of flute_receiver_new, and `deadline` is NULL or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_receiver_next_deadline(receiver: *mut FluteReceiver, deadline: *mut u64) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let (receiver, deadline) =
            unsafe { (pointers::write(receiver, "receiver")?, pointers::write(deadline, "deadline")?) };
        *deadline =
            receiver.0.with(|receiving| Ok(receiving.receiver.next_deadline().map_or(u64::MAX, nanoseconds)))?;
        Ok(())
    })
}

/// Does what is due without a datagram.
///
/// # Safety
/// `receiver` is NULL or of flute_receiver_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_receiver_handle_timeout(receiver: *mut FluteReceiver, now: u64) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let receiver = unsafe { pointers::write(receiver, "receiver") }?;
        receiver.0.with(|receiving| {
            receiving.receiver.handle_timeout(time(now));
            Ok(())
        })
    })
}

/// No more datagrams will come: objects that are not complete are lost, and sessions are closed.
///
/// # Safety
/// `receiver` is NULL or of flute_receiver_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_receiver_finish(receiver: *mut FluteReceiver, now: u64) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let receiver = unsafe { pointers::write(receiver, "receiver") }?;
        receiver.0.with(|receiving| {
            receiving.receiver.finish(time(now));
            Ok(())
        })
    })
}

/// Tells the next thing that has happened; its kind is FLUTE_EVENT_KIND_NONE if there is none.
///
/// # Safety
/// `receiver` is NULL or of flute_receiver_new, and `event` is NULL or points to a FluteEvent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flute_receiver_next_event(
    receiver: *mut FluteReceiver,
    event: *mut FluteEvent,
) -> FluteStatus {
    call(|| {
        // SAFETY: the contract of this function.
        let (receiver, event) = unsafe { (pointers::write(receiver, "receiver")?, pointers::write(event, "event")?) };
        *event = receiver.0.with(|receiving| Ok(receiving.next_event()))?;
        Ok(())
    })
}

impl FluteAddress {
    fn to_address(self) -> Result<SocketAddr, Failure> {
        let [a, b, c, d, ..] = self.ip;
        let ip: IpAddr = match self.ip_version {
            4 => [a, b, c, d].into(),
            6 => self.ip.into(),
            version => return Err(Failure::Number("ip_version", version.into())),
        };
        Ok(SocketAddr::new(ip, self.port))
    }
}

impl Receiving {
    /// The next event that C is told of.
    fn next_event(&mut self) -> FluteEvent {
        self.told = Told::default();
        while let Some(event) = self.receiver.poll_event() {
            match event {
                Event::SessionOpened(session) => return self.session(FluteEventKind::SessionOpened, session, false),
                Event::SessionClosed { session, by_sender, .. } => {
                    return self.session(FluteEventKind::SessionClosed, session, by_sender);
                }
                Event::ObjectStarted(object) => return self.object(FluteEventKind::ObjectStarted, &object),
                Event::Completed { object, content } => {
                    self.told.content = Some(content);
                    return self.object(FluteEventKind::ObjectReceived, &object);
                }
                Event::Failed { object, reason, .. } => {
                    self.told.reason = c_text(&reason.to_string());
                    return self.object(FluteEventKind::ObjectLost, &object);
                }
                _ => {}
            }
        }
        self.event(FluteEventKind::None, Tsi::default())
    }

    fn session(&self, kind: FluteEventKind, session: SessionId, by_sender: bool) -> FluteEvent {
        FluteEvent { by_sender, ..self.event(kind, session.tsi) }
    }

    fn object(&mut self, kind: FluteEventKind, object: &Arc<ObjectInfo>) -> FluteEvent {
        self.told.location = c_text(object.location());
        self.told.content_type = object.file.content_type.as_deref().map(c_text);
        FluteEvent { toi: object.toi().into(), ..self.event(kind, object.session.tsi) }
    }

    fn event(&self, kind: FluteEventKind, tsi: Tsi) -> FluteEvent {
        let content = match &self.told.content {
            Some(Content::Memory(bytes)) => &bytes[..],
            // Every object is asked for in memory.
            Some(Content::File { .. } | Content::Delivered) | None => &[],
        };
        FluteEvent {
            kind,
            tsi: tsi.get(),
            toi: FluteToi::default(),
            location: self.told.location.as_ptr(),
            content_type: self.told.content_type.as_ref().map_or(ptr::null(), |text| text.as_ptr()),
            content: content.as_ptr(),
            content_length: content.len(),
            reason: self.told.reason.as_ptr(),
            by_sender: false,
        }
    }
}

/// A text for C, where NUL is its end. XML has none, but the words of others may.
fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}
