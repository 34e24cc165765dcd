// SPDX-License-Identifier: MPL-2.0

//! What C may do wrong is told, and what happens is told as C sees it.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;

use flute_ffi::*;

fn last_error() -> String {
    // SAFETY: the text is there until the next error of this thread.
    unsafe { CStr::from_ptr(flute_last_error()) }.to_str().unwrap().to_owned()
}

fn sender_config() -> FluteSenderConfig {
    let mut config = MaybeUninit::uninit();
    // SAFETY: the function fills in all of it.
    unsafe {
        assert_eq!(flute_sender_config_default(config.as_mut_ptr()), FluteStatus::Ok);
        config.assume_init()
    }
}

fn new_sender(config: &FluteSenderConfig) -> Result<*mut FluteSender, FluteStatus> {
    let mut sender = ptr::null_mut();
    // SAFETY: both are references.
    match unsafe { flute_sender_new(config, 1, &mut sender) } {
        FluteStatus::Ok => Ok(sender),
        status => Err(status),
    }
}

#[test]
fn null_is_told() {
    // SAFETY: every function may be given NULL.
    unsafe {
        assert_eq!(flute_sender_config_default(ptr::null_mut()), FluteStatus::Argument);
        assert_eq!(last_error(), "config must not be NULL");
        assert_eq!(flute_sender_new(&sender_config(), 0, ptr::null_mut()), FluteStatus::Argument);
        assert_eq!(flute_sender_finish(ptr::null_mut(), 0), FluteStatus::Argument);
        assert_eq!(flute_sender_poll(ptr::null_mut(), 0, ptr::null_mut()), FluteStatus::Argument);
        assert_eq!(flute_receiver_new(ptr::null(), ptr::null_mut()), FluteStatus::Argument);
        assert_eq!(flute_receiver_next_event(ptr::null_mut(), ptr::null_mut()), FluteStatus::Argument);
        assert_eq!(last_error(), "receiver must not be NULL");
        flute_sender_free(ptr::null_mut());
        flute_receiver_free(ptr::null_mut());
    }
}

#[test]
fn what_does_not_exist_is_told() {
    assert_eq!(new_sender(&FluteSenderConfig { fec: 77, ..sender_config() }), Err(FluteStatus::Argument));
    assert_eq!(last_error(), "fec is 77, which does not exist");
    assert_eq!(new_sender(&FluteSenderConfig { tsi: 1 << 48, ..sender_config() }), Err(FluteStatus::Argument));
    assert_eq!(new_sender(&FluteSenderConfig { symbol_size: 0, ..sender_config() }), Err(FluteStatus::Config));

    let sender = new_sender(&sender_config()).unwrap();
    let (location, no_utf8, type_) = (c"a".as_ptr(), c"\xff".as_ptr(), ptr::null());
    // SAFETY: the texts end with NUL, and no byte is announced that is not there.
    unsafe {
        assert_eq!(
            flute_sender_add_bytes(sender, no_utf8, type_, ptr::null(), 0, 1, ptr::null_mut()),
            FluteStatus::Argument
        );
        assert_eq!(last_error(), "location is no UTF-8");
        assert_eq!(
            flute_sender_add_bytes(sender, location, type_, ptr::null(), 5, 1, ptr::null_mut()),
            FluteStatus::Argument
        );
        assert_eq!(
            flute_sender_add_bytes(sender, location, type_, ptr::null(), 0, 1, ptr::null_mut()),
            FluteStatus::Ok
        );
        assert_eq!(
            flute_sender_add_bytes(sender, location, type_, ptr::null(), 0, 1, ptr::null_mut()),
            FluteStatus::Object
        );
        assert!(last_error().contains("replace it"));
        assert_eq!(
            flute_sender_add_file(sender, location, type_, c"/nonesuch".as_ptr(), 1, ptr::null_mut()),
            FluteStatus::File
        );
        flute_sender_free(sender);
    }
}

/// One object arrives and another is lost, in virtual time.
#[test]
fn events_are_told() {
    let sender = new_sender(&FluteSenderConfig { bitrate: 0, ..sender_config() }).unwrap();
    let (mut arrives, mut is_lost) = (FluteToi::default(), FluteToi::default());
    let mut receiver = ptr::null_mut();
    let mut config = MaybeUninit::uninit();
    let mut batch = MaybeUninit::uninit();
    let mut told = Vec::new();
    // SAFETY: all pointers are of references, of the handles that were made, or of texts that end with NUL.
    unsafe {
        assert_eq!(flute_receiver_config_default(config.as_mut_ptr()), FluteStatus::Ok);
        assert_eq!(flute_receiver_new(config.as_ptr(), &mut receiver), FluteStatus::Ok);
        let content = [7; 3000];
        let (bytes, length) = (content.as_ptr(), content.len());
        flute_sender_add_bytes(sender, c"1".as_ptr(), c"text/plain".as_ptr(), bytes, length, 1, &mut arrives);
        flute_sender_add_bytes(sender, c"2".as_ptr(), ptr::null(), bytes, length, 1, &mut is_lost);
        assert_eq!(is_lost.low, arrives.low + 1);
        flute_sender_finish(sender, 1);
        let (mut now, mut packets, mut lost) = (1, 0, 0);
        loop {
            assert_eq!(flute_sender_poll(sender, now, batch.as_mut_ptr()), FluteStatus::Ok);
            let batch: &FluteBatch = batch.assume_init_ref();
            match batch.poll {
                FlutePoll::Packets => {
                    for packet in std::slice::from_raw_parts(batch.packets, batch.length).chunks(batch.packet_size) {
                        packets += 1;
                        // All packets but the first of the second object are lost: its TOI ends the 16 bytes of the
                        // header.
                        let is_of_second = packet.get(12..16) == Some(&(is_lost.low as u32).to_be_bytes());
                        lost += u32::from(is_of_second);
                        let (data, length) = (packet.as_ptr(), if lost > 1 && is_of_second { 0 } else { packet.len() });
                        let address = FluteAddress { ip: [127; 16], ip_version: 4, port: 5000 };
                        assert_eq!(flute_receiver_push(receiver, &address, data, length, now), FluteStatus::Ok);
                        collect(receiver, &mut told);
                    }
                }
                FlutePoll::Wait => now = batch.due,
                FlutePoll::Idle | FlutePoll::Done => break,
            }
        }
        assert!(packets > 8);
        flute_receiver_finish(receiver, now);
        collect(receiver, &mut told);
        flute_receiver_free(receiver);
        flute_sender_free(sender);
    }
    let kinds: Vec<&str> = told.iter().map(|event| event.split(' ').next().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"SessionOpened"));
    assert!(told.contains(&format!("ObjectReceived 1 {} 3000 ", arrives.low)), "{told:?}");
    let lost = format!("ObjectLost 2 {} 0 the session ended before the object was complete", is_lost.low);
    assert!(told.contains(&lost), "{told:?}");
    assert_eq!(kinds.last(), Some(&"SessionClosed"), "{told:?}");
}

/// Everything that has happened.
///
/// # Safety
/// The receiver is one that was made.
unsafe fn collect(receiver: *mut FluteReceiver, told: &mut Vec<String>) {
    let mut event = MaybeUninit::uninit();
    loop {
        // SAFETY: the function fills in all of the event, and its texts end with NUL.
        let (event, location, reason) = unsafe {
            assert_eq!(flute_receiver_next_event(receiver, event.as_mut_ptr()), FluteStatus::Ok);
            let event: &FluteEvent = event.assume_init_ref();
            (event, CStr::from_ptr(event.location).to_str().unwrap(), CStr::from_ptr(event.reason).to_str().unwrap())
        };
        if event.kind == FluteEventKind::None {
            return;
        }
        told.push(format!("{:?} {location} {} {} {reason}", event.kind, event.toi.low, event.content_length));
    }
}
