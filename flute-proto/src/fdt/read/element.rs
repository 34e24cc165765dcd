// SPDX-License-Identifier: MPL-2.0

//! The elements of an FDT Instance, each of them read whole, within a window of the document.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::attributes::{file_attribute, location_of, toi_of};
use super::{FdtError, FileError, Rejected, shown};
use crate::fdt::{AlternateContentLocation, CacheControl, File, Signature, schema, value};
use crate::lct::Toi;

/// Elements within elements; the schemas have four.
pub(super) const MAX_DEPTH: usize = 64;
/// Attributes of one element that are looked at; the schemas have two dozen.
const MAX_ATTRIBUTES: usize = 64;
/// Namespace declarations in force at one place; the schemas have a dozen.
const MAX_NAMESPACES: usize = 64;

/// A piece of the document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'i> {
    pub(super) bytes: &'i [u8],
    /// Where it begins in the document.
    pub(super) offset: usize,
    /// The document goes on behind it.
    pub(super) is_cut: bool,
}

/// Reads the elements of a window.
pub(super) struct Elements<'i> {
    reader: NsReader<&'i [u8]>,
    window: Window<'i>,
    /// Namespace of the root, which is the FDT's whatever it is.
    root_namespace: Option<String>,
    /// XML events so far.
    events: u64,
}

impl<'i> Elements<'i> {
    /// What stands in front of the root element, and its start.
    pub(super) fn prolog(window: Window<'i>) -> Self {
        let mut reader = NsReader::from_reader(window.bytes);
        reader.resolver_mut().set_max_namespace_bindings(MAX_NAMESPACES);
        Self { reader, window, root_namespace: None, events: 0 }
    }

    /// Children of the root, which is in force with its namespaces, and its end.
    pub(super) fn within_root(
        window: Window<'i>,
        root: &BytesStart<'_>,
        root_namespace: Option<String>,
    ) -> Result<Self, FdtError> {
        let mut elements = Self { root_namespace, ..Self::prolog(window) };
        let config = elements.reader.config_mut();
        config.expand_empty_elements = true;
        // That of the root, whose start is not in the window.
        config.allow_unmatched_ends = true;
        elements
            .reader
            .resolver_mut()
            .push(root)
            .map_err(|error| FdtError::Xml { offset: 0, reason: shown(&error.to_string()) })?;
        Ok(elements)
    }

    /// Where reading stands in the document.
    pub(super) fn position(&self) -> usize {
        self.window.offset + self.reader.buffer_position() as usize
    }

    /// XML events that were read.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Result<Event<'i>, FdtError> {
        self.events += 1;
        let event = self.reader.read_event().map_err(|error| match error {
            quick_xml::Error::Syntax(_) if self.window.is_cut => self.too_long(),
            error => self.wrong(&error.to_string()),
        })?;
        // XML does not have it (XML 1.0 §2.2), and at it the strings of others end.
        if event.contains('\0') {
            return Err(self.wrong("there is a character 0"));
        }
        Ok(event)
    }

    /// Something is not well-formed.
    pub(super) fn wrong(&self, reason: &str) -> FdtError {
        let offset = self.window.offset as u64 + self.reader.error_position();
        FdtError::Xml { offset, reason: shown(reason) }
    }

    /// The window ends within an element.
    pub(super) fn truncated(&self) -> FdtError {
        if self.window.is_cut {
            return self.too_long();
        }
        FdtError::Xml { offset: self.position() as u64, reason: "the document ends within an element".to_owned() }
    }

    fn too_long(&self) -> FdtError {
        FdtError::ElementTooLong { offset: self.window.offset as u64 }
    }

    /// Takes `start` for that of the root: its local name, and its namespace.
    pub(super) fn set_root<'e>(&mut self, start: &'e BytesStart<'_>) -> (&'e str, Option<String>) {
        let (namespace, local) = self.reader.resolver().resolve_element(start.name());
        if let ResolveResult::Bound(Namespace(name)) = namespace {
            self.root_namespace = Some(name.to_owned());
        }
        (local.into_inner(), self.root_namespace.clone())
    }

    /// The local name, if the element is of the FDT and not a private one of a vendor.
    pub(super) fn name<'e>(&self, start: &'e BytesStart<'_>) -> Option<&'e str> {
        let (namespace, local) = self.reader.resolver().resolve_element(start.name());
        self.is_ours(&namespace).then(|| local.into_inner())
    }

    /// The attributes of the FDT: the local name, and the value or `None` if that refers to an entity that there is not.
    pub(super) fn attributes<'e>(
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

    /// A `File` element, to its end.
    pub(super) fn file(&mut self, start: &BytesStart<'_>) -> Result<Result<File, Rejected>, FdtError> {
        let mut toi = None;
        let (mut file, wrong) = match self.file_attributes(start, &mut toi) {
            Ok(file) => (file, None),
            Err(reason) => (File::default(), Some(Rejected { toi, reason })),
        };
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
        match self.name(start) {
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
            let found = match this.name(start) {
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
        let availability_time = self.attribute(start, "Availability-Time").map(|text| text.trim_ascii().to_owned());
        let mut locations = Vec::new();
        self.children(|this, start| {
            match this.name(start) {
                Some("Alternate-Content-Location") => locations.push(this.uri()?),
                _ => this.skip()?,
            }
            Ok(())
        })?;
        Ok(AlternateContentLocation { locations, availability_time })
    }

    fn signature_attributes(&self, start: &BytesStart<'_>) -> Signature {
        let mut signature = Signature::default();
        for (name, text) in self.attributes(start).map_while(Result::ok) {
            let Some(text) = text else { continue };
            match name {
                "scope" => signature.scope = text.into_owned(),
                "created" => signature.created = value::number(&text),
                "expires" => signature.expires = value::number(&text),
                "algorithm" => signature.algorithm = Some(text.into_owned()),
                "keyUri" => signature.key_uri = Some(text.into_owned()),
                "keyId" => signature.key_id = value::hex_binary(&text),
                _ => {}
            }
        }
        signature
    }

    /// One attribute of an element that has few.
    pub(super) fn attribute(&self, start: &BytesStart<'_>, wanted: &str) -> Option<String> {
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
    pub(super) fn text(&mut self) -> Result<String, FdtError> {
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
        Ok(text)
    }

    /// The text of an element that holds a URI, which whitespace may surround.
    pub(super) fn uri(&mut self) -> Result<String, FdtError> {
        Ok(self.text()?.trim_ascii().to_owned())
    }

    /// Leaves the element that has just begun.
    pub(super) fn skip(&mut self) -> Result<(), FdtError> {
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
