// SPDX-License-Identifier: MPL-2.0

//! The FDT Instance (RFC 6726 §3.4): what a session says of its objects.
//!
//! [`FdtInstance::from_xml`] reads what any sender writes; [`FdtInstance::to_xml`] writes what a profile asks for. A
//! sender that keeps the XML of each [`File`] ([`File::render`]) and puts tables together from them
//! ([`FdtInstance::assemble`]) pays for what changed, not for the whole table.

mod memory;
mod read;
mod schema;
mod value;
mod write;

pub(crate) use read::InstanceReader;
pub use read::{FdtError, FileError, Parsed, ReadLimits, Rejected};
pub use schema::Schema;
pub use write::WriteError;

use crate::lct::Toi;
use crate::oti::OtiAttributes;

/// One FDT Instance: the content of its XML document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FdtInstance {
    /// `Expires`, NTP seconds modulo 2^32.
    pub expires: u32,
    /// `Complete`: no new file will be described after this instance.
    pub complete: bool,
    /// `mbms2008:FullFDT`: this instance equals the whole current FDT.
    pub full_fdt: bool,
    /// `Content-Type` of all files that do not have their own.
    pub content_type: Option<String>,
    /// `Content-Encoding` of all files that do not have their own.
    pub content_encoding: Option<String>,
    /// FEC-OTI attributes of all files that do not have their own.
    pub oti: OtiAttributes,
    /// `Group` (3GPP), inherited by all files.
    pub groups: Vec<String>,
    /// `Base-URL-1` (3GPP 2012).
    pub base_url_1: Vec<String>,
    /// `Base-URL-2` (3GPP 2012).
    pub base_url_2: Vec<String>,
    /// `MBMS-Session-Identity-Expiry` (3GPP 2005): an identity and its NTP seconds.
    pub session_identity_expiry: Vec<(u8, u32)>,
    /// The files described.
    pub files: Vec<File>,
}

/// One `File` element.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// `Content-Location`: a string that identifies the file.
    pub content_location: String,
    /// `TOI`.
    pub toi: Toi,
    /// `Content-Length`: bytes of the file before content encoding.
    pub content_length: Option<u64>,
    /// `Transfer-Length`: bytes of the object as it is transferred.
    pub transfer_length: Option<u64>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`, as it stands.
    pub content_encoding: Option<String>,
    /// `Content-MD5`, out of its base64.
    pub content_md5: Option<[u8; 16]>,
    /// FEC-OTI attributes.
    pub oti: OtiAttributes,
    /// `File-ETag` (3GPP).
    pub etag: Option<String>,
    /// `Cache-Control` (3GPP 2007).
    pub cache_control: Option<CacheControl>,
    /// `Group` (3GPP).
    pub groups: Vec<String>,
    /// `MBMS-Session-Identity` (3GPP 2005).
    pub session_identities: Vec<u8>,
    /// `Decryption-KEY-URI` (3GPP 2009).
    pub decryption_key_uri: Option<String>,
    /// `FEC-Redundancy-Level` (3GPP 2012), percent.
    pub fec_redundancy_level: Option<u32>,
    /// `Alternate-Content-Location-1` (3GPP 2012).
    pub alternate_content_location_1: Vec<AlternateContentLocation>,
    /// `Alternate-Content-Location-2` (3GPP 2012).
    pub alternate_content_location_2: Vec<AlternateContentLocation>,
    /// `IndependentUnitPositions` (3GPP): byte positions.
    pub independent_unit_positions: Vec<u64>,
    /// `File/@Expires` of the consolidated schema (TS 26.346 L.6), NTP seconds; overrides that of the instance.
    pub expires: Option<u32>,
    /// `Content-Digest` (TS 103 769 F.2.3): of this object.
    pub content_digest: Option<MessageDigest>,
    /// `Repr-Digest` (TS 103 769 F.2.3): of the media object that this object is a chunk of.
    pub repr_digest: Option<MessageDigest>,
    /// `Signature` (TS 103 769 F.2.4): as data; nothing here verifies them.
    pub signatures: Vec<Signature>,
}

/// How long a receiver may keep a file (TS 26.346 7.2.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheControl {
    /// Do not keep it.
    NoCache,
    /// Keep it for ever.
    MaxStale,
    /// Keep it until these NTP seconds.
    Expires(u32),
}

/// Where the bytes of a file can be fetched for repair (TS 26.346 7.2.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlternateContentLocation {
    /// URIs.
    pub locations: Vec<String>,
    /// `Availability-Time`, an XML dateTime.
    pub availability_time: Option<String>,
}

/// A digest with the name of its algorithm, `sha-256=:…:` (TS 103 769 F.2.3, after RFC 9530).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageDigest {
    /// Such as `sha-256` or `sha-512`.
    pub algorithm: String,
    /// The digest, out of its base64.
    pub value: Vec<u8>,
}

/// A signature of what `scope` names (TS 103 769 F.2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// `scope`: what is signed, such as `@@TOI,@@Content-Digest`.
    pub scope: String,
    /// `created`, Unix seconds.
    pub created: Option<u64>,
    /// `expires`, Unix seconds.
    pub expires: Option<u64>,
    /// `algorithm`.
    pub algorithm: Option<String>,
    /// `keyUri`, the key attribute of the prose.
    pub key_uri: Option<String>,
    /// `keyId`, the key attribute of the XML schema, out of its hexadecimal digits.
    pub key_id: Option<Vec<u8>>,
    /// The signature, out of its base64.
    pub value: Vec<u8>,
}
