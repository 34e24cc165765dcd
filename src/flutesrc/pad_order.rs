// SPDX-License-Identifier: MPL-2.0

//! In which order a pad delivers objects.

use super::order::Order;

/// A segment or initialisation on its way.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) buffer: gst::Buffer,
    pub(super) caps: Option<gst::Caps>,
    /// Running time when it was complete, if the element has a clock.
    pub(super) running: Option<gst::ClockTime>,
}

/// In which order a pad delivers objects.
#[derive(Debug, Default)]
pub(super) enum PadOrder {
    /// There was no object yet.
    #[default]
    Undecided,
    Arrival,
    Media(Box<Order<Payload>>),
}
