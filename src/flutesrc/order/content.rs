// SPDX-License-Identifier: MPL-2.0

//! What an object is to a demuxer, by its bytes.

use std::time::Duration;

use super::isobmff::{self, Fragment, Movie};
use super::mpegts::{self, Transport};

/// What an object is.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Content {
    /// An initialisation of fragmented MP4, and its bytes.
    Initialisation(Movie, Vec<u8>),
    /// A media segment.
    Media(Timing),
    /// A manifest, an image, a text.
    Other,
}

/// What a media segment says of its time.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Timing {
    /// Movie fragments, which need an initialisation, and their time if it can be read.
    Fragment(Option<Fragment>),
    /// An MP4 with a movie box of its own.
    Complete(Movie, Option<Fragment>),
    /// Packets of a transport stream.
    Transport(Option<Transport>),
    /// Something else, such as packed audio.
    Unknown,
}

impl Content {
    /// Looks at an object of this Content-Type.
    pub(in super::super) fn of(bytes: &[u8], content_type: Option<&str>) -> Self {
        if let Some(boxes) = isobmff::read(bytes) {
            return match (boxes.movie, boxes.has_media) {
                (Some(movie), true) => Self::Media(Timing::Complete(movie, boxes.fragment)),
                (Some(movie), false) => Self::Initialisation(movie, bytes.to_vec()),
                (None, _) => Self::Media(Timing::Fragment(boxes.fragment)),
            };
        }
        if mpegts::is_transport_stream(bytes) {
            return Self::Media(Timing::Transport(mpegts::read(bytes)));
        }
        let is_media = content_type.is_some_and(|content_type| {
            content_type != "audio/mpegurl"
                && (content_type.starts_with("audio/") || content_type.starts_with("video/"))
        });
        if is_media { Self::Media(Timing::Unknown) } else { Self::Other }
    }

    /// The caps that the bytes have, where the Content-Type says nothing.
    pub(in super::super) fn caps(&self) -> Option<&'static str> {
        match self {
            Self::Initialisation(..) | Self::Media(Timing::Fragment(_) | Timing::Complete(..)) => {
                Some("video/quicktime, variant=(string)iso")
            }
            Self::Media(Timing::Transport(_)) => Some("video/mpegts, systemstream=(boolean)true"),
            Self::Media(Timing::Unknown) | Self::Other => None,
        }
    }
}

impl Timing {
    /// Start and end, with the movie that explains them. `near` is a time that is not half a day away.
    pub(super) fn times(&self, movie: Option<&Movie>, near: Option<Duration>) -> Option<(Duration, Duration)> {
        match self {
            Self::Fragment(Some(fragment)) => movie?.times_of(fragment),
            Self::Complete(movie, Some(fragment)) => movie.times_of(fragment),
            Self::Transport(Some(transport)) => Some(transport.times(near)),
            _ => None,
        }
    }

    pub(super) fn needs_initialisation(&self) -> bool {
        matches!(self, Self::Fragment(_))
    }

    /// Whether it could be explained by this movie.
    pub(super) fn suits(&self, movie: &Movie) -> bool {
        match self {
            Self::Fragment(Some(fragment)) => movie.has_track_of(fragment),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flutesrc::order::isobmff::tests::{a_box, initialisation, segment};
    use crate::flutesrc::order::mpegts::tests::{packet, plain_packet};

    #[test]
    fn objects_by_their_bytes() {
        let init = initialisation(1, 1000, 0);
        let media = segment(1, 2000, &[40]);
        assert!(matches!(Content::of(&init, None), Content::Initialisation(_, bytes) if bytes == init));
        assert!(matches!(Content::of(&media, None), Content::Media(Timing::Fragment(Some(_)))));
        assert!(matches!(
            Content::of(&[init, media].concat(), Some("text/plain")),
            Content::Media(Timing::Complete(_, Some(_)))
        ));
        let stream = [plain_packet(0), packet(256, 27_000_000)].concat();
        let Content::Media(timing) = Content::of(&stream, None) else { panic!("it is media") };
        assert_eq!(timing.times(None, None).unwrap().0, Duration::from_secs(1));
        assert_eq!(Content::of(&[0xff, 0xf1, 0x50], Some("audio/aac")), Content::Media(Timing::Unknown));
        assert_eq!(Content::of(b"<MPD/>", Some("application/dash+xml")), Content::Other);
        assert_eq!(Content::of(b"#EXTM3U", Some("audio/mpegurl")), Content::Other);
        assert_eq!(Content::of(&a_box(b"ftyp", b"iso6"), None), Content::Other);
    }
}
