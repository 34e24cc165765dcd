// SPDX-License-Identifier: MPL-2.0

//! An FDT Instance out of its XML.
//!
//! Taken is what any sender writes: names count by their namespace, whatever the prefix; the namespace of the root may be
//! any or none; the order of children does not matter; what is unknown is skipped (RFC 6726 §3.4.2). A document is never
//! expanded: a document type is skipped, and a reference to an entity that is not one of XML's five spoils the value that
//! holds it.
//!
//! Where a value is wrong, as little as possible is lost:
//! - what a file cannot be received without (`TOI`, `Content-Location`, lengths, FEC-OTI attributes) costs the `File`;
//! - anything else of a `File` counts as absent, `Content-MD5` among it, which is a service and not a condition;
//! - so does anything of the `FDT-Instance` but `Expires`, without which it is not known how long the instance holds. All
//!   schemas require it and all known senders write it.

//!
//! A large table is read in slices ([`InstanceReader`]): between two children of the root it can be left and taken up
//! again.

mod attributes;
mod element;
mod incremental;

pub(crate) use incremental::InstanceReader;

use super::FdtInstance;
use crate::lct::Toi;
use crate::work::Work;
use element::MAX_DEPTH;
use incremental::MAX_ELEMENT;

/// Characters of a wrong value that are worth showing.
const MAX_SHOWN: usize = 64;

/// Bounds on what an FDT Instance may hold. The caller bounds the size of the document itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// `File` entries.
    pub max_files: usize,
    /// Bytes that the instance takes in memory, counted while it is read.
    pub max_memory: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { max_files: 65_536, max_memory: 256 << 20 }
    }
}

/// An FDT Instance, and what was lost of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The instance, with the entries that are right.
    pub instance: FdtInstance,
    /// The entries that are not.
    pub rejected: Vec<Rejected>,
}

/// A `File` entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its TOI, where it has one.
    pub toi: Option<Toi>,
    /// Why.
    pub reason: FileError,
}

/// Why a document is no FDT Instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FdtError {
    /// Neither UTF-8, nor UTF-16 with a byte order mark, nor what the document declares.
    #[error("the characters are neither UTF-8, nor UTF-16 with a byte order mark, nor declared as ISO 8859-1")]
    Encoding,
    /// Not well-formed XML.
    #[error("the XML is not well-formed at byte {offset}: {reason}")]
    Xml {
        /// Where.
        offset: u64,
        /// What the XML reader said.
        reason: String,
    },
    /// Elements within elements within elements.
    #[error("elements are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// One element that is longer than any that makes sense.
    #[error("an element behind byte {offset} is longer than {MAX_ELEMENT} bytes")]
    ElementTooLong {
        /// Where.
        offset: u64,
    },
    /// Another kind of document.
    #[error("the root element is `{0}`, not `FDT-Instance`")]
    Root(String),
    /// `Expires` is missing or not a number.
    #[error("the attribute `Expires` is missing or not a number of NTP seconds")]
    Expires,
    /// More files than [`ReadLimits::max_files`].
    #[error("the instance describes more than {0} files")]
    TooManyFiles(usize),
    /// More than [`ReadLimits::max_memory`].
    #[error("the instance takes more than {0} bytes of memory")]
    TooLarge(usize),
}

/// Why a `File` entry cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// An attribute that must be there is not.
    #[error("the attribute `{0}` is missing")]
    Missing(&'static str),
    /// An attribute does not have the type that its schema gives it.
    #[error("the attribute `{name}` cannot be `{value}`")]
    Value {
        /// The attribute.
        name: &'static str,
        /// Its value, or the beginning of it.
        value: String,
    },
    /// An attribute refers to an entity that is not one of XML's five.
    #[error("the attribute `{0}` refers to an unknown entity")]
    Entity(String),
    /// The attributes are not well-formed.
    #[error("the attributes are not well-formed: {0}")]
    Attributes(String),
}

impl FdtInstance {
    /// Reads an FDT Instance.
    ///
    /// The document is UTF-8, with or without a byte order mark; or ISO 8859-1 where it declares that. Bytes after the
    /// end of the root element are ignored.
    ///
    /// ```
    /// use flute_proto::fdt::{FdtInstance, ReadLimits};
    ///
    /// let document = br#"<FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" Expires="3900000000">
    ///     <File TOI="1" Content-Location="live.mpd" Content-Type="application/dash+xml"/>
    ///     <File TOI="one" Content-Location="video.m4s"/>
    /// </FDT-Instance>"#;
    /// let parsed = FdtInstance::from_xml(document, &ReadLimits::default())?;
    /// assert_eq!(parsed.instance.files[0].content_location, "live.mpd");
    /// assert_eq!(parsed.rejected[0].reason.to_string(), "the attribute `TOI` cannot be `one`");
    /// # Ok::<(), flute_proto::fdt::FdtError>(())
    /// ```
    ///
    /// # Errors
    /// [`FdtError`] where there is no instance to be had. An entry that is wrong is no error, but
    /// [`rejected`](Parsed::rejected).
    pub fn from_xml(document: &[u8], limits: &ReadLimits) -> Result<Parsed, FdtError> {
        let mut reader = InstanceReader::default();
        while !reader.proceed(document, limits, &mut Work::unlimited())? {}
        Ok(reader.into_parsed())
    }
}

/// The beginning of a text, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests;
