// SPDX-License-Identifier: MPL-2.0

//! The type of the property `follow-links`.

use flute_folder::source::FollowLinks;
use gst::glib;

/// Which symbolic links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteDirSrcFollowLinks")]
pub enum FluteDirSrcFollowLinks {
    /// None.
    #[enum_value(name = "None", nick = "none")]
    None,
    /// Those that stay in the folder.
    #[default]
    #[enum_value(name = "Links to what is in the folder, and not hidden", nick = "inside")]
    Inside,
    /// All of them.
    #[enum_value(name = "All links, also out of the folder: what they lead to is sent to every receiver", nick = "all")]
    All,
}

impl From<FluteDirSrcFollowLinks> for FollowLinks {
    fn from(links: FluteDirSrcFollowLinks) -> Self {
        match links {
            FluteDirSrcFollowLinks::None => Self::None,
            FluteDirSrcFollowLinks::Inside => Self::Inside,
            FluteDirSrcFollowLinks::All => Self::All,
        }
    }
}
