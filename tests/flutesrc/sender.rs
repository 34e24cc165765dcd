// SPDX-License-Identifier: MPL-2.0

//! Packets of an independent sender, the crate `flute`.

use std::time::SystemTime;

use flute::core::lct::Cenc;
use flute::core::{Oti, UDPEndpoint};
use flute::sender::{Config, ObjectDesc, Sender, TransferConfig};

/// Bytes of a symbol.
pub(crate) const SYMBOL: u16 = 1000;

/// An object to send.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) location: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) content: Vec<u8>,
}

/// An object with content of this length that looks like no other.
pub(crate) fn object(location: &'static str, content_type: &'static str, length: usize) -> Object {
    let seed = location.bytes().map(usize::from).sum::<usize>();
    Object { location, content_type, content: (0..length).map(|i| ((i * 31 + seed) % 251) as u8).collect() }
}

/// The packets of a session that sends every object once, and announces that there are no more.
pub(crate) fn packets(tsi: u64, objects: &[Object]) -> Vec<Vec<u8>> {
    packets_and_close(tsi, objects).0
}

/// The same, and the packet that closes the session.
pub(crate) fn packets_and_close(tsi: u64, objects: &[Object]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let endpoint = UDPEndpoint::new(None, "239.1.1.1".to_owned(), 3400);
    let config = Config { toi_initial_value: Some(1), ..Default::default() };
    let mut sender = Sender::new(endpoint, tsi, &Oti::new_no_code(SYMBOL, 64), &config);
    for object in objects {
        let location = url::Url::parse(object.location).unwrap();
        let transfer = TransferConfig { cenc: Cenc::Null, ..Default::default() };
        let object =
            ObjectDesc::create_from_buffer(object.content.clone(), object.content_type, &location, true, transfer);
        sender.add_object(0, object.unwrap()).unwrap();
    }
    let now = SystemTime::now();
    sender.set_complete();
    sender.publish(now).unwrap();
    let packets = std::iter::from_fn(|| sender.read(now)).collect();
    (packets, sender.read_close_session(now))
}
