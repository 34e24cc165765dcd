// SPDX-License-Identifier: MPL-2.0

//! The files of a folder, as objects to send.
//!
//! A [`Selection`] is what a user names, with the rules for what of it is sent. [`find`] lists its files once; a [`Watcher`]
//! tells of each when it is complete, and when it is there no more.

mod files;
mod inotify;
mod pending;
mod selection;
mod watcher;

pub use files::{Found, FoundFile, find};
pub use selection::{FollowLinks, LocationError, Rules, Selection, other_name};
pub use watcher::{Next, OpenFile, Watcher};

/// Names that are temporary, where the user names none: what packagers and programs that copy files use.
pub const TEMPORARY_NAMES: &str = "*~,*.tmp,*.part";
