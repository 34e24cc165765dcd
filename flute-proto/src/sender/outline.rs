// SPDX-License-Identifier: MPL-2.0

//! What is known of an object before it is read.

use super::fec_config::FecConfig;
use super::object::{Carousel, Deadline, Object, OnChange};
use crate::Time;
use crate::content::ContentEncoding;
use crate::fdt::File;
use crate::lct::Toi;

/// An object to be sent, without its bytes.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    /// Its description, as far as it is known.
    pub(super) file: File,
    pub(super) fec: FecConfig,
    /// The content encoding that is still to be applied.
    pub(super) encoding: ContentEncoding,
    /// Whether `Content-MD5` is wanted.
    pub(super) md5: bool,
    pub(super) priority: u32,
    pub(super) carousel: Carousel,
    pub(super) start: Option<Time>,
    pub(super) deadline: Option<Deadline>,
    pub(super) on_change: OnChange,
    /// How many versions of it were changed while they were sent.
    pub(super) changed_versions: u32,
}

impl Outline {
    /// Takes the outline out of an object, `encoding` being that of its description.
    pub(super) fn take(object: &mut Object, toi: Toi, fec: FecConfig, encoding: ContentEncoding) -> Self {
        Self {
            file: object.describe(toi, encoding),
            fec,
            encoding: if object.is_encoded { ContentEncoding::Null } else { encoding },
            md5: object.md5,
            priority: object.priority,
            carousel: object.carousel,
            start: object.start,
            deadline: object.deadline,
            on_change: object.on_change,
            changed_versions: 0,
        }
    }

    /// The outline of the next version, of `length` bytes: what was said of the bytes is no longer true.
    pub(super) fn next_version(self, toi: Toi, length: u64) -> Self {
        let is_encoded = self.file.content_encoding.is_some() && self.encoding == ContentEncoding::Null;
        let file = File {
            toi,
            content_length: (!is_encoded).then_some(length),
            etag: None,
            independent_unit_positions: Vec::new(),
            content_digest: None,
            repr_digest: None,
            signatures: Vec::new(),
            ..self.file
        };
        Self { file, changed_versions: self.changed_versions + 1, ..self }
    }
}
