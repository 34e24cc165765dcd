// SPDX-License-Identifier: MPL-2.0

//! Received objects, as files below a folder.
//!
//! A [`FolderWriter`] makes a file of each object, under the path that its Content-Location means, and deletes files as
//! its [`Bounds`] ask for.

mod location_pattern;
mod manifest_names;
mod relative_path;
mod target_folder;
mod warnings;
mod writer;
mod written_files;

pub use location_pattern::{LocationPattern, PatternError};
pub use relative_path::{Refusal, RelativePath, UrlMapping};
pub use target_folder::{TargetFolder, WriteError};
pub use warnings::{Kind, Saying, Warnings};
pub use writer::{Deleted, FolderWriter, NotWritten, ObjectContent, ObjectDescription, Written};
pub use written_files::{Bounds, Origin, Reason};
