// SPDX-License-Identifier: MPL-2.0

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod boxes;
mod content_type;
pub mod session_configuration;

pub use content_type::{ManifestFormat, content_type_of_name, essence, is_manifest, is_mp4, manifest_format};
