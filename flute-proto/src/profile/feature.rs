// SPDX-License-Identifier: MPL-2.0

//! What a profile may forbid.

use crate::content::ContentEncoding;
use crate::fdt::{FdtInstance, File};

/// Something that a sender can do, and that one profile or another forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// FDT Instances with a content encoding, announced by EXT_CENC.
    FdtContentEncoding,
    /// Objects with this content encoding.
    ContentEncoding(ContentEncoding),
    /// EXT_FTI in the packets of objects.
    FtiOnObjects,
    /// EXT_TIME with the Sender Current Time, in FLUTE v1 too: RFC 3451 has no other way to tell the time of day, and lets
    /// receivers skip extensions that they do not know.
    SenderCurrentTime,
    /// `FDT-Instance/@Complete`.
    Complete,
    /// `FDT-Instance/@FullFDT`.
    FullFdt,
    /// `Group`, of the FDT-Instance or of a File.
    Group,
    /// `Base-URL-1` and `-2`.
    BaseUrl,
    /// `MBMS-Session-Identity-Expiry` and `MBMS-Session-Identity`.
    SessionIdentity,
    /// `File/@Transfer-Length`.
    TransferLength,
    /// `FEC-OTI-FEC-Instance-ID`.
    FecInstanceId,
    /// `File/@Decryption-KEY-URI`.
    DecryptionKeyUri,
    /// `File/@FEC-Redundancy-Level`.
    FecRedundancyLevel,
    /// `Alternate-Content-Location-1` and `-2`.
    AlternateContentLocation,
    /// `File/@IndependentUnitPositions`.
    IndependentUnitPositions,
    /// `File/@Expires`.
    FileExpires,
    /// `File/@Content-Digest` and `@Repr-Digest`.
    Digest,
    /// `File/Signature`.
    Signature,
    /// A file without `Content-Type`.
    NoContentType,
    /// A file without `Content-Length`.
    NoContentLength,
}

impl Feature {
    /// What it is, for a message that goes on with "is not allowed by".
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::FdtContentEncoding => "content encoding of FDT Instances",
            Self::ContentEncoding(ContentEncoding::Null) => "an object without content encoding",
            Self::ContentEncoding(ContentEncoding::Zlib) => "the content encoding `deflate`",
            Self::ContentEncoding(ContentEncoding::Deflate) => "raw DEFLATE, which has no name in an FDT,",
            Self::ContentEncoding(ContentEncoding::Gzip) => "the content encoding `gzip`",
            Self::FtiOnObjects => "EXT_FTI in packets of objects",
            Self::SenderCurrentTime => "the Sender Current Time",
            Self::Complete => "the attribute `Complete`",
            Self::FullFdt => "the attribute `FullFDT`",
            Self::Group => "the element `Group`",
            Self::BaseUrl => "the element `Base-URL-1` or `Base-URL-2`",
            Self::SessionIdentity => "the element `MBMS-Session-Identity` or `MBMS-Session-Identity-Expiry`",
            Self::TransferLength => "the attribute `Transfer-Length`",
            Self::FecInstanceId => "the attribute `FEC-OTI-FEC-Instance-ID`",
            Self::DecryptionKeyUri => "the attribute `Decryption-KEY-URI`",
            Self::FecRedundancyLevel => "the attribute `FEC-Redundancy-Level`",
            Self::AlternateContentLocation => "the element `Alternate-Content-Location-1` or `-2`",
            Self::IndependentUnitPositions => "the attribute `IndependentUnitPositions`",
            Self::FileExpires => "the attribute `Expires` of a File",
            Self::Digest => "the attribute `Content-Digest` or `Repr-Digest`",
            Self::Signature => "the element `Signature`",
            Self::NoContentType => "a file without `Content-Type`",
            Self::NoContentLength => "a file without `Content-Length`",
        }
    }
}

/// What a File element makes use of.
pub(super) fn of_file(file: &File) -> impl Iterator<Item = Feature> + use<> {
    let encoding = file.content_encoding.as_deref().and_then(|name| name.parse().ok()).unwrap_or_default();
    let alternates = file.alternate_content_location_1.len() + file.alternate_content_location_2.len();
    used([
        (true, Feature::ContentEncoding(encoding)),
        (!file.groups.is_empty(), Feature::Group),
        (!file.session_identities.is_empty(), Feature::SessionIdentity),
        (file.transfer_length.is_some(), Feature::TransferLength),
        (file.oti.instance_id.is_some(), Feature::FecInstanceId),
        (file.decryption_key_uri.is_some(), Feature::DecryptionKeyUri),
        (file.fec_redundancy_level.is_some(), Feature::FecRedundancyLevel),
        (alternates > 0, Feature::AlternateContentLocation),
        (!file.independent_unit_positions.is_empty(), Feature::IndependentUnitPositions),
        (file.expires.is_some(), Feature::FileExpires),
        (file.content_digest.is_some() || file.repr_digest.is_some(), Feature::Digest),
        (!file.signatures.is_empty(), Feature::Signature),
        (file.content_type.is_none(), Feature::NoContentType),
        (file.content_length.is_none(), Feature::NoContentLength),
    ])
}

/// What an FDT-Instance element makes use of.
pub(super) fn of_instance(instance: &FdtInstance) -> impl Iterator<Item = Feature> + use<> {
    used([
        (instance.complete, Feature::Complete),
        (instance.full_fdt, Feature::FullFdt),
        (!instance.groups.is_empty(), Feature::Group),
        (!instance.base_url_1.is_empty() || !instance.base_url_2.is_empty(), Feature::BaseUrl),
        (!instance.session_identity_expiry.is_empty(), Feature::SessionIdentity),
        (instance.oti.instance_id.is_some(), Feature::FecInstanceId),
    ])
}

fn used<const N: usize>(features: [(bool, Feature); N]) -> impl Iterator<Item = Feature> {
    features.into_iter().filter_map(|(used, feature)| used.then_some(feature))
}
