// SPDX-License-Identifier: MPL-2.0

//! Rules of FDT Instances.

use std::hash::{DefaultHasher, Hash, Hasher};

use quick_xml::events::Event as XmlEvent;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::packets::is_mbms;
use super::{Clause, Cut, DescribedObject, Findings, MAX_INSTANCES, MAX_OBJECTS, Session};
use crate::Time;
use crate::fdt::{FdtInstance, File, Parsed, ReadLimits, Schema};
use crate::lct::Toi;
use crate::oti::{Oti, OtiError};

pub(super) const SYNTAX: Clause = Clause::new("RFC 6726 §3.4.2", "RFC 3926 §3.4.2");
pub(super) const DYNAMICS: Clause = Clause::new("RFC 6726 §3.3", "RFC 3926 §3.3");
const ID: Clause = Clause::new("RFC 6726 §3.4.1", "RFC 3926 §3.4.1");
const OTI: Clause = Clause::new("RFC 6726 §5", "RFC 3926 §5");
/// What MBMS wants of every file.
const MBMS_FILE: &str = "TS 26.346 7.2.9";

/// Bytes of a document that are searched for its schema version.
const MAX_SEARCHED: usize = 1 << 20;

/// Looks at an FDT Instance that was read at `now`.
pub(super) fn check(id: u32, document: &[u8], session: &mut Session, now: Time, findings: &mut Findings<'_>) {
    let of_instance = || format!("FDT Instance {id}");
    let Parsed { instance, rejected } = match FdtInstance::from_xml(document, &ReadLimits::default()) {
        Ok(parsed) => parsed,
        Err(error) => return findings.note(SYNTAX, error.to_string(), of_instance),
    };
    for file in rejected {
        let toi = file.toi.map_or_else(|| "a File without a TOI".to_owned(), |toi| format!("TOI {toi}"));
        findings.note(SYNTAX, file.reason.to_string(), || format!("FDT Instance {id}, {toi}"));
    }
    check_schema(document, findings, of_instance);

    let expires = Time::from_ntp_seconds(instance.expires, now);
    if expires <= now {
        findings.note(DYNAMICS, "an FDT Instance that has expired when it is sent", of_instance);
    }
    let digest = digest(document);
    if let Some((known, until)) = session.instances.get(&id)
        && *known != digest
        && *until > now
    {
        let what = "the ID of an FDT Instance that has not expired is used for another";
        findings.note(ID, what, of_instance);
    }
    if session.instances.len() < MAX_INSTANCES {
        session.instances.insert(id, (digest, expires));
    }
    for forbidden in findings.profile.forbidden_of_instance(&instance) {
        findings.note_at(forbidden.clause, format!("{} is not allowed", forbidden.what), of_instance);
    }
    for file in &instance.files {
        let file = with_inherited(file.clone(), &instance);
        check_file(id, &file, findings);
        check_dynamics(id, file, expires, now, session, findings);
    }
    session.is_complete |= instance.complete;
}

/// The file with what it takes from its instance.
fn with_inherited(file: File, instance: &FdtInstance) -> File {
    File {
        content_type: file.content_type.or_else(|| instance.content_type.clone()),
        content_encoding: file.content_encoding.or_else(|| instance.content_encoding.clone()),
        oti: file.oti.or(&instance.oti),
        ..file
    }
}

fn check_file(id: u32, file: &File, findings: &mut Findings<'_>) {
    let place = || format!("FDT Instance {id}, TOI {}", file.toi);
    if file.toi == Toi::FDT {
        findings.note(DYNAMICS, "a File with TOI 0, which is that of FDT Instances", place);
    }
    for forbidden in findings.profile.forbidden_of_file(file) {
        findings.note_at(forbidden.clause, format!("{} is not allowed", forbidden.what), place);
    }
    if let Some(scheme) = file.oti.encoding_id
        && let Err(forbidden) = findings.profile.check_fec(scheme)
    {
        findings.note_at(forbidden.clause, format!("FEC Encoding ID {scheme} is not allowed"), place);
    }
    match file.oti_of_transfer() {
        // EXT_FTI can say it, where it is allowed.
        Err(OtiError::Missing(_)) if !is_mbms(findings.profile) => {}
        Err(error @ OtiError::Missing(_)) => findings.note_at(MBMS_FILE, error.to_string(), place),
        Err(error) => findings.note(OTI, error.to_string(), place),
        Ok(oti) => {
            if let Err(error) = oti.codec() {
                findings.note(OTI, error.to_string(), place);
            }
        }
    }
}

fn check_dynamics(id: u32, file: File, expires: Time, now: Time, session: &mut Session, findings: &mut Findings<'_>) {
    let place = || format!("FDT Instance {id}, TOI {}", file.toi);
    session.undescribed.remove(&file.toi);
    match session.described.get_mut(&file.toi) {
        Some(known) => {
            if known.expires > now && !says_the_same(&known.file, &file) {
                let what = "another description of a TOI, while the one before has not expired";
                findings.note(DYNAMICS, what, place);
            }
            known.expires = known.expires.max(expires);
        }
        None => {
            if session.is_complete {
                let what = "a new file after an FDT Instance that was `Complete`";
                findings.note(SYNTAX, what, place);
            }
            if session.described.len() < MAX_OBJECTS {
                let cut = file.oti_of_transfer().ok().and_then(|oti| Cut::of(&oti));
                session.described.insert(file.toi, DescribedObject { file, expires, cut });
            }
        }
    }
}

/// Whether two descriptions say the same of an object: what RFC 6726 §3.3 calls its parameters.
fn says_the_same(a: &File, b: &File) -> bool {
    a.content_location == b.content_location
        && a.content_length == b.content_length
        && a.transfer_length == b.transfer_length
        && a.content_encoding == b.content_encoding
        && a.content_md5 == b.content_md5
        && a.oti == b.oti
}

fn digest(document: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    document.hash(&mut hasher);
    hasher.finish()
}

impl File {
    /// FEC Object Transmission Information, as far as the attributes say it.
    fn oti_of_transfer(&self) -> Result<Oti, OtiError> {
        let length = self.transfer_length.or(self.content_length).ok_or(OtiError::Missing("Transfer-Length"))?;
        Oti::from_attributes(&self.oti, length)
    }
}

/// Looks at the namespace of the root, and at the version of the schema.
fn check_schema(document: &[u8], findings: &mut Findings<'_>, place: impl Fn() -> String) {
    let Some(outline) = Outline::of(document) else { return };
    let schema = findings.profile.schema();
    if outline.namespace.as_deref() != Some(schema.namespace()) {
        let namespace = outline.namespace.as_deref().unwrap_or("none");
        let what = format!("the namespace of the root is {namespace:.80}, not {}", schema.namespace());
        findings.note_at(schema.clause(), what, &place);
    }
    let wanted = match schema {
        Schema::Mbms2005 => "4",
        Schema::Consolidated2022 | Schema::Dvb2022 => "2",
        Schema::Rfc6726 | Schema::Rfc3926 => return,
    };
    match outline.schema_version.as_deref().map(str::trim) {
        Some(version) if version == wanted => {}
        Some(version) => {
            findings.note_at(schema.clause(), format!("`schemaVersion` is {version:.20}, not {wanted}"), &place);
        }
        None => findings.note_at(schema.clause(), "`schemaVersion` is missing", &place),
    }
}

/// What a document says of its schema.
#[derive(Debug, Default)]
struct Outline {
    namespace: Option<String>,
    schema_version: Option<String>,
}

impl Outline {
    /// `None` where the document is not UTF-8: its syntax is looked at elsewhere.
    fn of(document: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(document).ok()?;
        let mut reader = NsReader::from_str(text);
        let (mut outline, mut depth, mut in_version) = (Self::default(), 0_usize, false);
        while reader.buffer_position() < MAX_SEARCHED as u64 {
            let (namespace, event) = reader.read_resolved_event().ok()?;
            match event {
                XmlEvent::Start(start) => {
                    if depth == 0
                        && let ResolveResult::Bound(namespace) = namespace
                    {
                        outline.namespace = Some(namespace.as_ref().to_owned());
                    }
                    in_version = depth == 1 && start.local_name().as_ref() == "schemaVersion";
                    depth += 1;
                }
                XmlEvent::Text(text) if in_version => {
                    outline.schema_version = Some(text.as_ref().to_owned());
                }
                XmlEvent::End(_) => {
                    in_version = false;
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                XmlEvent::Eof => break,
                _ => {}
            }
        }
        Some(outline)
    }
}
