// SPDX-License-Identifier: MPL-2.0

//! A document read in slices.
//!
//! The start of the root is kept, and every slice begins between two of its children, so that nothing else has to be
//! remembered of the XML. That an element is read whole bounds how long it may be.

use std::mem::size_of;

use quick_xml::events::{BytesStart, Event};

use super::attributes::oti_attribute;
use super::element::{Elements, Window};
use super::{FdtError, Parsed, ReadLimits, Rejected, shown};
use crate::fdt::{FdtInstance, File, value};
use crate::work::Work;

/// Bytes of one element, at most: a `File` with the positions of thirty thousand independent units.
pub(super) const MAX_ELEMENT: usize = 256 * 1024;
/// Elements of one kind that apply to the whole instance.
const MAX_LISTED: usize = 64;
/// Bytes of a text that all files inherit.
const MAX_INHERITED: usize = 4096;
/// Work of an XML event, and of a byte of it.
const EVENT: u64 = 100;
const BYTE: u64 = 8;
/// Bytes of a document whose characters are checked at a time.
const PIECE: usize = 64 * 1024;
/// Bytes in which an XML declaration is looked for.
const DECLARATION: usize = 256;

/// Where the reading of one document stands. The document is lent to every call.
#[derive(Debug, Default)]
pub(crate) struct InstanceReader {
    characters: Characters,
    content: Content,
}

impl InstanceReader {
    /// Goes on reading until the work is done, or the instance complete: `true` then.
    pub(crate) fn proceed(&mut self, document: &[u8], limits: &ReadLimits, work: &mut Work) -> Result<bool, FdtError> {
        if !self.characters.proceed(document, limits, work)? {
            return Ok(false);
        }
        self.content.proceed(self.characters.of(document), self.characters.memory(), limits, work)
    }

    /// Bytes of memory that what has been read takes, those that were [taken](Self::take_files) included.
    pub(crate) fn memory(&self) -> usize {
        self.content.memory + self.characters.memory()
    }

    /// Takes out the files that have been read since.
    pub(crate) fn take_files(&mut self) -> Vec<File> {
        let mut files = std::mem::take(&mut self.content.parsed.instance.files);
        files.shrink_to_fit();
        files
    }

    /// The instance, without the files that were taken out.
    pub(crate) fn into_parsed(self) -> Parsed {
        self.content.parsed
    }
}

/// The characters of a document: UTF-8; UTF-16 with a byte order mark, which every XML processor must read (XML 1.0 §4.3.3);
/// or ISO 8859-1 where it declares that. A sender that does may put UTF-8 file names under it all the same: bytes that are
/// UTF-8 are taken for that.
#[derive(Debug, Default)]
struct Characters {
    position: usize,
    /// The document in UTF-8, if it is not.
    converted: Option<(Charset, String)>,
}

/// A character encoding other than UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    Latin1,
    Utf16 { is_big_endian: bool },
}

impl Charset {
    /// The encoding that a byte order mark shows.
    fn of_mark(document: &[u8]) -> Option<Self> {
        match document {
            [0xFE, 0xFF, ..] => Some(Self::Utf16 { is_big_endian: true }),
            [0xFF, 0xFE, rest @ ..] if !rest.starts_with(&[0, 0]) => Some(Self::Utf16 { is_big_endian: false }),
            _ => None,
        }
    }

    /// Bytes of UTF-8 that a document of `length` bytes becomes, at most.
    fn capacity(self, length: usize) -> usize {
        match self {
            // Two bytes for one at most.
            Self::Latin1 => 2 * length,
            // Three bytes for two at most.
            Self::Utf16 { .. } => length / 2 * 3 + 3,
        }
    }

    /// Converts the first characters of `bytes`; returns how many bytes they took.
    fn convert(self, bytes: &[u8], is_end: bool, text: &mut String) -> Result<usize, FdtError> {
        let is_big_endian = match self {
            Self::Latin1 => {
                text.extend(bytes.iter().copied().map(char::from));
                return Ok(bytes.len());
            }
            Self::Utf16 { is_big_endian } => is_big_endian,
        };
        let unit = if is_big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
        let units = bytes.as_chunks::<2>().0.iter().map(|bytes| unit(*bytes));
        let mut taken = 0;
        for character in char::decode_utf16(units) {
            match character {
                Ok(character) => {
                    taken += 2 * character.len_utf16();
                    text.push(character);
                }
                // The piece ends within a pair.
                Err(_) if !is_end && taken + 2 == bytes.len() / 2 * 2 => break,
                Err(_) => return Err(FdtError::Encoding),
            }
        }
        if is_end && taken < bytes.len() { Err(FdtError::Encoding) } else { Ok(taken) }
    }
}

impl Characters {
    fn proceed(&mut self, document: &[u8], limits: &ReadLimits, work: &mut Work) -> Result<bool, FdtError> {
        if self.position == 0 && self.converted.is_none() {
            if let Some(charset) = Charset::of_mark(document) {
                self.begin_conversion(charset, document, limits)?;
                self.position = 2;
            } else if document[..document.len().min(4)].contains(&0) {
                // UTF-16 and UTF-32 without a mark show by the zeros beside `<`.
                return Err(FdtError::Encoding);
            }
        }
        while self.position < document.len() {
            if work.is_exhausted() {
                return Ok(false);
            }
            let end = document.len().min(self.position + PIECE);
            let piece = &document[self.position..end];
            if let Some((charset, text)) = &mut self.converted {
                self.position += charset.convert(piece, end == document.len(), text)?;
                work.spend(4 * piece.len() as u64);
                continue;
            }
            work.spend(piece.len() as u64);
            match std::str::from_utf8(piece) {
                Ok(_) => self.position = end,
                // The piece ends within a character.
                Err(error) if error.error_len().is_none() && end < document.len() => {
                    self.position += error.valid_up_to();
                }
                Err(_) if declares_latin1(document) => {
                    self.begin_conversion(Charset::Latin1, document, limits)?;
                    self.position = 0;
                }
                Err(_) => return Err(FdtError::Encoding),
            }
        }
        Ok(true)
    }

    fn begin_conversion(&mut self, charset: Charset, document: &[u8], limits: &ReadLimits) -> Result<(), FdtError> {
        let capacity = charset.capacity(document.len());
        if capacity > limits.max_memory {
            return Err(FdtError::TooLarge(limits.max_memory));
        }
        self.converted = Some((charset, String::with_capacity(capacity)));
        Ok(())
    }

    /// The document in UTF-8.
    fn of<'a>(&'a self, document: &'a [u8]) -> &'a [u8] {
        self.converted.as_ref().map_or(document, |(_, text)| text.as_bytes())
    }

    fn memory(&self) -> usize {
        self.converted.as_ref().map_or(0, |(_, text)| text.capacity())
    }
}

fn declares_latin1(document: &[u8]) -> bool {
    let start = &document[..document.len().min(DECLARATION)];
    let declaration = start.split(|&byte| byte == b'>').next().unwrap_or_default().to_ascii_lowercase();
    let declares = |name: &[u8]| declaration.windows(name.len()).any(|window| window == name);
    declaration.starts_with(b"<?xml") && (declares(b"iso-8859-1") || declares(b"latin1") || declares(b"latin-1"))
}

/// What has been read of the elements.
#[derive(Debug, Default)]
struct Content {
    /// Where the next event begins.
    position: usize,
    root: Option<Root>,
    is_complete: bool,
    parsed: Parsed,
    /// `File` elements so far.
    entries: usize,
    memory: usize,
}

/// The start of the root element.
#[derive(Debug)]
struct Root {
    start: BytesStart<'static>,
    namespace: Option<String>,
}

impl Content {
    fn proceed(
        &mut self,
        document: &[u8],
        memory: usize,
        limits: &ReadLimits,
        work: &mut Work,
    ) -> Result<bool, FdtError> {
        while !self.is_complete {
            if work.is_exhausted() {
                return Ok(false);
            }
            let root = self.root.take();
            match &root {
                None => self.prolog(window(document, self.position), work)?,
                Some(root) => self.children(window(document, self.position), root, memory, limits, work)?,
            }
            self.root = root.or(self.root.take());
        }
        Ok(true)
    }

    /// Reads on to the start of the root.
    fn prolog(&mut self, window: Window<'_>, work: &mut Work) -> Result<(), FdtError> {
        let mut elements = Elements::prolog(window);
        while self.root.is_none() && self.position < window.offset + MAX_ELEMENT && !work.is_exhausted() {
            let (start, is_empty) = match elements.next()? {
                Event::Start(start) => (Some(start), false),
                Event::Empty(start) => (Some(start), true),
                Event::Eof if !window.is_cut => return Err(elements.truncated()),
                _ => (None, false),
            };
            if let Some(start) = start {
                let (name, namespace) = elements.set_root(&start);
                if name != "FDT-Instance" {
                    return Err(FdtError::Root(shown(name)));
                }
                self.parsed.instance = instance_attributes(&elements, &start)?;
                self.root = Some(Root { start: start.into_owned(), namespace });
                self.is_complete = is_empty;
            }
            self.advance(&elements, work, EVENT);
        }
        Ok(())
    }

    /// Reads children of the root.
    fn children(
        &mut self,
        window: Window<'_>,
        root: &Root,
        memory: usize,
        limits: &ReadLimits,
        work: &mut Work,
    ) -> Result<(), FdtError> {
        let mut elements = Elements::within_root(window, &root.start, root.namespace.clone())?;
        while !self.is_complete && self.position < window.offset + MAX_ELEMENT && !work.is_exhausted() {
            let before = elements.events();
            match elements.next()? {
                Event::Start(start) => {
                    self.memory += self.child(&mut elements, &start, limits)?;
                    if self.memory + memory > limits.max_memory {
                        return Err(FdtError::TooLarge(limits.max_memory));
                    }
                }
                Event::End(end) if end.name() == root.start.name() => self.is_complete = true,
                Event::End(_) => return Err(elements.wrong("the root element ends with another name")),
                Event::Eof if !window.is_cut => return Err(elements.truncated()),
                _ => {}
            }
            self.advance(&elements, work, EVENT * (elements.events() - before));
        }
        Ok(())
    }

    fn advance(&mut self, elements: &Elements<'_>, work: &mut Work, events: u64) {
        let position = elements.position();
        work.spend(events + BYTE * (position - self.position) as u64);
        self.position = position;
    }

    /// Reads a child of the root to its end; returns what it takes of the memory.
    fn child(
        &mut self,
        elements: &mut Elements<'_>,
        start: &BytesStart<'_>,
        limits: &ReadLimits,
    ) -> Result<usize, FdtError> {
        let instance = &mut self.parsed.instance;
        let listed = |list: &mut Vec<String>, text: String| {
            if list.len() == MAX_LISTED || text.len() > MAX_INHERITED {
                return 0;
            }
            let bytes = 2 * size_of::<String>() + text.capacity();
            list.push(text);
            bytes
        };
        Ok(match elements.name(start) {
            Some("File") => {
                if self.entries >= limits.max_files {
                    return Err(FdtError::TooManyFiles(limits.max_files));
                }
                self.entries += 1;
                match elements.file(start)? {
                    Ok(file) => {
                        let bytes = size_of::<File>() + file.heap_bytes();
                        instance.files.push(file);
                        bytes
                    }
                    Err(rejected) => {
                        self.parsed.rejected.push(rejected);
                        // The memory that it has grown by, and the text of a value that is shown.
                        2 * size_of::<Rejected>() + 4 * super::MAX_SHOWN
                    }
                }
            }
            Some("Group") => listed(&mut instance.groups, elements.text()?),
            Some("Base-URL-1") => listed(&mut instance.base_url_1, elements.uri()?),
            Some("Base-URL-2") => listed(&mut instance.base_url_2, elements.uri()?),
            Some("MBMS-Session-Identity-Expiry") => {
                let expiry = elements.attribute(start, "value").and_then(|text| value::ntp_seconds(&text));
                let identity = value::number(&elements.text()?);
                if instance.session_identity_expiry.len() < MAX_LISTED {
                    instance.session_identity_expiry.extend(identity.zip(expiry));
                }
                0
            }
            _ => {
                elements.skip()?;
                0
            }
        })
    }
}

/// What follows `position`: elements that begin in the first half are in it as a whole, or too long.
fn window(document: &[u8], position: usize) -> Window<'_> {
    let rest = &document[position.min(document.len())..];
    let mut end = rest.len().min(2 * MAX_ELEMENT);
    while end < rest.len() && rest[end] & 0xC0 == 0x80 {
        // Not within a character.
        end -= 1;
    }
    Window { bytes: &rest[..end], offset: position, is_cut: end < rest.len() }
}

fn instance_attributes(elements: &Elements<'_>, root: &BytesStart<'_>) -> Result<FdtInstance, FdtError> {
    let mut instance = FdtInstance::default();
    let mut expires = None;
    for attribute in elements.attributes(root) {
        let (name, text) = attribute.map_err(|reason| elements.wrong(&reason))?;
        let Some(text) = text.filter(|text| text.len() <= MAX_INHERITED) else { continue };
        match name {
            "Expires" => expires = value::ntp_seconds(&text),
            "Complete" => instance.complete = value::boolean(&text).unwrap_or(false),
            "FullFDT" => instance.full_fdt = value::boolean(&text).unwrap_or(false),
            "Content-Type" => instance.content_type = Some(text.into_owned()),
            "Content-Encoding" => instance.content_encoding = Some(text.into_owned()),
            // What is wrong here is absent, and may still be had from a File or from EXT_FTI.
            _ => _ = oti_attribute(&mut instance.oti, name, &text),
        }
    }
    instance.expires = expires.ok_or(FdtError::Expires)?;
    Ok(instance)
}
