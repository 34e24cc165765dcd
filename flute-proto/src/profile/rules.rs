// SPDX-License-Identifier: MPL-2.0

//! The profiles as tables.

use super::Feature;
use crate::content::ContentEncoding;
use crate::fdt::Schema;
use crate::lct::Revision;
use crate::oti::FecEncodingId;

/// What a sender of one profile does, and what it must not do.
///
/// The same in all profiles: EXT_FDT and EXT_FTI are in every packet of an FDT Instance; congestion control information
/// is 32 bits, 0; the flags A and B are used.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// The name that users know.
    pub name: &'static str,
    /// V of EXT_FDT: 2 (RFC 6726 §3.4.1), or 1 (RFC 3926 §3.4.1).
    pub flute_version: u8,
    /// The LCT below (RFC 6726 §11.1).
    pub lct: Revision,
    /// XML of FDT Instances.
    pub schema: Schema,
    /// Where FDT Instance IDs go on after 2^20 − 1.
    pub fdt_id_wrap: FdtIdWrap,
    /// Width of the TSI in bits where the profile sets it, and the clause that does.
    pub tsi_width: Option<(u8, &'static str)>,
    /// FEC-OTI attributes stand on the FDT-Instance too, not only on every File, for the files that do not differ.
    ///
    /// MBMS wants them there, and on a File only to differ (TS 26.346 L.4.2). They are written on the File all the same:
    /// that allows them, and there are receivers that need either.
    pub oti_on_instance: bool,
    /// When `Transfer-Length` is written.
    pub transfer_length: TransferLength,
    /// Bytes of a sub-block at most, where blocks are divided (RFC 5053 §5.3.1.2), so that receivers can decode in little
    /// memory.
    pub max_sub_block_size: Option<u64>,
    /// The FEC schemes that the profile has, with the clause that says so; `None` for all.
    pub fec_schemes: Option<(&'static [FecEncodingId], &'static str)>,
    /// What is forbidden, each with its clause.
    pub prohibitions: &'static [(Feature, &'static str)],
}

/// Where FDT Instance IDs go on after the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FdtIdWrap {
    /// The smallest ID of an instance that has expired; one that has not is never used again (RFC 6726 §3.4.1).
    SmallestExpired,
    /// 0; instances of the same ID that have not expired are better avoided (RFC 3926 §3.4.1).
    Zero,
}

/// When a File has a `Transfer-Length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferLength {
    /// When it differs from `Content-Length`, because the file has a content encoding (RFC 6726 §3.4.2).
    WhenEncoded,
    /// Never; the profile has no content encoding either.
    Never,
}

const L_4_2: &str = "TS 26.346 L.4.2";
const L_4_7: &str = "TS 26.346 L.4.7";
const L_6: &str = "TS 26.346 L.6";
const HEADER: &str = "TS 26.346 7.2.7";
const EXTENSIONS: &str = "TS 26.346 7.2.8";
const FDT_SCHEMA: &str = "TS 26.346 7.2.10";
const ANNEX_F: &str = "TS 103 769 Annex F";

/// The FDT may name `gzip`, but `Transfer-Length` (L.4.2) and EXT_FTI in packets of objects (7.2.8) are forbidden.
const NO_LENGTH: &str =
    "TS 26.346 L.4.2 and 7.2.8, which leave no place for the length of an encoded object: send it without encoding";
const MBMS_SCHEMES: &str = "TS 26.346 7.2, which has Compact No-Code (0) and Raptor (1)";
const DVB_SCHEMES: &str = "TS 103 769 Annex F, which has Compact No-Code (0), Raptor (1), Reed-Solomon (2 and 5) and \
                           RaptorQ (6)";

/// HTTP knows raw DEFLATE under no name (RFC 2616 §3.5), so only FDT Instances can have it, by EXT_CENC.
const RAW_DEFLATE: (Feature, &str) = (Feature::ContentEncoding(ContentEncoding::Deflate), "RFC 2616 §3.5");

pub(super) static RFC6726: Rules = Rules {
    name: "rfc6726",
    flute_version: 2,
    lct: Revision::Rfc5651,
    schema: Schema::Rfc6726,
    fdt_id_wrap: FdtIdWrap::SmallestExpired,
    tsi_width: None,
    oti_on_instance: false,
    transfer_length: TransferLength::WhenEncoded,
    max_sub_block_size: None,
    fec_schemes: None,
    prohibitions: &[RAW_DEFLATE, (Feature::FileExpires, "RFC 6726 §3.4.2")],
};

pub(super) static RFC3926: Rules = Rules {
    name: "rfc3926",
    flute_version: 1,
    lct: Revision::Rfc3451,
    schema: Schema::Rfc3926,
    fdt_id_wrap: FdtIdWrap::Zero,
    prohibitions: &[RAW_DEFLATE, (Feature::FileExpires, "RFC 3926 §3.4.2")],
    ..RFC6726
};

pub(super) static MBMS: Rules = Rules {
    name: "mbms",
    flute_version: 1,
    lct: Revision::Rfc3451,
    schema: Schema::Mbms2005,
    fdt_id_wrap: FdtIdWrap::Zero,
    tsi_width: Some((16, HEADER)),
    oti_on_instance: true,
    transfer_length: TransferLength::Never,
    // Less than 256 KB (TS 26.346 7.2.12).
    max_sub_block_size: Some((256 << 10) - 1),
    fec_schemes: Some((&[FecEncodingId::NO_CODE, FecEncodingId::RAPTOR], MBMS_SCHEMES)),
    prohibitions: &[
        (Feature::FdtContentEncoding, EXTENSIONS),
        (Feature::ContentEncoding(ContentEncoding::Zlib), L_4_2),
        RAW_DEFLATE,
        (Feature::ContentEncoding(ContentEncoding::Gzip), NO_LENGTH),
        (Feature::FtiOnObjects, EXTENSIONS),
        (Feature::SenderCurrentTime, L_4_7),
        (Feature::Complete, L_4_2),
        (Feature::FullFdt, L_4_2),
        (Feature::Group, L_4_2),
        (Feature::SessionIdentity, L_4_2),
        (Feature::TransferLength, L_4_2),
        (Feature::FecInstanceId, L_4_2),
        (Feature::DecryptionKeyUri, L_4_2),
        (Feature::FecRedundancyLevel, L_4_2),
        (Feature::FileExpires, FDT_SCHEMA),
        (Feature::NoContentType, L_4_2),
        (Feature::NoContentLength, L_4_2),
    ],
};

/// The consolidated schema came with a release that allows gzip. The transfer length of what is encoded has to be known,
/// and EXT_FTI may not say it, so `Transfer-Length` is written for that, although L.4.2 did not have it before.
pub(super) static MBMS_2022: Rules = Rules {
    name: "mbms-2022",
    schema: Schema::Consolidated2022,
    transfer_length: TransferLength::WhenEncoded,
    prohibitions: &[
        (Feature::FdtContentEncoding, EXTENSIONS),
        (Feature::ContentEncoding(ContentEncoding::Zlib), L_4_2),
        RAW_DEFLATE,
        (Feature::FtiOnObjects, EXTENSIONS),
        (Feature::SenderCurrentTime, L_4_7),
        (Feature::Complete, L_4_2),
        (Feature::FullFdt, L_6),
        (Feature::Group, L_6),
        (Feature::BaseUrl, L_6),
        (Feature::SessionIdentity, L_6),
        (Feature::FecInstanceId, L_4_2),
        (Feature::DecryptionKeyUri, L_6),
        (Feature::FecRedundancyLevel, L_4_2),
        (Feature::AlternateContentLocation, L_6),
        (Feature::IndependentUnitPositions, L_6),
        (Feature::Digest, L_6),
        (Feature::Signature, L_6),
        (Feature::NoContentType, L_4_2),
        (Feature::NoContentLength, L_4_2),
    ],
    ..MBMS
};

/// MBMS with other FEC schemes (TS 103 769 clause 10 names them), and with what its gateways ignore left out.
pub(super) static DVB_MABR: Rules = Rules {
    name: "dvb-mabr",
    schema: Schema::Dvb2022,
    fec_schemes: Some((
        &[
            FecEncodingId::NO_CODE,
            FecEncodingId::RAPTOR,
            FecEncodingId::REED_SOLOMON_2M,
            FecEncodingId::REED_SOLOMON_8,
            FecEncodingId::RAPTORQ,
        ],
        DVB_SCHEMES,
    )),
    prohibitions: &[
        (Feature::FdtContentEncoding, EXTENSIONS),
        (Feature::ContentEncoding(ContentEncoding::Zlib), L_4_2),
        RAW_DEFLATE,
        (Feature::ContentEncoding(ContentEncoding::Gzip), NO_LENGTH),
        (Feature::FtiOnObjects, EXTENSIONS),
        (Feature::SenderCurrentTime, L_4_7),
        (Feature::Complete, L_4_2),
        (Feature::FullFdt, L_6),
        (Feature::Group, L_6),
        (Feature::BaseUrl, ANNEX_F),
        (Feature::SessionIdentity, L_6),
        (Feature::TransferLength, L_4_2),
        (Feature::FecInstanceId, L_4_2),
        (Feature::DecryptionKeyUri, L_6),
        (Feature::FecRedundancyLevel, L_4_2),
        (Feature::AlternateContentLocation, ANNEX_F),
        (Feature::IndependentUnitPositions, L_6),
        (Feature::NoContentType, L_4_2),
        (Feature::NoContentLength, L_4_2),
    ],
    ..MBMS
};
