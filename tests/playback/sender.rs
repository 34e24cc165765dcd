// SPDX-License-Identifier: MPL-2.0

//! What sends, stopped when it is dropped.

use std::path::Path;

use gst::prelude::*;
use gstflute::object_meta::ObjectMeta;

use crate::init;

/// A pipeline that sends.
pub(crate) struct Sender {
    pub(crate) pipeline: gst::Pipeline,
}

impl Sender {
    pub(crate) fn new(description: &str) -> Self {
        init();
        let pipeline = gst::parse::launch(description).unwrap().downcast::<gst::Pipeline>().unwrap();
        Self { pipeline }
    }

    pub(crate) fn play(self) -> Self {
        self.pipeline.set_state(gst::State::Playing).unwrap();
        self
    }

    /// A folder, again and again, to a group on the loopback interface.
    pub(crate) fn carousel(folder: &Path, group: &str, port: u16) -> Self {
        Self::new(&format!(
            "flutedirsrc location={} ! f.sink_0 flutesink name=f address={group} port={port} multicast-iface=lo \
             bitrate=60000000 eos-policy=run-to-end sink_0::repeat-count=1000",
            folder.display()
        ))
        .play()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// A sender of objects as they are made.
pub(crate) struct Studio {
    sender: Sender,
    source: gst_app::AppSrc,
}

impl Studio {
    pub(crate) fn new(group: &str, port: u16) -> Self {
        let sender = Sender::new(&format!(
            "appsrc name=objects caps=application/x-object ! flutesink address={group} port={port} multicast-iface=lo"
        ));
        let source = sender.pipeline.by_name("objects").unwrap().downcast().unwrap();
        Self { sender: sender.play(), source }
    }

    /// Sends an object, once.
    pub(crate) fn send(&self, location: &str, content_type: &str, content: Vec<u8>) {
        self.push(location, content_type, content, None);
    }

    /// The same, spread over this time.
    pub(crate) fn send_within(&self, location: &str, content_type: &str, content: Vec<u8>, time: gst::ClockTime) {
        self.push(location, content_type, content, Some(time));
    }

    fn push(&self, location: &str, content_type: &str, content: Vec<u8>, deadline: Option<gst::ClockTime>) {
        let mut buffer = gst::Buffer::from_mut_slice(content);
        let meta = ObjectMeta {
            content_location: Some(location.to_owned()),
            content_type: Some(content_type.to_owned()),
            deadline,
            ..ObjectMeta::default()
        };
        meta.put_on(buffer.make_mut());
        self.source.push_buffer(buffer).unwrap();
    }

    /// Ends the session.
    pub(crate) fn close(&self) {
        self.source.end_of_stream().unwrap();
        let bus = self.sender.pipeline.bus().unwrap();
        let limit = gst::ClockTime::try_from(crate::LIMIT).unwrap();
        let end = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = bus.timed_pop_filtered(limit, &end).expect("the session is sent");
        assert_eq!(message.type_(), gst::MessageType::Eos, "{:?}", message.view());
    }
}
