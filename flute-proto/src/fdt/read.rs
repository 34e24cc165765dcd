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
//! - so does anything of the `FDT-Instance` but `Expires`, without which nobody knows how long the instance holds. All
//!   schemas require it and all known senders write it.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::{AlternateContentLocation, CacheControl, FdtInstance, File, Signature, schema, value};
use crate::lct::Toi;
use crate::oti::{FecEncodingId, OtiAttributes};

/// Elements within elements; the schemas have four.
const MAX_DEPTH: usize = 64;
/// Attributes of one element that are looked at; the schemas have two dozen.
const MAX_ATTRIBUTES: usize = 256;
/// Independent units of one file: far more than a media segment has.
const MAX_POSITIONS: usize = 65_536;
/// Namespace declarations in force at one place; the schemas have a dozen.
const MAX_NAMESPACES: usize = 64;
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
    /// Neither UTF-8 nor what the document declares.
    #[error("the characters are neither UTF-8 nor declared as ISO 8859-1")]
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
        let text = decode(document)?;
        let mut reader = NsReader::from_str(&text);
        reader.config_mut().expand_empty_elements = true;
        reader.resolver_mut().set_max_namespace_bindings(MAX_NAMESPACES);
        Reader { reader, root_namespace: None, limits, memory: 0 }.instance()
    }
}

/// The text of the document. A sender that declares ISO 8859-1 may put UTF-8 file names under it all the same: bytes that
/// are UTF-8 are taken for that.
fn decode(document: &[u8]) -> Result<Cow<'_, str>, FdtError> {
    // UTF-16 and UTF-32 show by their byte order mark or by the zeros beside `<`.
    if document.starts_with(&[0xFE, 0xFF])
        || document.starts_with(&[0xFF, 0xFE])
        || document[..document.len().min(4)].contains(&0)
    {
        return Err(FdtError::Encoding);
    }
    let document = document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(document);
    if let Ok(text) = std::str::from_utf8(document) {
        return Ok(Cow::Borrowed(text));
    }
    let declaration = document.split(|&byte| byte == b'>').next().unwrap_or_default().to_ascii_lowercase();
    let declares = |name: &[u8]| declaration.windows(name.len()).any(|window| window == name);
    if declaration.starts_with(b"<?xml") && (declares(b"iso-8859-1") || declares(b"latin1") || declares(b"latin-1")) {
        return Ok(Cow::Owned(document.iter().copied().map(char::from).collect()));
    }
    Err(FdtError::Encoding)
}

/// Where reading stands.
struct Reader<'i, 'l> {
    reader: NsReader<&'i [u8]>,
    /// Namespace of the root, which is the FDT's whatever it is.
    root_namespace: Option<String>,
    limits: &'l ReadLimits,
    /// Bytes that what was read takes.
    memory: usize,
}

impl<'i> Reader<'i, '_> {
    fn next(&mut self) -> Result<Event<'i>, FdtError> {
        self.reader
            .read_event()
            .map_err(|error| FdtError::Xml { offset: self.reader.error_position(), reason: shown(&error.to_string()) })
    }

    fn charge(&mut self, bytes: usize) -> Result<(), FdtError> {
        self.memory = self.memory.saturating_add(bytes);
        if self.memory > self.limits.max_memory { Err(FdtError::TooLarge(self.limits.max_memory)) } else { Ok(()) }
    }

    fn truncated(&self) -> FdtError {
        FdtError::Xml {
            offset: self.reader.buffer_position(),
            reason: "the document ends within an element".to_owned(),
        }
    }

    /// The local name, if the element is of the FDT and not somebody's private one.
    fn element<'e>(&self, start: &'e BytesStart<'_>) -> Option<&'e str> {
        let (namespace, local) = self.reader.resolver().resolve_element(start.name());
        self.is_ours(&namespace).then(|| local.into_inner())
    }

    /// The attributes of the FDT: the local name, and the value or `None` if that refers to an entity that there is not.
    fn attributes<'e>(
        &'e self,
        start: &'e BytesStart<'_>,
    ) -> impl Iterator<Item = Result<(&'e str, Option<Cow<'e, str>>), String>> {
        start.attributes().take(MAX_ATTRIBUTES + 1).enumerate().filter_map(|(index, attribute)| {
            let attribute = match attribute {
                Ok(_) if index == MAX_ATTRIBUTES => return Some(Err(format!("more than {MAX_ATTRIBUTES}"))),
                Ok(attribute) if attribute.key.as_namespace_binding().is_some() => return None,
                Ok(attribute) => attribute,
                Err(error) => return Some(Err(shown(&error.to_string()))),
            };
            let (namespace, local) = self.reader.resolver().resolve_attribute(attribute.key);
            self.is_ours(&namespace)
                .then(|| Ok((local.into_inner(), attribute.normalized_value(XmlVersion::Implicit1_0).ok())))
        })
    }

    fn is_ours(&self, namespace: &ResolveResult<'_>) -> bool {
        match namespace {
            ResolveResult::Unbound => true,
            ResolveResult::Bound(Namespace(name)) => {
                self.root_namespace.as_deref() == Some(*name) || schema::is_known(name)
            }
            ResolveResult::Unknown(_) => false,
        }
    }

    fn instance(&mut self) -> Result<Parsed, FdtError> {
        let root = loop {
            match self.next()? {
                Event::Start(start) => break start,
                Event::Eof => return Err(self.truncated()),
                _ => {}
            }
        };
        let (namespace, local) = self.reader.resolver().resolve_element(root.name());
        if local.as_ref() != "FDT-Instance" {
            return Err(FdtError::Root(shown(local.as_ref())));
        }
        if let ResolveResult::Bound(Namespace(name)) = namespace {
            self.root_namespace = Some(name.to_owned());
        }
        let mut parsed = Parsed { instance: self.instance_attributes(&root)?, rejected: Vec::new() };
        self.children(|this, start| this.instance_child(start, &mut parsed))?;
        Ok(parsed)
    }

    fn instance_attributes(&self, root: &BytesStart<'_>) -> Result<FdtInstance, FdtError> {
        let mut instance = FdtInstance::default();
        let mut expires = None;
        for attribute in self.attributes(root) {
            let (name, text) =
                attribute.map_err(|reason| FdtError::Xml { offset: self.reader.buffer_position(), reason })?;
            let Some(text) = text else { continue };
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

    fn instance_child(&mut self, start: &BytesStart<'_>, parsed: &mut Parsed) -> Result<(), FdtError> {
        let instance = &mut parsed.instance;
        match self.element(start) {
            Some("File") => {
                if instance.files.len() + parsed.rejected.len() >= self.limits.max_files {
                    return Err(FdtError::TooManyFiles(self.limits.max_files));
                }
                match self.file(start)? {
                    Ok(file) => instance.files.push(file),
                    Err(rejected) => parsed.rejected.push(rejected),
                }
            }
            Some("Group") => instance.groups.push(self.text()?),
            Some("Base-URL-1") => instance.base_url_1.push(self.uri()?),
            Some("Base-URL-2") => instance.base_url_2.push(self.uri()?),
            Some("MBMS-Session-Identity-Expiry") => {
                let expiry = self.attribute(start, "value").and_then(|text| value::ntp_seconds(&text));
                let identity = value::number(&self.text()?);
                instance.session_identity_expiry.extend(identity.zip(expiry));
            }
            _ => self.skip()?,
        }
        Ok(())
    }

    /// A `File` element, to its end.
    fn file(&mut self, start: &BytesStart<'_>) -> Result<Result<File, Rejected>, FdtError> {
        let mut toi = None;
        let (mut file, wrong) = match self.file_attributes(start, &mut toi) {
            Ok(file) => (file, None),
            Err(reason) => (File::default(), Some(Rejected { toi, reason })),
        };
        let positions = size_of_val(&file.independent_unit_positions[..]);
        self.charge(size_of::<File>() + start.attributes_raw().len() + positions)?;
        self.children(|this, start| this.file_child(start, &mut file))?;
        Ok(wrong.map_or(Ok(file), Err))
    }

    /// `toi` is set as soon as it is known, so that an entry that is wrong in something else can be named.
    fn file_attributes(&self, start: &BytesStart<'_>, toi: &mut Option<Toi>) -> Result<File, FileError> {
        let mut file = File::default();
        let mut location = None;
        let mut wrong = None;
        for attribute in self.attributes(start) {
            let (name, text) = attribute.map_err(FileError::Attributes)?;
            let text = text.ok_or_else(|| FileError::Entity(shown(name)))?;
            match name {
                "TOI" => *toi = Some(toi_of(&text)?),
                "Content-Location" => location = Some(location_of(text)?),
                _ => wrong = wrong.or(file_attribute(&mut file, name, text).err()),
            }
        }
        if let Some(reason) = wrong {
            return Err(reason);
        }
        file.toi = toi.ok_or(FileError::Missing("TOI"))?;
        file.content_location = location.ok_or(FileError::Missing("Content-Location"))?;
        Ok(file)
    }

    fn file_child(&mut self, start: &BytesStart<'_>, file: &mut File) -> Result<(), FdtError> {
        match self.element(start) {
            Some("Cache-Control") => file.cache_control = self.cache_control()?.or(file.cache_control),
            Some("Group") => file.groups.push(self.text()?),
            Some("MBMS-Session-Identity") => file.session_identities.extend(value::number::<u8>(&self.text()?)),
            Some("Alternate-Content-Location-1") => {
                let alternate = self.alternate_content_location(start)?;
                file.alternate_content_location_1.push(alternate);
            }
            Some("Alternate-Content-Location-2") => {
                let alternate = self.alternate_content_location(start)?;
                file.alternate_content_location_2.push(alternate);
            }
            Some("Signature") => {
                self.charge(size_of::<Signature>() + start.attributes_raw().len())?;
                let mut signature = self.signature_attributes(start);
                signature.value = value::base64_binary(&self.text()?).unwrap_or_default();
                if !signature.value.is_empty() {
                    file.signatures.push(signature);
                }
            }
            _ => self.skip()?,
        }
        Ok(())
    }

    /// Exactly one child says it (TS 26.346 7.2.10.2); of several, the last.
    fn cache_control(&mut self) -> Result<Option<CacheControl>, FdtError> {
        let mut control = None;
        self.children(|this, start| {
            let found = match this.element(start) {
                Some("no-cache") => value::boolean(&this.text()?).and_then(|yes| yes.then_some(CacheControl::NoCache)),
                Some("max-stale") => {
                    value::boolean(&this.text()?).and_then(|yes| yes.then_some(CacheControl::MaxStale))
                }
                Some("Expires") => value::ntp_seconds(&this.text()?).map(CacheControl::Expires),
                _ => return this.skip(),
            };
            control = found.or(control);
            Ok(())
        })?;
        Ok(control)
    }

    fn alternate_content_location(&mut self, start: &BytesStart<'_>) -> Result<AlternateContentLocation, FdtError> {
        self.charge(size_of::<AlternateContentLocation>() + start.attributes_raw().len())?;
        let availability_time = self.attribute(start, "Availability-Time").map(|text| text.trim_ascii().to_owned());
        let mut locations = Vec::new();
        self.children(|this, start| {
            match this.element(start) {
                Some("Alternate-Content-Location") => locations.push(this.uri()?),
                _ => this.skip()?,
            }
            Ok(())
        })?;
        Ok(AlternateContentLocation { locations, availability_time })
    }

    fn signature_attributes(&self, start: &BytesStart<'_>) -> Signature {
        let text = |name| self.attribute(start, name);
        Signature {
            scope: text("scope").unwrap_or_default(),
            created: text("created").and_then(|text| value::number(&text)),
            expires: text("expires").and_then(|text| value::number(&text)),
            algorithm: text("algorithm"),
            key_uri: text("keyUri"),
            key_id: text("keyId").and_then(|text| value::hex_binary(&text)),
            value: Vec::new(),
        }
    }

    /// One attribute of an element that has few.
    fn attribute(&self, start: &BytesStart<'_>, wanted: &str) -> Option<String> {
        let mut attributes = self.attributes(start).filter_map(Result::ok);
        attributes.find(|(name, _)| *name == wanted).and_then(|(_, text)| text).map(Cow::into_owned)
    }

    /// Calls `take` for each child of the element that has just begun, to its end.
    fn children(
        &mut self,
        mut take: impl FnMut(&mut Self, &BytesStart<'_>) -> Result<(), FdtError>,
    ) -> Result<(), FdtError> {
        loop {
            match self.next()? {
                Event::Start(start) => take(self, &start)?,
                Event::End(_) => return Ok(()),
                Event::Eof => return Err(self.truncated()),
                _ => {}
            }
        }
    }

    /// The text of the element that has just begun, to its end, without that of elements in it.
    fn text(&mut self) -> Result<String, FdtError> {
        let mut text = String::new();
        loop {
            match self.next()? {
                Event::Text(part) => text.push_str(&part.xml10_content()),
                Event::CData(part) => text.push_str(&part.xml10_content()),
                Event::GeneralRef(reference) => text.extend(character(&reference)),
                Event::Start(_) => self.skip()?,
                Event::End(_) => break,
                Event::Eof => return Err(self.truncated()),
                _ => {}
            }
        }
        self.charge(size_of::<String>() + text.len())?;
        Ok(text)
    }

    /// The text of an element that holds a URI, which whitespace may surround.
    fn uri(&mut self) -> Result<String, FdtError> {
        Ok(self.text()?.trim_ascii().to_owned())
    }

    /// Leaves the element that has just begun.
    fn skip(&mut self) -> Result<(), FdtError> {
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                Event::Start(_) if depth == MAX_DEPTH => return Err(FdtError::TooDeep),
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                Event::Eof => return Err(self.truncated()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a reference in text stands for: a character, or one of XML's five entities. Others are left out.
fn character(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

/// The beginning of a text, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

/// TOI 0 is the FDT itself (RFC 6726 §3.3), and no positive integer.
fn toi_of(text: &str) -> Result<Toi, FileError> {
    value::number(text).filter(|&toi| toi > 0).and_then(Toi::new).ok_or_else(|| wrong("TOI", text))
}

/// A string that identifies the file, to the letter (RFC 6726 §3.4.2): not even whitespace is taken away.
fn location_of(text: Cow<'_, str>) -> Result<String, FileError> {
    if text.trim_ascii().is_empty() { Err(wrong("Content-Location", &text)) } else { Ok(text.into_owned()) }
}

/// Takes the attribute if it is one of a File.
fn file_attribute(file: &mut File, name: &str, text: Cow<'_, str>) -> Result<(), FileError> {
    match name {
        "Content-Length" => file.content_length = Some(length("Content-Length", &text)?),
        "Transfer-Length" => file.transfer_length = Some(length("Transfer-Length", &text)?),
        "Content-Type" => file.content_type = Some(text.into_owned()),
        "Content-Encoding" => file.content_encoding = Some(text.into_owned()),
        "Content-MD5" => file.content_md5 = value::base64_binary(&text).and_then(|digest| digest.try_into().ok()),
        "File-ETag" => file.etag = Some(text.into_owned()),
        "Decryption-KEY-URI" => file.decryption_key_uri = Some(text.into_owned()),
        "FEC-Redundancy-Level" => file.fec_redundancy_level = value::number(&text),
        "IndependentUnitPositions" => {
            let words = text.split_ascii_whitespace().take(MAX_POSITIONS + 1);
            let positions = words.map(value::number).collect::<Option<Vec<_>>>();
            file.independent_unit_positions =
                positions.filter(|positions| positions.len() <= MAX_POSITIONS).unwrap_or_default();
        }
        "Expires" => file.expires = value::ntp_seconds(&text),
        "Content-Digest" => file.content_digest = value::message_digest(&text),
        "Repr-Digest" => file.repr_digest = value::message_digest(&text),
        _ => return oti_attribute(&mut file.oti, name, &text),
    }
    Ok(())
}

/// Takes the attribute if it is one of the FEC-OTI attributes (RFC 6726 §5).
fn oti_attribute(oti: &mut OtiAttributes, name: &str, text: &str) -> Result<(), FileError> {
    match name {
        "FEC-OTI-FEC-Encoding-ID" => {
            let id = value::number(text).ok_or_else(|| wrong("FEC-OTI-FEC-Encoding-ID", text))?;
            oti.encoding_id = Some(FecEncodingId(id));
        }
        "FEC-OTI-FEC-Instance-ID" => oti.instance_id = Some(length("FEC-OTI-FEC-Instance-ID", text)?),
        "FEC-OTI-Maximum-Source-Block-Length" => {
            oti.max_source_block_length = Some(length("FEC-OTI-Maximum-Source-Block-Length", text)?);
        }
        "FEC-OTI-Encoding-Symbol-Length" => {
            oti.symbol_size = Some(length("FEC-OTI-Encoding-Symbol-Length", text)?);
        }
        "FEC-OTI-Max-Number-of-Encoding-Symbols" => {
            oti.max_encoding_symbols = Some(length("FEC-OTI-Max-Number-of-Encoding-Symbols", text)?);
        }
        "FEC-OTI-Scheme-Specific-Info" => {
            let info = value::base64_binary(text).ok_or_else(|| wrong("FEC-OTI-Scheme-Specific-Info", text))?;
            oti.scheme_specific_info = Some(info);
        }
        _ => {}
    }
    Ok(())
}

fn length(name: &'static str, text: &str) -> Result<u64, FileError> {
    value::number(text).ok_or_else(|| wrong(name, text))
}

fn wrong(name: &'static str, text: &str) -> FileError {
    FileError::Value { name, value: shown(text) }
}

#[cfg(test)]
mod tests;
