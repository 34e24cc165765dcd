// SPDX-License-Identifier: MPL-2.0

//! The debug categories, by which `GST_DEBUG` chooses what is logged. Each has the name of its element.

use std::sync::LazyLock;

use gst::{DebugCategory, DebugColorFlags};

/// Defines the category of an element.
macro_rules! category {
    ($category:ident, $name:literal, $description:literal) => {
        #[doc = concat!("The category `", $name, "`.")]
        pub(crate) static $category: LazyLock<DebugCategory> =
            LazyLock::new(|| DebugCategory::new($name, DebugColorFlags::empty(), Some($description)));
    };
}

category!(FLUTESINK, "flutesink", "FLUTE sender");
category!(FLUTESRC, "flutesrc", "Objects from FLUTE packets");
category!(FLUTEDIRSINK, "flutedirsink", "Files from FLUTE objects");
category!(FLUTEDIRSRC, "flutedirsrc", "Files as objects");
category!(FLUTESESSIONS, "flutesessions", "FLUTE sessions of the process");
