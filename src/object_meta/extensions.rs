// SPDX-License-Identifier: MPL-2.0

//! The fields of the object meta for what 3GPP and DVB add to the description of a file.

use std::time::SystemTime;

use flute_proto::Time;
use flute_proto::fdt::{AlternateContentLocation, File, MessageDigest, Signature};
use flute_proto::sender::Object;
use gst::glib;
use gst::prelude::*;

use super::number;

/// Those fields; the table of [`object_meta`](super) says what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `session-identities`
    pub session_identities: Vec<u8>,
    /// `decryption-key-uri`
    pub decryption_key_uri: Option<String>,
    /// `fec-redundancy-level`
    pub fec_redundancy_level: Option<u32>,
    /// `alternate-content-location-1`
    pub alternate_content_location_1: Vec<AlternateContentLocation>,
    /// `alternate-content-location-2`
    pub alternate_content_location_2: Vec<AlternateContentLocation>,
    /// `independent-unit-positions`
    pub independent_unit_positions: Vec<u64>,
    /// `expires`
    pub expires: Option<gst::ClockTime>,
    /// `content-digest`
    pub content_digest: Option<MessageDigest>,
    /// `repr-digest`
    pub repr_digest: Option<MessageDigest>,
    /// `signatures`
    pub signatures: Vec<Signature>,
}

impl Extensions {
    /// What an FDT Instance said.
    pub(crate) fn of_file(file: &File) -> Self {
        let now = Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default());
        Self {
            session_identities: file.session_identities.clone(),
            decryption_key_uri: file.decryption_key_uri.clone(),
            fec_redundancy_level: file.fec_redundancy_level,
            alternate_content_location_1: file.alternate_content_location_1.clone(),
            alternate_content_location_2: file.alternate_content_location_2.clone(),
            independent_unit_positions: file.independent_unit_positions.clone(),
            expires: file
                .expires
                .and_then(|seconds| gst::ClockTime::try_from(Time::from_ntp_seconds(seconds, now).as_unix()).ok()),
            content_digest: file.content_digest.clone(),
            repr_digest: file.repr_digest.clone(),
            signatures: file.signatures.clone(),
        }
    }

    /// Has an object described like this.
    pub(crate) fn describe(self, object: &mut Object) {
        object.session_identities = self.session_identities;
        object.decryption_key_uri = self.decryption_key_uri;
        object.fec_redundancy_level = self.fec_redundancy_level;
        object.alternate_content_location_1 = self.alternate_content_location_1;
        object.alternate_content_location_2 = self.alternate_content_location_2;
        object.independent_unit_positions = self.independent_unit_positions;
        object.expires = self.expires.map(|time| Time::from_unix(time.into()));
        object.content_digest = self.content_digest;
        object.repr_digest = self.repr_digest;
        object.signatures = self.signatures;
    }

    pub(super) fn from_structure(structure: &gst::StructureRef) -> Self {
        Self {
            session_identities: list::<u32>(structure, "session-identities")
                .into_iter()
                .filter_map(|identity| u8::try_from(identity).ok())
                .collect(),
            decryption_key_uri: structure.get("decryption-key-uri").ok(),
            fec_redundancy_level: number(structure, "fec-redundancy-level").and_then(|percent| percent.try_into().ok()),
            alternate_content_location_1: structures(structure, "alternate-content-location-1", read_alternate),
            alternate_content_location_2: structures(structure, "alternate-content-location-2", read_alternate),
            independent_unit_positions: list(structure, "independent-unit-positions"),
            expires: number(structure, "expires").map(gst::ClockTime::from_nseconds),
            content_digest: structure.get::<&str>("content-digest").ok().and_then(read_digest),
            repr_digest: structure.get::<&str>("repr-digest").ok().and_then(read_digest),
            signatures: structures(structure, "signatures", read_signature),
        }
    }

    pub(super) fn write_to(&self, structure: &mut gst::StructureRef) {
        set_list(structure, "session-identities", self.session_identities.iter().map(|&identity| u32::from(identity)));
        structure.set_if_some("decryption-key-uri", self.decryption_key_uri.as_ref());
        structure.set_if_some("fec-redundancy-level", self.fec_redundancy_level);
        let (first, second) = (&self.alternate_content_location_1, &self.alternate_content_location_2);
        set_list(structure, "alternate-content-location-1", first.iter().map(alternate));
        set_list(structure, "alternate-content-location-2", second.iter().map(alternate));
        set_list(structure, "independent-unit-positions", self.independent_unit_positions.iter().copied());
        structure.set_if_some("expires", self.expires.map(gst::ClockTime::nseconds));
        structure.set_if_some("content-digest", self.content_digest.as_ref().map(digest));
        structure.set_if_some("repr-digest", self.repr_digest.as_ref().map(digest));
        set_list(structure, "signatures", self.signatures.iter().map(signature));
    }
}

/// The values of an array that have the type they should have.
fn list<T: for<'v> glib::value::FromValue<'v>>(structure: &gst::StructureRef, name: &str) -> Vec<T> {
    let Ok(array) = structure.get::<gst::Array>(name) else { return Vec::new() };
    array.iter().filter_map(|value| value.get().ok()).collect()
}

fn structures<T>(structure: &gst::StructureRef, name: &str, read: impl Fn(&gst::StructureRef) -> Option<T>) -> Vec<T> {
    list::<gst::Structure>(structure, name).iter().filter_map(|structure| read(structure)).collect()
}

fn set_list<T: ToSendValue>(structure: &mut gst::StructureRef, name: &str, values: impl Iterator<Item = T>) {
    let values: Vec<_> = values.map(|value| value.to_send_value()).collect();
    if !values.is_empty() {
        structure.set(name, gst::Array::new(values));
    }
}

fn read_alternate(structure: &gst::StructureRef) -> Option<AlternateContentLocation> {
    Some(AlternateContentLocation {
        locations: list(structure, "locations"),
        availability_time: structure.get("availability-time").ok(),
    })
}

fn alternate(alternate: &AlternateContentLocation) -> gst::Structure {
    let mut structure = gst::Structure::new_empty("alternate");
    set_list(&mut structure, "locations", alternate.locations.iter());
    structure.set_if_some("availability-time", alternate.availability_time.as_ref());
    structure
}

/// A digest as the FDT has it, `sha-256=:…:`.
fn read_digest(text: &str) -> Option<MessageDigest> {
    let (algorithm, value) = text.strip_suffix(':')?.split_once("=:")?;
    Some(MessageDigest { algorithm: algorithm.to_owned(), value: glib::base64_decode(value) })
}

fn digest(digest: &MessageDigest) -> String {
    format!("{}=:{}:", digest.algorithm, glib::base64_encode(&digest.value))
}

fn read_signature(structure: &gst::StructureRef) -> Option<Signature> {
    let base64 = |name: &str| structure.get::<&str>(name).ok().map(glib::base64_decode);
    Some(Signature {
        scope: structure.get("scope").ok()?,
        created: structure.get("created").ok(),
        expires: structure.get("expires").ok(),
        algorithm: structure.get("algorithm").ok(),
        key_uri: structure.get("key-uri").ok(),
        key_id: base64("key-id"),
        value: base64("value")?,
    })
}

fn signature(signature: &Signature) -> gst::Structure {
    gst::Structure::builder("signature")
        .field("scope", &signature.scope)
        .field_if_some("created", signature.created)
        .field_if_some("expires", signature.expires)
        .field_if_some("algorithm", signature.algorithm.as_ref())
        .field_if_some("key-uri", signature.key_uri.as_ref())
        .field_if_some("key-id", signature.key_id.as_ref().map(|key| glib::base64_encode(key)))
        .field("value", glib::base64_encode(&signature.value))
        .build()
}
