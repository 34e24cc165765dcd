// SPDX-License-Identifier: MPL-2.0

//! What is sent, and how often.

use std::time::Duration;

use super::fec_config::FecConfig;
use super::source::Source;
use crate::Time;
use crate::content::ContentEncoding;
use crate::fdt::{AlternateContentLocation, CacheControl, File, MessageDigest, Signature, WriteError};
use crate::lct::Toi;
use crate::oti::OtiError;
use crate::profile::Forbidden;

/// An object to send: its bytes, its description and its schedule. Build it from [`Object::new`] and set what differs
/// from the defaults.
///
/// A manifest that goes out every second for ever, in front of everything else, and a file that takes ten seconds:
///
/// ```
/// use std::time::Duration;
///
/// use flute_proto::sender::{Carousel, Deadline, Interval, Object};
///
/// let mut manifest = Object::new("live.mpd", b"<MPD/>".to_vec());
/// manifest.content_type = Some("application/dash+xml".to_owned());
/// manifest.priority = 10;
/// manifest.carousel = Carousel { transfers: None, interval: Interval::Start(Duration::from_secs(1)) };
///
/// let mut file = Object::new("movie.mp4", vec![0; 1_000_000]);
/// file.md5 = true;
/// file.deadline = Some(Deadline::Within(Duration::from_secs(10)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Object {
    /// The bytes, before content encoding.
    pub source: Box<dyn Source>,
    /// `Content-Location`, a URI (RFC 6726 §3.4.2): characters that a URI does not have are percent-encoded when the
    /// object is added.
    pub location: String,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// Content encoding to apply; `None`: that of the session.
    pub content_encoding: Option<ContentEncoding>,
    /// The source is already encoded as `content_encoding` says: sent as it is.
    pub is_encoded: bool,
    /// Bytes before content encoding, where the source is encoded already; otherwise the sender knows.
    pub content_length: Option<u64>,
    /// Compute `Content-MD5`, of the transport object.
    pub md5: bool,
    /// `File-ETag`.
    pub etag: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<CacheControl>,
    /// `Group`.
    pub groups: Vec<String>,
    /// `MBMS-Session-Identity`.
    pub session_identities: Vec<u8>,
    /// `Decryption-KEY-URI`.
    pub decryption_key_uri: Option<String>,
    /// `Alternate-Content-Location-1`.
    pub alternate_content_location_1: Vec<AlternateContentLocation>,
    /// `Alternate-Content-Location-2`.
    pub alternate_content_location_2: Vec<AlternateContentLocation>,
    /// `IndependentUnitPositions`.
    pub independent_unit_positions: Vec<u64>,
    /// `FEC-Redundancy-Level`, percent.
    pub fec_redundancy_level: Option<u32>,
    /// `File/@Expires` of the consolidated schema (TS 26.346 L.6).
    pub expires: Option<Time>,
    /// `Content-Digest` (TS 103 769 F.2.3).
    pub content_digest: Option<MessageDigest>,
    /// `Repr-Digest` (TS 103 769 F.2.3).
    pub repr_digest: Option<MessageDigest>,
    /// `Signature` (TS 103 769 F.2.4).
    pub signatures: Vec<Signature>,
    /// TOI to use; `None`: the next free one.
    pub toi: Option<Toi>,
    /// FEC; `None`: that of the session.
    pub fec: Option<FecConfig>,
    /// Queue: a higher one always goes first.
    pub priority: u32,
    /// Repetition.
    pub carousel: Carousel,
    /// Not before.
    pub start: Option<Time>,
    /// The time that one transfer takes, or by which it ends.
    pub deadline: Option<Deadline>,
    /// What becomes of the object when its source is changed while it is sent.
    pub on_change: OnChange,
}

impl Object {
    /// An object that is sent once, with the defaults of the session.
    pub fn new(location: impl Into<String>, source: impl Source + 'static) -> Self {
        Self {
            source: Box::new(source),
            location: location.into(),
            content_type: None,
            content_encoding: None,
            is_encoded: false,
            content_length: None,
            md5: false,
            etag: None,
            cache_control: None,
            groups: Vec::new(),
            session_identities: Vec::new(),
            decryption_key_uri: None,
            alternate_content_location_1: Vec::new(),
            alternate_content_location_2: Vec::new(),
            independent_unit_positions: Vec::new(),
            fec_redundancy_level: None,
            expires: None,
            content_digest: None,
            repr_digest: None,
            signatures: Vec::new(),
            toi: None,
            fec: None,
            priority: 0,
            carousel: Carousel::default(),
            start: None,
            deadline: None,
            on_change: OnChange::default(),
        }
    }

    /// What an FDT Instance says of it, as far as it is known before it is read.
    pub(super) fn describe(&mut self, toi: Toi, encoding: ContentEncoding) -> File {
        use std::mem::take;
        File {
            content_location: self.location.clone(),
            toi,
            content_length: if self.is_encoded { self.content_length } else { Some(self.source.len()) },
            content_type: self.content_type.take(),
            content_encoding: encoding.fdt_name().map(str::to_owned),
            etag: self.etag.take(),
            cache_control: self.cache_control,
            groups: take(&mut self.groups),
            session_identities: take(&mut self.session_identities),
            decryption_key_uri: self.decryption_key_uri.take(),
            fec_redundancy_level: self.fec_redundancy_level,
            alternate_content_location_1: take(&mut self.alternate_content_location_1),
            alternate_content_location_2: take(&mut self.alternate_content_location_2),
            independent_unit_positions: take(&mut self.independent_unit_positions),
            expires: self.expires.map(Time::ntp_seconds),
            content_digest: self.content_digest.take(),
            repr_digest: self.repr_digest.take(),
            signatures: take(&mut self.signatures),
            ..File::default()
        }
    }
}

/// How often an object is transferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carousel {
    /// Number of transfers; `None`: for ever.
    pub transfers: Option<u64>,
    /// Time between them.
    pub interval: Interval,
}

impl Default for Carousel {
    /// Once.
    fn default() -> Self {
        Self { transfers: Some(1), interval: Interval::Delay(Duration::ZERO) }
    }
}

/// Time between the transfers of a carousel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// From the end of one to the start of the next.
    Delay(Duration),
    /// From start to start; at once if a transfer took longer.
    Start(Duration),
}

/// When a transfer is to be over; repair symbols count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Each transfer is spread over this duration.
    Within(Duration),
    /// Each transfer is spread over the time left until then.
    At(Time),
}

/// What becomes of an object whose source [has changed](Source::has_changed) at the end of a transfer. It is withdrawn in
/// any case, and [`Event::Failed`](super::Event::Failed) tells of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// Nothing else: the application may add it again.
    #[default]
    Withdraw,
    /// It is sent again under a new TOI, as its source is now, if that can be [opened again](Source::reopen). A source that
    /// changes during five transfers on end is given up.
    SendAgain,
}

/// When an object is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// At once, in the middle of a transfer if need be.
    Now,
    /// When the transfer that runs, or is about to, has ended; at once between two transfers of a carousel.
    AfterTransfer,
}

/// Why an object cannot be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The object cannot be coded like this.
    #[error(transparent)]
    Fec(#[from] flute_fec::ParameterError),
    /// The TOI is in use, or was until a moment ago and still is described by a live FDT Instance.
    #[error("TOI {0} is in use")]
    ToiInUse(Toi),
    /// All TOIs of the width in use are taken by live objects.
    #[error("no TOI is free: use wider TOIs, or wait until FDT Instances expire")]
    NoFreeToi,
    /// The source could not be read.
    #[error("reading the object: {0}")]
    Read(#[from] std::io::Error),
    /// The TOI does not fit into the header.
    #[error("TOI {toi} has more than the {bits} bits of this session: ask for a wider one")]
    ToiTooWide {
        /// The TOI that was asked for.
        toi: Toi,
        /// Bits of the TOI in the header.
        bits: u8,
    },
    /// An object with this Content-Location is being sent: two at a time would be two versions of one file.
    #[error("{location:?} is being sent as TOI {toi}: replace it")]
    LocationInUse {
        /// Content-Location.
        location: String,
        /// The object that has it.
        toi: Toi,
    },
    /// The description has what XML cannot carry, or what the schema of the profile has no words for.
    #[error(transparent)]
    Fdt(#[from] WriteError),
    /// The FEC Object Transmission Information cannot be written.
    #[error(transparent)]
    Oti(OtiError),
    /// The profile forbids it.
    #[error("{what} is not allowed by {clause}")]
    Profile {
        /// What was asked for.
        what: &'static str,
        /// The clause that forbids it.
        clause: &'static str,
    },
    /// The session is being finished.
    #[error("the session has been finished: no object can be added")]
    Finished,
}

impl From<OtiError> for ObjectError {
    fn from(error: OtiError) -> Self {
        match error {
            OtiError::Parameters(error) => Self::Fec(error),
            error => Self::Oti(error),
        }
    }
}

impl From<Forbidden> for ObjectError {
    fn from(Forbidden { what, clause }: Forbidden) -> Self {
        Self::Profile { what, clause }
    }
}
