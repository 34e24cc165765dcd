// SPDX-License-Identifier: MPL-2.0

//! `flutesrc` as an application meets it.

mod captures;
mod element;
mod ipv6;
mod leaks;
#[path = "../leaks_tracer/mod.rs"]
mod leaks_tracer;
mod mangled;
mod modes;
mod network;
#[path = "../reckoning/mod.rs"]
mod reckoning;
mod sender;

use std::sync::Once;

use gst::prelude::*;

fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstflute::plugin_register_static().unwrap();
    });
}

/// A bus that collects what an element outside of a pipeline tells.
fn bus_of(element: &gst::Element) -> gst::Bus {
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    bus
}

/// The element messages on a bus, in order.
fn element_messages(bus: &gst::Bus) -> Vec<gst::Structure> {
    bus.iter_filtered(&[gst::MessageType::Element])
        .filter_map(|message| message.structure().map(|structure| structure.to_owned()))
        .collect()
}

/// The text of the next error on a bus.
fn next_error(bus: &gst::Bus) -> String {
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    error.error().message().to_owned()
}
