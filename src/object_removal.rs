// SPDX-License-Identifier: MPL-2.0

//! The event that takes an object out of a session, in the order of the stream.
//!
//! It is a custom downstream event, serialised with the buffers, whose structure is named `flute-remove-object`, so that
//! applications and elements in any language can send it to a sink pad of flutesink, through what lies between. Its
//! fields:
//!
//! | Field | Type | Meaning |
//! |---|---|---|
//! | `content-location` | string | the name of the object |
//! | `now` | boolean | in the middle of a transfer (the default is after it) |
//! | `tsi` | uint64 | Transport Session Identifier of the session it was received from, if it was |
//! | `source` | string | IP address of the sender of that session |
//!
//! An object that is not known is none to remove, and nothing happens. The action signal `remove-object` of flutesink does
//! the same without a stream.

use std::net::IpAddr;

/// The name of the structure.
pub const NAME: &str = "flute-remove-object";

/// The fields of the event; the table of the module says what they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectRemoval {
    /// `content-location`
    pub content_location: String,
    /// `now`
    pub now: bool,
    /// `tsi`
    pub tsi: Option<u64>,
    /// `source`
    pub source: Option<IpAddr>,
}

impl ObjectRemoval {
    /// What an event says, if it is such a one and names an object.
    pub fn of(event: &gst::EventRef) -> Option<Self> {
        let structure = event.structure().filter(|structure| structure.name() == NAME)?;
        Some(Self {
            content_location: structure.get("content-location").ok()?,
            now: structure.get("now").unwrap_or(false),
            tsi: structure.get("tsi").ok(),
            source: structure.get::<&str>("source").ok().and_then(|source| source.parse().ok()),
        })
    }

    /// The event that says it.
    pub fn into_event(self) -> gst::Event {
        let structure = gst::Structure::builder(NAME)
            .field("content-location", self.content_location)
            .field("now", self.now)
            .field_if_some("tsi", self.tsi)
            .field_if_some("source", self.source.map(|source| source.to_string()))
            .build();
        gst::event::CustomDownstream::new(structure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_say_what_they_were_made_of() {
        gst::init().unwrap();
        let removal = ObjectRemoval {
            content_location: "video/seg_1.m4s".into(),
            now: true,
            tsi: Some(7),
            source: Some([10, 0, 0, 1].into()),
        };
        let event = removal.clone().into_event();
        assert!(event.is_serialized() && event.is_downstream());
        assert_eq!(ObjectRemoval::of(&event), Some(removal));
    }

    #[test]
    fn events_of_others() {
        gst::init().unwrap();
        let event = |structure: gst::structure::Builder| gst::event::CustomDownstream::new(structure.build());
        let least = event(gst::Structure::builder(NAME).field("content-location", "a"));
        let expected = ObjectRemoval { content_location: "a".into(), ..Default::default() };
        assert_eq!(ObjectRemoval::of(&least), Some(expected));
        assert_eq!(ObjectRemoval::of(&event(gst::Structure::builder("other").field("content-location", "a"))), None);
        assert_eq!(ObjectRemoval::of(&event(gst::Structure::builder(NAME).field("content-location", 1i32))), None);
        assert_eq!(ObjectRemoval::of(&gst::event::Eos::new()), None);
    }
}
