// SPDX-License-Identifier: MPL-2.0

//! One FDT Instance as an object to send.

use std::sync::Arc;

use flute_fec::Protection;

use super::announcement::ObjectProtection;
use crate::Time;
use crate::content::ContentEncoding;
use crate::lct::{Extension, FdtExtension, FieldWidths, TimeExtension, Toi, Tsi};
use crate::profile::Profile;
use crate::sender::fec_config::{FecConfig, FecScheme};
use crate::sender::packetizer::{Envelope, Packetizer};
use crate::sender::schedule::ObjectKey;

/// What the headers of all FDT Instances of a session have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heading {
    pub(super) tsi: Tsi,
    pub(super) widths: FieldWidths,
    pub(super) profile: Profile,
    pub(super) content_encoding: ContentEncoding,
    pub(super) sender_current_time: bool,
}

impl Heading {
    /// EXT_FDT and EXT_FTI are in every packet, EXT_CENC if the document is encoded (RFC 6726 §3.4).
    fn envelope(&self, instance_id: u32, now: Time) -> Wrapping {
        let mut extensions =
            vec![Extension::Fdt(FdtExtension { flute_version: self.profile.rules().flute_version, instance_id })];
        if self.content_encoding != ContentEncoding::Null {
            extensions.push(Extension::ContentEncoding(self.content_encoding.cenc()));
        }
        if self.sender_current_time {
            extensions.push(Extension::Time(TimeExtension {
                sender_current_time: Some(now.into()),
                ..TimeExtension::default()
            }));
        }
        Wrapping { tsi: self.tsi, widths: self.widths, extensions }
    }
}

/// One FDT Instance.
#[derive(Debug)]
pub(super) struct Instance {
    id: u32,
    /// The document, content encoded.
    pub(super) document: Vec<u8>,
    pub(super) packetizer: Packetizer,
    /// How often it is sent at a time.
    pub(super) copies: u32,
    pub(super) expires: Time,
    /// Objects and parts of the table that refer to it.
    pub(super) users: usize,
    /// It waits to be sent.
    pub(super) is_queued: bool,
    /// Objects that it announces, which wait for it to be sent.
    pub(super) announces: Vec<ObjectKey>,
    /// Objects sent a single time that it announced and that were not sent yet.
    pub(super) outstanding: usize,
    /// Objects that it lists, in the order of their keys.
    pub(super) listed: Vec<ObjectKey>,
    /// File elements of objects that are no longer `outstanding`.
    pub(super) transferred: Vec<Arc<str>>,
    /// When it was last sent, and how many bytes the session had sent then.
    pub(super) sent: Option<(Time, u64)>,
}

impl Instance {
    pub(super) fn new(
        id: u32,
        document: Vec<u8>,
        (fec, copies): (FecConfig, u32),
        expires: Time,
        heading: &Heading,
        now: Time,
    ) -> Self {
        let length = document.len() as u64;
        let envelope = heading.envelope(id, now);
        let packetizer = |fec: &FecConfig| Packetizer::new(fec.oti(length, heading.profile)?, *fec, &envelope.borrow());
        // A long table under a scheme for short objects goes unprotected rather than not at all.
        let packetizer = packetizer(&fec)
            .or_else(|_| packetizer(&unprotected(fec.symbol_size, length)))
            .expect("Compact No-Code carries any FDT Instance");
        Self {
            id,
            document,
            packetizer,
            copies,
            expires,
            users: 0,
            is_queued: false,
            announces: Vec::new(),
            outstanding: 0,
            listed: Vec::new(),
            transferred: Vec::new(),
            sent: None,
        }
    }

    /// Puts the time into the headers, where they have one.
    pub(super) fn stamp(&mut self, heading: &Heading, now: Time) {
        if heading.sender_current_time {
            self.packetizer
                .readdress(&heading.envelope(self.id, now).borrow())
                .expect("the header was encoded before with another time");
        }
    }
}

/// Compact No-Code with one source block, which is all that some receivers can take.
pub(super) fn unprotected(symbol_size: u16, length: u64) -> FecConfig {
    let symbols = length.div_ceil(symbol_size.max(1).into()).clamp(64, 1 << 16) as u32;
    FecConfig {
        scheme: FecScheme::NoCode,
        symbol_size,
        max_source_block_length: Some(symbols),
        protection: Protection::Symbols(0),
        ..FecConfig::default()
    }
}

/// How a table of `length` bytes is protected at least as well as objects are (RFC 6726 §3.3), and how often it is sent
/// at a time. With `repeat_only` the code of the objects is not one for tables.
pub(super) fn protection(objects: ObjectProtection, length: u64, repeat_only: bool) -> (FecConfig, u32) {
    let ObjectProtection { fec, redundancy } = objects;
    let symbols = length.div_ceil(fec.symbol_size.max(1).into());
    if redundancy == 0.0 {
        (unprotected(fec.symbol_size, length), 1)
    } else if symbols <= 1 || repeat_only {
        (unprotected(fec.symbol_size, length), 2)
    } else {
        // Few symbols with the same percentage would be worse protected: two may be lost in any case.
        let percent = (redundancy * 100.0).max(200.0 / symbols as f64);
        (FecConfig { max_source_block_length: None, protection: Protection::Percent(percent), ..fec }, 1)
    }
}

/// The parts of an [`Envelope`] that must live as long as it.
struct Wrapping {
    tsi: Tsi,
    widths: FieldWidths,
    extensions: Vec<Extension<'static>>,
}

impl Wrapping {
    fn borrow(&self) -> Envelope<'_> {
        Envelope { tsi: self.tsi, toi: Toi::FDT, widths: self.widths, extensions: &self.extensions, fti: true }
    }
}
