// SPDX-License-Identifier: MPL-2.0

//! What FDT Instances say of one object.

use std::sync::Arc;

use crate::Time;
use crate::lct::Toi;
use crate::oti::OtiAttributes;
use crate::sender::fec_config::FecConfig;
use crate::sender::packetizer::Packetizer;

/// What FDT Instances say of an object, and which ones say it.
#[derive(Debug)]
pub(in crate::sender) struct Announcement {
    pub(super) toi: Toi,
    pub(super) location: Arc<str>,
    /// The File element.
    pub(super) xml: Arc<str>,
    pub(super) protection: ObjectProtection,
    /// The FEC-OTI attributes of the File element.
    pub(super) oti: OtiAttributes,
    /// The FDT Instance that describes the object best: the latest.
    pub(super) instance: Option<u32>,
    /// The FDT Instance that announced it, if it is sent a single time, until that was done.
    pub(super) announced_by: Option<u32>,
    /// Its part of the table.
    pub(super) part: Option<u32>,
    /// When the last FDT Instance that describes it expires.
    pub(super) described_until: Option<Time>,
}

/// How well an object is protected.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectProtection {
    pub(super) fec: FecConfig,
    /// Repair symbols per source symbol.
    pub(super) redundancy: f64,
}

impl Announcement {
    /// The announcement of an object that no FDT Instance describes yet.
    pub(in crate::sender) fn new(
        toi: Toi,
        location: &Arc<str>,
        xml: &str,
        fec: FecConfig,
        packetizer: &Packetizer,
    ) -> Self {
        Self {
            toi,
            location: Arc::clone(location),
            xml: xml.into(),
            protection: ObjectProtection { fec, redundancy: packetizer.redundancy() },
            oti: packetizer.oti().attributes().unwrap_or_default(),
            instance: None,
            announced_by: None,
            part: None,
            described_until: None,
        }
    }
}

impl ObjectProtection {
    /// The best of these.
    pub(super) fn strongest(protections: impl Iterator<Item = Self>) -> Option<Self> {
        protections.max_by(|a, b| a.redundancy.total_cmp(&b.redundancy))
    }
}
