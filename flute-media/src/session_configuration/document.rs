// SPDX-License-Identifier: MPL-2.0

//! An XML document as a tree, within bounds. Names count without their namespace: implementations are known that write one
//! of a version that was never published.

use std::collections::HashMap;
use std::rc::Rc;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::{ConfigurationError, MAX_SIZE};

/// Elements of a document, elements within elements, and attributes of an element.
const MAX_ELEMENTS: usize = 65_536;
const MAX_DEPTH: usize = 32;
const MAX_ATTRIBUTES: usize = 64;

/// Characters of a wrong value that are worth showing.
const MAX_SHOWN: usize = 64;

/// An element with what is in it.
#[derive(Debug, Default)]
pub(super) struct Element {
    place: Rc<Place>,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    /// How many of its children have a name.
    counts: HashMap<String, usize>,
    text: String,
}

/// Where an element stands.
#[derive(Debug, Default)]
struct Place {
    name: String,
    /// The how many-th of its name it is, from 1.
    number: usize,
    above: Option<Rc<Place>>,
}

impl Place {
    /// As `MulticastGatewayConfiguration/MulticastSession[2]/EndpointAddress[1]`.
    fn path(&self) -> String {
        match &self.above {
            Some(above) if above.above.is_some() => format!("{}/{}[{}]", above.path(), shown(&self.name), self.number),
            // The root is the only one of its kind.
            _ => shown(&self.name),
        }
    }
}

impl Element {
    /// The root of a document.
    pub(super) fn root_of(document: &[u8]) -> Result<Self, ConfigurationError> {
        if document.len() as u64 > MAX_SIZE {
            return Err(ConfigurationError::TooLong(MAX_SIZE));
        }
        let mut reader = Reader::from_reader(document);
        reader.config_mut().expand_empty_elements = true;
        // The elements that are open; the first one holds the root.
        let mut open = vec![Self::default()];
        let mut elements = 0;
        loop {
            let event = reader.read_event();
            let wrong = |reason: String| ConfigurationError::Xml { offset: reader.buffer_position(), reason };
            match event.map_err(|error| wrong(error.to_string()))? {
                Event::Start(start) => {
                    elements += 1;
                    if elements > MAX_ELEMENTS || open.len() > MAX_DEPTH {
                        return Err(ConfigurationError::TooManyElements { elements: MAX_ELEMENTS, depth: MAX_DEPTH });
                    }
                    let element = open.last_mut().map_or_else(|| Ok(Self::default()), |parent| parent.begin(&start));
                    open.push(element.map_err(wrong)?);
                }
                Event::End(_) => {
                    let child = open.pop().unwrap_or_default();
                    let Some(parent) = open.last_mut() else { break };
                    parent.children.push(child);
                    if open.len() == 1 {
                        break;
                    }
                }
                Event::Text(part) => push(&mut open, &part.xml10_content()),
                Event::CData(part) => push(&mut open, &part.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = character(&reference).ok_or_else(|| wrong("an unknown entity".to_owned()))?;
                    push(&mut open, character.encode_utf8(&mut [0; 4]));
                }
                Event::Eof => return Err(wrong("the document ends within an element".to_owned())),
                _ => (),
            }
        }
        let root = open.pop().and_then(|mut above| above.children.pop());
        root.ok_or_else(|| ConfigurationError::Xml { offset: 0, reason: "there is no element".to_owned() })
    }

    /// A child that begins.
    fn begin(&mut self, start: &BytesStart<'_>) -> Result<Self, String> {
        let name = start.local_name().as_ref().to_owned();
        let number = self.counts.entry(name.clone()).or_default();
        *number += 1;
        let number = *number;
        let mut attributes = Vec::new();
        for attribute in start.attributes().take(MAX_ATTRIBUTES) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
            let name = attribute.key.local_name().as_ref().to_owned();
            attributes.push((name, value.into_owned()));
        }
        let place = Rc::new(Place { name, number, above: Some(self.place.clone()) });
        Ok(Self { place, attributes, ..Self::default() })
    }

    pub(super) fn name(&self) -> &str {
        &self.place.name
    }

    /// Where it stands in the document.
    pub(super) fn path(&self) -> String {
        self.place.path()
    }

    /// Its children of a name.
    pub(super) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.place.name == name)
    }

    /// Its only child of a name, or the first one.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.place.name == name)
    }

    /// The same, which must be there.
    pub(super) fn required_child(&self, name: &'static str) -> Result<&Self, ConfigurationError> {
        self.child(name)
            .ok_or_else(|| ConfigurationError::Missing { element: self.path(), what: format!("element {name}") })
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// An attribute that must be there.
    pub(super) fn required_attribute(&self, name: &'static str) -> Result<&str, ConfigurationError> {
        self.attribute(name)
            .ok_or_else(|| ConfigurationError::Missing { element: self.path(), what: format!("attribute {name}") })
    }

    /// An attribute that is read in this way, if it is there.
    pub(super) fn parsed_attribute<T>(
        &self,
        name: &str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigurationError> {
        let Some(value) = self.attribute(name) else { return Ok(None) };
        let element = format!("{}/@{name}", self.path());
        parse(value).map(Some).ok_or_else(|| ConfigurationError::Value { element, value: shown(value), expected })
    }

    /// The text of it.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    /// Its text, read in this way.
    pub(super) fn parsed_text<T>(
        &self,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigurationError> {
        let value = self.text();
        let wrong = || ConfigurationError::Value { element: self.path(), value: shown(value), expected };
        parse(value).ok_or_else(wrong)
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// The character that a reference stands for: one of XML's five entities, or a number.
fn character(reference: &BytesRef<'_>) -> Option<char> {
    match reference.as_ref() {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

fn shown(value: &str) -> String {
    value.chars().take(MAX_SHOWN).collect()
}
