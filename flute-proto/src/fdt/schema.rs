// SPDX-License-Identifier: MPL-2.0

//! The XML namespaces of FDT Instances, and which of them a profile writes.

/// RFC 6726 §3.4.2.
pub(super) const RFC6726: &str = "urn:ietf:params:xml:ns:fdt";
/// RFC 3926 as 3GPP repaired and as everybody writes it (TS 26.346 7.2.10.3).
pub(super) const IETF_2005: &str = "urn:IETF:metadata:2005:FLUTE:FDT";
/// What RFC 3926 §3.4.2 prints.
const RFC3926: &str = "http://www.example.com/flute";
/// The consolidated schema (TS 26.346 L.6).
pub(super) const CONSOLIDATED_2022: &str = "urn:3GPP:metadata:2022:FLUTE:FDT";
/// The extended FDT of DVB-MABR (TS 103 769 F.2.5).
pub(super) const DVB_2022: &str = "urn:dvb:metadata:ExtendedFileDeliveryTable:2022";

/// All namespaces of 3GPP begin like this; in some of them, and in some documents, in lower case.
const GPP_PREFIX: &str = "urn:3gpp:metadata:";
/// The extended FDT of DVB, of whatever year.
const DVB_PREFIX: &str = "urn:dvb:metadata:ExtendedFileDeliveryTable:";

/// Whether the names of this namespace have the meaning that the FDT schemas give them: those of the RFCs, of 3GPP and
/// of DVB. Which of them a name stands in does not matter, since no name has two meanings.
pub(super) fn is_known(namespace: &str) -> bool {
    [RFC6726, IETF_2005, RFC3926].contains(&namespace)
        || namespace.get(..GPP_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(GPP_PREFIX))
        || namespace.starts_with(DVB_PREFIX)
}

/// A namespace of extensions, with the prefix that is customary for it (TS 26.346 7.2.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extension {
    /// Prefix, with its colon.
    pub(super) prefix: &'static str,
    /// Namespace.
    pub(super) namespace: &'static str,
}

/// `Group` and `MBMS-Session-Identity` are elements of 3GPP's edition of the FDT namespace itself.
pub(super) const FDT_2005: Extension = Extension { prefix: "fdt2005:", namespace: IETF_2005 };
pub(super) const MBMS_2007: Extension =
    Extension { prefix: "mbms2007:", namespace: "urn:3GPP:metadata:2007:MBMS:FLUTE:FDT" };
pub(super) const MBMS_2008: Extension =
    Extension { prefix: "mbms2008:", namespace: "urn:3GPP:metadata:2008:MBMS:FLUTE:FDT_ext" };
pub(super) const MBMS_2009: Extension =
    Extension { prefix: "mbms2009:", namespace: "urn:3GPP:metadata:2009:MBMS:FLUTE:FDT_ext" };
pub(super) const MBMS_2012: Extension =
    Extension { prefix: "mbms2012:", namespace: "urn:3GPP:metadata:2012:MBMS:FLUTE:FDT" };
pub(super) const MBMS_2015: Extension =
    Extension { prefix: "mbms2015:", namespace: "urn:3GPP:metadata:2015:MBMS:FLUTE:FDT" };
pub(super) const SCHEMA_VERSION: Extension =
    Extension { prefix: "sv:", namespace: "urn:3gpp:metadata:2009:MBMS:schemaVersion" };
pub(super) const DVB: Extension = Extension { prefix: "dvb:", namespace: DVB_2022 };

/// The XML schema of the FDT Instances that a sender writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Schema {
    /// RFC 6726 §3.4.2. What only 3GPP defines stands in 3GPP's namespaces, declared where it is used.
    Rfc6726,
    /// RFC 3926 §3.4.2 in the namespace and with the repairs of TS 26.346 7.2.10.3, extensions as above.
    Rfc3926,
    /// TS 26.346 7.2.10, schema version 4: all extension namespaces are declared on the root.
    Mbms2005,
    /// TS 26.346 L.6, schema version 2: everything in one namespace.
    Consolidated2022,
    /// TS 103 769 F.2.5: the consolidated schema with digests and signatures.
    Dvb2022,
}

impl Schema {
    /// The namespace of the root element.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Rfc6726 => RFC6726,
            Self::Rfc3926 | Self::Mbms2005 => IETF_2005,
            Self::Consolidated2022 | Self::Dvb2022 => CONSOLIDATED_2022,
        }
    }

    /// Namespaces that are declared on the root, so that no File has to.
    pub(super) fn declared_on_root(self) -> &'static [Extension] {
        match self {
            Self::Rfc6726 | Self::Rfc3926 | Self::Consolidated2022 => &[],
            Self::Mbms2005 => &[MBMS_2007, MBMS_2008, MBMS_2009, MBMS_2012, MBMS_2015, SCHEMA_VERSION],
            Self::Dvb2022 => &[DVB],
        }
    }

    /// Whether everything of 3GPP stands in the namespace of the root.
    pub(super) fn is_consolidated(self) -> bool {
        matches!(self, Self::Consolidated2022 | Self::Dvb2022)
    }

    /// The clause with the schema, for messages.
    pub fn clause(self) -> &'static str {
        match self {
            Self::Rfc6726 => "RFC 6726 §3.4.2",
            Self::Rfc3926 => "RFC 3926 §3.4.2",
            Self::Mbms2005 => "TS 26.346 7.2.10",
            Self::Consolidated2022 => "TS 26.346 L.6",
            Self::Dvb2022 => "TS 103 769 F.2.5",
        }
    }

    /// Whether the schema has this attribute or element of an extension. Those that are open to other namespaces have
    /// all; the consolidated schema took over what the download profile allows, and some more.
    pub(super) fn has(self, extension: Extension, name: &str) -> bool {
        match self {
            Self::Rfc6726 | Self::Rfc3926 | Self::Mbms2005 => true,
            Self::Dvb2022 if extension == DVB => true,
            Self::Consolidated2022 | Self::Dvb2022 => {
                ["Cache-Control", "File-ETag", "FEC-Redundancy-Level"].contains(&name)
            }
        }
    }
}
