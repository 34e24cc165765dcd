// SPDX-License-Identifier: MPL-2.0

//! An FDT Instance into the XML of a profile.
//!
//! What the profile forbids is not looked for here: a sender asks [`Profile`] when it is configured. Refused is only what
//! the profile's schema has no words for.

use std::fmt::{Display, Write};

use base64::Engine;

use super::schema::{self, Extension, Schema};
use super::value::{self, BASE64};
use super::{AlternateContentLocation, CacheControl, FdtInstance, File, MessageDigest, Signature};
use crate::oti::OtiAttributes;
use crate::profile::Profile;

/// Why an FDT Instance cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A character that XML 1.0 cannot carry, not even escaped (XML 1.0 §2.2).
    #[error("`{name}` contains the character {character:?}, which XML cannot carry")]
    Character {
        /// The attribute or element.
        name: &'static str,
        /// The character.
        character: char,
    },
    /// The schema of the profile has no such attribute or element.
    #[error("`{name}` cannot be expressed in the schema of {clause}")]
    Inexpressible {
        /// The attribute or element.
        name: &'static str,
        /// The clause with the schema.
        clause: &'static str,
    },
    /// A digest whose algorithm is not a word of lower-case letters, digits, `-`, `_`, `.` and `*`.
    #[error("`{0}` is not the name of a digest algorithm")]
    DigestAlgorithm(String),
}

impl FdtInstance {
    /// The XML document of this instance with its [`files`](Self::files), in the schema of the profile.
    ///
    /// ```
    /// use flute_proto::fdt::{FdtInstance, File};
    /// use flute_proto::lct::Toi;
    /// use flute_proto::profile::Profile;
    ///
    /// let file = File { content_location: "live.mpd".into(), toi: Toi::new(1).unwrap(), ..File::default() };
    /// let instance = FdtInstance { expires: 3_900_000_000, files: vec![file], ..FdtInstance::default() };
    /// let xml = instance.to_xml(Profile::Rfc6726)?;
    /// assert!(xml.ends_with(r#"<File Content-Location="live.mpd" TOI="1"/></FDT-Instance>"#));
    /// # Ok::<(), flute_proto::fdt::WriteError>(())
    /// ```
    ///
    /// # Errors
    /// [`WriteError`] for characters that XML cannot carry, and for what the schema has no words for.
    pub fn to_xml(&self, profile: Profile) -> Result<String, WriteError> {
        let mut entries = String::with_capacity(self.files.len() * 256);
        for file in &self.files {
            file.render(profile, &mut entries)?;
        }
        self.assemble(profile, [entries])
    }

    /// The XML document of this instance with the File elements that [`File::render`] made for the same profile, instead
    /// of [`files`](Self::files).
    pub fn assemble<S: AsRef<str>>(
        &self,
        profile: Profile,
        files: impl IntoIterator<Item = S>,
    ) -> Result<String, WriteError> {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Writer { out: &mut out, schema: profile.schema() }.instance(self, files)?;
        Ok(out)
    }
}

impl File {
    /// Appends the `File` element to `out`. If it fails, `out` ends in the middle of it.
    pub fn render(&self, profile: Profile, out: &mut String) -> Result<(), WriteError> {
        Writer { out, schema: profile.schema() }.file(self)
    }
}

/// Appends to a document in one schema.
struct Writer<'a> {
    out: &'a mut String,
    schema: Schema,
}

impl Writer<'_> {
    fn instance<S: AsRef<str>>(
        &mut self,
        instance: &FdtInstance,
        files: impl IntoIterator<Item = S>,
    ) -> Result<(), WriteError> {
        self.instance_start(instance)?;
        for file in files {
            self.out.push_str(file.as_ref());
        }
        match self.schema {
            Schema::Mbms2005 => self.element(schema::SCHEMA_VERSION, "schemaVersion", "4")?,
            Schema::Consolidated2022 | Schema::Dvb2022 => self.out.push_str("<schemaVersion>2</schemaVersion>"),
            Schema::Rfc6726 | Schema::Rfc3926 => {}
        }
        for url in &instance.base_url_1 {
            self.element(schema::MBMS_2012, "Base-URL-1", url)?;
        }
        for url in &instance.base_url_2 {
            self.element(schema::MBMS_2012, "Base-URL-2", url)?;
        }
        self.delimiter()?;
        for group in &instance.groups {
            self.element(schema::FDT_2005, "Group", group)?;
        }
        for (identity, expiry) in &instance.session_identity_expiry {
            let prefix = self.element_start(schema::FDT_2005, "MBMS-Session-Identity-Expiry")?;
            self.number("value", Some(expiry));
            let _ = write!(self.out, ">{identity}");
            self.element_end(prefix, "MBMS-Session-Identity-Expiry");
        }
        self.out.push_str("</FDT-Instance>");
        Ok(())
    }

    fn instance_start(&mut self, instance: &FdtInstance) -> Result<(), WriteError> {
        let _ = write!(self.out, "<FDT-Instance xmlns=\"{}\"", self.schema.namespace());
        for extension in self.schema.declared_on_root() {
            self.declare(*extension);
        }
        self.number("Expires", Some(instance.expires));
        if instance.complete {
            self.out.push_str(" Complete=\"true\"");
        }
        self.text("Content-Type", instance.content_type.as_deref())?;
        self.text("Content-Encoding", instance.content_encoding.as_deref())?;
        self.oti(&instance.oti);
        if instance.full_fdt {
            self.extension_text(schema::MBMS_2008, "FullFDT", Some("true"))?;
        }
        self.out.push('>');
        Ok(())
    }

    fn file(&mut self, file: &File) -> Result<(), WriteError> {
        self.out.push_str("<File");
        self.file_attributes(file)?;
        // A start tag is made an empty element if no child followed.
        let attributes_end = self.out.len();
        self.out.push('>');
        self.file_children(file)?;
        if self.out.len() == attributes_end + 1 {
            self.out.truncate(attributes_end);
            self.out.push_str("/>");
        } else {
            self.out.push_str("</File>");
        }
        Ok(())
    }

    fn file_attributes(&mut self, file: &File) -> Result<(), WriteError> {
        self.text("Content-Location", Some(&file.content_location))?;
        self.number("TOI", Some(file.toi));
        self.number("Content-Length", file.content_length);
        self.number("Transfer-Length", file.transfer_length);
        self.text("Content-Type", file.content_type.as_deref())?;
        self.text("Content-Encoding", file.content_encoding.as_deref())?;
        self.base64("Content-MD5", file.content_md5.as_ref().map(|digest| &digest[..]));
        self.oti(&file.oti);
        if let Some(expires) = file.expires {
            if !self.schema.is_consolidated() {
                return Err(WriteError::Inexpressible { name: "File/@Expires", clause: self.schema.clause() });
            }
            self.number("Expires", Some(expires));
        }
        self.digest("Content-Digest", file.content_digest.as_ref())?;
        self.digest("Repr-Digest", file.repr_digest.as_ref())?;
        self.extension_text(schema::MBMS_2009, "Decryption-KEY-URI", file.decryption_key_uri.as_deref())?;
        if file.etag.is_some() || file.fec_redundancy_level.is_some() {
            self.declare_for_attributes(schema::MBMS_2012);
            self.prefixed_text(schema::MBMS_2012, "File-ETag", file.etag.as_deref())?;
            let level = file.fec_redundancy_level.map(|level| level.to_string());
            self.prefixed_text(schema::MBMS_2012, "FEC-Redundancy-Level", level.as_deref())?;
        }
        if !file.independent_unit_positions.is_empty() {
            let positions: Vec<_> = file.independent_unit_positions.iter().map(u64::to_string).collect();
            self.extension_text(schema::MBMS_2015, "IndependentUnitPositions", Some(&positions.join(" ")))?;
        }
        Ok(())
    }

    /// In the order of TS 26.346 7.2.10.1, which the other schemas allow.
    fn file_children(&mut self, file: &File) -> Result<(), WriteError> {
        if let Some(control) = file.cache_control {
            self.cache_control(control)?;
        }
        self.delimiter()?;
        for location in &file.alternate_content_location_1 {
            self.alternate_content_location("Alternate-Content-Location-1", location)?;
        }
        for location in &file.alternate_content_location_2 {
            self.alternate_content_location("Alternate-Content-Location-2", location)?;
        }
        self.delimiter()?;
        for signature in &file.signatures {
            self.signature(signature)?;
        }
        for group in &file.groups {
            self.element(schema::FDT_2005, "Group", group)?;
        }
        for identity in &file.session_identities {
            self.element(schema::FDT_2005, "MBMS-Session-Identity", &identity.to_string())?;
        }
        Ok(())
    }

    fn cache_control(&mut self, control: CacheControl) -> Result<(), WriteError> {
        let prefix = self.element_start(schema::MBMS_2007, "Cache-Control")?;
        self.out.push('>');
        let (name, value) = match control {
            CacheControl::NoCache => ("no-cache", "true".to_owned()),
            CacheControl::MaxStale => ("max-stale", "true".to_owned()),
            CacheControl::Expires(seconds) => ("Expires", seconds.to_string()),
        };
        let _ = write!(self.out, "<{prefix}{name}>{value}</{prefix}{name}>");
        self.element_end(prefix, "Cache-Control");
        Ok(())
    }

    fn alternate_content_location(
        &mut self,
        name: &'static str,
        alternate: &AlternateContentLocation,
    ) -> Result<(), WriteError> {
        let prefix = self.element_start(schema::MBMS_2012, name)?;
        self.text("Availability-Time", alternate.availability_time.as_deref())?;
        self.out.push('>');
        for location in &alternate.locations {
            let _ = write!(self.out, "<{prefix}Alternate-Content-Location>");
            escape_text("Alternate-Content-Location", location, self.out)?;
            self.element_end(prefix, "Alternate-Content-Location");
        }
        self.element_end(prefix, name);
        Ok(())
    }

    fn signature(&mut self, signature: &Signature) -> Result<(), WriteError> {
        let prefix = self.element_start(schema::DVB, "Signature")?;
        self.text("scope", Some(&signature.scope))?;
        self.number("created", signature.created);
        self.number("expires", signature.expires);
        self.text("algorithm", signature.algorithm.as_deref())?;
        self.text("keyUri", signature.key_uri.as_deref())?;
        if let Some(key) = &signature.key_id {
            self.out.push_str(" keyId=\"");
            for byte in key {
                let _ = write!(self.out, "{byte:02X}");
            }
            self.out.push('"');
        }
        self.out.push('>');
        BASE64.encode_string(&signature.value, self.out);
        self.element_end(prefix, "Signature");
        Ok(())
    }

    /// What separates the releases of 3GPP's schema from each other, so that each can be extended (TS 26.346 7.2.10).
    fn delimiter(&mut self) -> Result<(), WriteError> {
        match self.schema {
            Schema::Mbms2005 => self.element(schema::SCHEMA_VERSION, "delimiter", "0"),
            _ => Ok(()),
        }
    }

    fn oti(&mut self, oti: &OtiAttributes) {
        self.number("FEC-OTI-FEC-Encoding-ID", oti.encoding_id);
        self.number("FEC-OTI-FEC-Instance-ID", oti.instance_id);
        self.number("FEC-OTI-Maximum-Source-Block-Length", oti.max_source_block_length);
        self.number("FEC-OTI-Encoding-Symbol-Length", oti.symbol_size);
        self.number("FEC-OTI-Max-Number-of-Encoding-Symbols", oti.max_encoding_symbols);
        self.base64("FEC-OTI-Scheme-Specific-Info", oti.scheme_specific_info.as_deref());
    }

    fn digest(&mut self, name: &'static str, digest: Option<&MessageDigest>) -> Result<(), WriteError> {
        let Some(digest) = digest else { return Ok(()) };
        if self.schema == Schema::Consolidated2022 {
            return Err(WriteError::Inexpressible { name, clause: self.schema.clause() });
        }
        if !value::is_digest_algorithm(&digest.algorithm) {
            return Err(WriteError::DigestAlgorithm(digest.algorithm.clone()));
        }
        let _ = write!(self.out, " {name}=\"{}=:", digest.algorithm);
        BASE64.encode_string(&digest.value, self.out);
        self.out.push_str(":\"");
        Ok(())
    }

    fn text(&mut self, name: &'static str, value: Option<&str>) -> Result<(), WriteError> {
        self.attribute("", name, value)
    }

    /// An attribute without characters to escape.
    fn number(&mut self, name: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            let _ = write!(self.out, " {name}=\"{value}\"");
        }
    }

    fn base64(&mut self, name: &'static str, value: Option<&[u8]>) {
        if let Some(value) = value {
            let _ = write!(self.out, " {name}=\"");
            BASE64.encode_string(value, self.out);
            self.out.push('"');
        }
    }

    /// The only attribute of its namespace in this element.
    fn extension_text(
        &mut self,
        extension: Extension,
        name: &'static str,
        value: Option<&str>,
    ) -> Result<(), WriteError> {
        if value.is_some() {
            self.declare_for_attributes(extension);
        }
        self.prefixed_text(extension, name, value)
    }

    /// An attribute whose namespace is declared already.
    fn prefixed_text(
        &mut self,
        extension: Extension,
        name: &'static str,
        value: Option<&str>,
    ) -> Result<(), WriteError> {
        if value.is_some() {
            self.check_expressible(extension, name)?;
        }
        let prefix = if self.schema.is_consolidated() { "" } else { extension.prefix };
        self.attribute(prefix, name, value)
    }

    fn attribute(&mut self, prefix: &str, name: &'static str, value: Option<&str>) -> Result<(), WriteError> {
        if let Some(value) = value {
            let _ = write!(self.out, " {prefix}{name}=\"");
            escape_attribute(name, value, self.out)?;
            self.out.push('"');
        }
        Ok(())
    }

    fn declare_for_attributes(&mut self, extension: Extension) {
        if !self.schema.is_consolidated() && !self.schema.declared_on_root().contains(&extension) {
            self.declare(extension);
        }
    }

    fn declare(&mut self, extension: Extension) {
        let _ = write!(self.out, " xmlns:{}=\"{}\"", extension.prefix.trim_end_matches(':'), extension.namespace);
    }

    fn element(&mut self, extension: Extension, name: &'static str, text: &str) -> Result<(), WriteError> {
        let prefix = self.element_start(extension, name)?;
        self.out.push('>');
        escape_text(name, text, self.out)?;
        self.element_end(prefix, name);
        Ok(())
    }

    /// The start tag but for its `>`, and the prefix for its end tag.
    fn element_start(&mut self, extension: Extension, name: &'static str) -> Result<&'static str, WriteError> {
        self.check_expressible(extension, name)?;
        let in_root_namespace =
            extension.namespace == self.schema.namespace() || self.schema.is_consolidated() && extension != schema::DVB;
        let prefix = if in_root_namespace { "" } else { extension.prefix };
        let _ = write!(self.out, "<{prefix}{name}");
        if !in_root_namespace && !self.schema.declared_on_root().contains(&extension) {
            self.declare(extension);
        }
        Ok(prefix)
    }

    fn element_end(&mut self, prefix: &str, name: &str) {
        let _ = write!(self.out, "</{prefix}{name}>");
    }

    fn check_expressible(&self, extension: Extension, name: &'static str) -> Result<(), WriteError> {
        if self.schema.has(extension, name) {
            Ok(())
        } else {
            Err(WriteError::Inexpressible { name, clause: self.schema.clause() })
        }
    }
}

/// Escapes what would end an attribute, and what a reader would normalise into spaces (XML 1.0 §3.3.3).
fn escape_attribute(name: &'static str, value: &str, out: &mut String) -> Result<(), WriteError> {
    escape(name, value, out, |character| match character {
        '"' => Some("&quot;"),
        '\t' => Some("&#9;"),
        '\n' => Some("&#10;"),
        _ => None,
    })
}

/// Escapes what would end a text.
fn escape_text(name: &'static str, value: &str, out: &mut String) -> Result<(), WriteError> {
    escape(name, value, out, |_| None)
}

fn escape(
    name: &'static str,
    value: &str,
    out: &mut String,
    also: impl Fn(char) -> Option<&'static str>,
) -> Result<(), WriteError> {
    let mut plain_from = 0;
    for (index, character) in value.char_indices() {
        let escaped = match character {
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            // A reader would make a line feed of it (XML 1.0 §2.11).
            '\r' => Some("&#13;"),
            '\t' | '\n' => also(character),
            '\0'..' ' | '\u{FFFE}' | '\u{FFFF}' => return Err(WriteError::Character { name, character }),
            _ => also(character),
        };
        if let Some(escaped) = escaped {
            out.push_str(&value[plain_from..index]);
            out.push_str(escaped);
            plain_from = index + character.len_utf8();
        }
    }
    out.push_str(&value[plain_from..]);
    Ok(())
}

#[cfg(test)]
mod tests;
