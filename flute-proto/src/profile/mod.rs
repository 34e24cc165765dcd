// SPDX-License-Identifier: MPL-2.0

//! What differs between RFC 6726, RFC 3926, 3GPP MBMS and DVB-MABR.
//!
//! A [`Profile`] is a name; [`Rules`] are the table behind it. A sender takes from the rules what it does by itself, and
//! asks [`Profile::check`] before it does what its user asked for. A receiver has no profile: it takes everything.

mod feature;
mod rules;

use std::fmt;
use std::str::FromStr;

pub use feature::Feature;
pub use rules::{FdtIdWrap, Rules, TransferLength};

use crate::fdt::{FdtInstance, File, Schema};
use crate::lct::{HeaderWidths, Tsi};
use crate::oti::FecEncodingId;

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

/// Something that a profile does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not allowed by {clause}")]
pub struct Forbidden {
    /// What it is.
    pub what: &'static str,
    /// The clause that forbids it, such as `TS 26.346 L.4.2`.
    pub clause: &'static str,
}

/// A name that no profile has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile `{0}`: use `rfc6726`, `rfc3926`, `mbms`, `mbms-2022` or `dvb-mabr`")]
pub struct UnknownProfile(pub String);

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 5] = [Self::Rfc6726, Self::Rfc3926, Self::Mbms, Self::Mbms2022, Self::DvbMabr];

    /// The table behind the name.
    pub fn rules(self) -> &'static Rules {
        match self {
            Self::Rfc6726 => &rules::RFC6726,
            Self::Rfc3926 => &rules::RFC3926,
            Self::Mbms => &rules::MBMS,
            Self::Mbms2022 => &rules::MBMS_2022,
            Self::DvbMabr => &rules::DVB_MABR,
        }
    }

    /// The XML schema of FDT Instances.
    pub fn schema(self) -> Schema {
        self.rules().schema
    }

    /// Whether the profile allows this.
    ///
    /// ```
    /// use flute_proto::profile::{Feature, Profile};
    ///
    /// let refused = Profile::Mbms.check(Feature::FdtContentEncoding).unwrap_err();
    /// assert_eq!(refused.to_string(), "content encoding of FDT Instances is not allowed by TS 26.346 7.2.8");
    /// ```
    pub fn check(self, feature: Feature) -> Result<(), Forbidden> {
        match self.rules().prohibitions.iter().find(|(forbidden, _)| *forbidden == feature) {
            Some(&(_, clause)) => Err(Forbidden { what: feature.description(), clause }),
            None => Ok(()),
        }
    }

    /// Whether the profile has this FEC scheme, for objects and FDT Instances alike.
    pub fn check_fec(self, scheme: FecEncodingId) -> Result<(), Forbidden> {
        match self.rules().fec_schemes {
            Some((schemes, clause)) if !schemes.contains(&scheme) => Err(Forbidden { what: "this FEC scheme", clause }),
            _ => Ok(()),
        }
    }

    /// The header widths to use when these are wanted, where 0 leaves the choice to the profile.
    pub fn widths(self, wanted: HeaderWidths, tsi: Tsi) -> Result<HeaderWidths, Forbidden> {
        let Some((width, clause)) = self.rules().tsi_width else { return Ok(wanted) };
        if wanted.tsi != 0 && wanted.tsi != width || tsi.get() >> width != 0 {
            return Err(Forbidden { what: "a TSI of another width than 16 bits", clause });
        }
        Ok(HeaderWidths { tsi: width, ..wanted })
    }

    /// Whether the profile allows everything that this File says, and has everything that it asks for.
    pub fn check_file(self, file: &File) -> Result<(), Forbidden> {
        self.forbidden_of_file(file).next().map_or(Ok(()), Err)
    }

    /// Everything of this File that the profile does not allow, or that it misses.
    pub(crate) fn forbidden_of_file(self, file: &File) -> impl Iterator<Item = Forbidden> + use<> {
        feature::of_file(file).filter_map(move |feature| self.check(feature).err())
    }

    /// Whether the profile allows everything that the FDT-Instance element says, its files apart.
    pub fn check_instance(self, instance: &FdtInstance) -> Result<(), Forbidden> {
        self.forbidden_of_instance(instance).next().map_or(Ok(()), Err)
    }

    /// Everything of the FDT-Instance element, its files apart, that the profile does not allow.
    pub(crate) fn forbidden_of_instance(self, instance: &FdtInstance) -> impl Iterator<Item = Forbidden> + use<> {
        feature::of_instance(instance).filter_map(move |feature| self.check(feature).err())
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.rules().name)
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|profile| profile.rules().name == name);
        found.ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
