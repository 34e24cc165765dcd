// SPDX-License-Identifier: MPL-2.0

//! The types of the properties that have a few named values.

use flute_proto::receiver::Mode;
use gst::glib;

/// Which objects are delivered, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteSrcMode")]
#[repr(i32)]
pub enum ReceiveMode {
    /// Every object.
    #[default]
    #[enum_value(name = "Every object and each new version of it", nick = "everything")]
    Everything,
    /// Once per name.
    #[enum_value(name = "The first version of every Content-Location", nick = "once")]
    Once,
    /// What changed.
    #[enum_value(name = "Every version of which the content or the TOI is new", nick = "keep-updated")]
    KeepUpdated,
}

impl From<ReceiveMode> for Mode {
    fn from(mode: ReceiveMode) -> Self {
        match mode {
            ReceiveMode::Everything => Self::Everything,
            ReceiveMode::Once => Self::OncePerLocation,
            ReceiveMode::KeepUpdated => Self::KeepUpdated,
        }
    }
}

/// In which order a pad delivers objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteSrcOrder")]
#[repr(i32)]
pub enum SegmentOrder {
    /// What is downstream decides.
    #[default]
    #[enum_value(name = "As media in front of a demuxer or decodebin, else as they arrive", nick = "auto")]
    Auto,
    /// As they are completed.
    #[enum_value(name = "Every object as soon as it is complete", nick = "arrival")]
    Arrival,
    /// For a demuxer.
    #[enum_value(name = "Initialisation and media segments of one representation in sequence", nick = "media")]
    Media,
}

/// What a lost object is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstFluteSrcOnLoss")]
#[repr(i32)]
pub enum OnLoss {
    /// Nothing but an element message.
    #[enum_value(name = "Post the element message flute-object-lost, and nothing else", nick = "ignore")]
    Ignore,
    /// A warning.
    #[default]
    #[enum_value(name = "Post a warning for each, and one for all at the end", nick = "warning")]
    Warning,
    /// An error.
    #[enum_value(name = "Post an error, and end the stream", nick = "error")]
    Error,
}
