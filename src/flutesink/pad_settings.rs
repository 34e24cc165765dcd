// SPDX-License-Identifier: MPL-2.0

//! What the user sets on a pad that takes objects.

use flute_proto::fdt::CacheControl;

use super::enums::{FluteCarousel, FluteContentEncoding, FluteFec, FluteNextObject};
use super::settings::{OwnFec, SettingsError};
use crate::object_meta::parse_cache_control;

/// Media of a live source are spread over their duration.
pub(super) const DEFAULT_DEADLINE: i64 = -1;

/// What the user sets on a pad.
#[derive(Clone, Debug)]
pub(super) struct PadSettings {
    pub(super) location: Option<String>,
    pub(super) init_location: Option<String>,
    pub(super) index: u32,
    pub(super) content_type: Option<String>,
    pub(super) next_object: FluteNextObject,
    pub(super) progressive: bool,
    pub(super) priority: u32,
    pub(super) carousel: FluteCarousel,
    /// `None`: not set.
    pub(super) repeat_count: Option<u32>,
    pub(super) repeat_delay: u64,
    pub(super) repeat_interval: u64,
    pub(super) deadline: i64,
    pub(super) group: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) fec: FluteFec,
    pub(super) repair_percent: f64,
    pub(super) repair_symbols: i32,
    pub(super) symbol_size: u32,
    pub(super) source_block_length: u32,
    pub(super) content_encoding: FluteContentEncoding,
    pub(super) md5: bool,
}

impl Default for PadSettings {
    fn default() -> Self {
        Self {
            location: None,
            init_location: None,
            index: 0,
            content_type: None,
            next_object: FluteNextObject::default(),
            progressive: false,
            priority: 0,
            carousel: FluteCarousel::default(),
            repeat_count: None,
            repeat_delay: 0,
            repeat_interval: 0,
            deadline: DEFAULT_DEADLINE,
            group: None,
            cache_control: None,
            fec: FluteFec::Inherit,
            repair_percent: -1.0,
            repair_symbols: -1,
            symbol_size: 0,
            source_block_length: 0,
            content_encoding: FluteContentEncoding::Inherit,
            md5: false,
        }
    }
}

impl PadSettings {
    /// What is said of FEC.
    pub(super) fn own_fec(&self) -> OwnFec {
        OwnFec {
            fec: self.fec,
            repair_percent: self.repair_percent,
            repair_symbols: self.repair_symbols,
            symbol_size: self.symbol_size,
            source_block_length: self.source_block_length,
        }
    }

    /// What `cache-control` says.
    pub(super) fn cache_control(&self) -> Result<Option<CacheControl>, SettingsError> {
        let text = self.cache_control.as_deref().filter(|text| !text.is_empty());
        text.map(|text| parse_cache_control(text).ok_or_else(|| SettingsError::CacheControl { value: text.to_owned() }))
            .transpose()
    }
}
