// SPDX-License-Identifier: MPL-2.0

//! What differs between RFC 6726, RFC 3926, 3GPP MBMS and DVB-MABR.

use crate::fdt::Schema;

/// The rules that a sender keeps, beyond those that all FLUTE senders have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// FLUTE version 2 (RFC 6726).
    #[default]
    Rfc6726,
    /// FLUTE version 1 (RFC 3926).
    Rfc3926,
    /// The MBMS download profile, with the FDT schema of 2005 and its extensions (TS 26.346 L.4, 7.2.10).
    Mbms,
    /// The MBMS download profile, with the consolidated schema of 2022 (TS 26.346 L.6).
    Mbms2022,
    /// DVB multicast ABR (TS 103 769 Annex F).
    DvbMabr,
}

impl Profile {
    /// The XML schema of FDT Instances.
    pub fn schema(self) -> Schema {
        match self {
            Self::Rfc6726 => Schema::Rfc6726,
            Self::Rfc3926 => Schema::Rfc3926,
            Self::Mbms => Schema::Mbms2005,
            Self::Mbms2022 => Schema::Consolidated2022,
            Self::DvbMabr => Schema::Dvb2022,
        }
    }
}
