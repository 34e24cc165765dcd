// SPDX-License-Identifier: MPL-2.0

//! The life of a session: when the element starts and stops, and what changes while it runs.

use std::sync::Arc;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::CAT;
use super::imp::FluteSink;
use super::messages;
use super::output::{Output, PadOutput, SocketOutput};
use super::session::Session;
use super::settings::SettingsError;
use crate::socket::send::SendSocket;

/// What exists while there is a session, and what is left of the last one.
#[derive(Debug, Default)]
pub(super) struct State {
    session: Option<Arc<Session>>,
    last_stats: Option<gst::Structure>,
}

impl FluteSink {
    /// The session that runs.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.state.lock().unwrap().session.clone()
    }

    pub(super) fn stats(&self) -> gst::Structure {
        match self.session() {
            Some(session) => session.stats(),
            None => self.state.lock().unwrap().last_stats.clone().unwrap_or_else(messages::no_stats),
        }
    }

    pub(super) fn start(&self) -> Result<(), gst::ErrorMessage> {
        let wrong = |error: SettingsError| gst::error_msg!(gst::ResourceError::Settings, ("{error}"));
        let settings = self.settings.lock().unwrap().clone();
        let element = self.obj();
        let (output, is_ipv6) = match element.static_pad("src") {
            Some(pad) => {
                let destination = settings.destination().ok();
                (Output::Pad(PadOutput::new(pad)), destination.is_some_and(|address| address.is_ipv6()))
            }
            None => {
                let config = settings.send_config().map_err(wrong)?;
                let socket = SendSocket::open(&config).map_err(|error| {
                    gst::error_msg!(gst::ResourceError::OpenWrite, ("Cannot send to {}: {error}", config.destination))
                })?;
                gst::info!(CAT, imp = self, "Sending from {:?} to {}", socket.local_address(), config.destination);
                (Output::Socket(SocketOutput::new(socket)), config.destination.is_ipv6())
            }
        };
        let config = settings.sender_config(is_ipv6).map_err(wrong)?;
        let session = Session::new(config)
            .map_err(|error| gst::error_msg!(gst::ResourceError::Settings, ("These properties do not fit: {error}")))?;
        for pad in self.sink_pads() {
            pad.imp().reset();
        }
        self.state.lock().unwrap().session = Some(session.clone());
        session.run(&element, output, settings.mtu as usize).map_err(|error| {
            gst::error_msg!(gst::CoreError::Failed, ("There can be no thread for the session: {error}"))
        })
    }

    pub(super) fn stop(&self) {
        if let Some(session) = self.session() {
            session.stop();
            let stats = session.stats();
            let mut state = self.state.lock().unwrap();
            state.last_stats = Some(stats);
            state.session = None;
        }
        for pad in self.sink_pads() {
            pad.imp().reset();
        }
    }

    pub(super) fn set_playing(&self, is_playing: bool) {
        if let Some(session) = self.session() {
            session.set_playing(is_playing);
        }
    }

    /// Takes properties over into a session that runs.
    pub(super) fn apply(&self, property: &str) {
        let Some(session) = self.session() else { return };
        let settings = self.settings.lock().unwrap().clone();
        let is_ipv6 = settings.destination().is_ok_and(|address| address.is_ipv6());
        match property {
            "bitrate" | "packet-overhead" => {
                session.with_sender(|sender, now| sender.set_pacing(settings.pacing(is_ipv6), now));
            }
            "fec"
            | "repair-percent"
            | "repair-symbols"
            | "symbol-size"
            | "mtu"
            | "source-block-length"
            | "rs-field-bits"
            | "symbols-per-packet" => {
                let result = settings.fec_config().map_err(|error| error.to_string()).and_then(|fec| {
                    session.with_sender(|sender, _| sender.set_fec(fec)).map_err(|error| error.to_string())
                });
                if let Err(error) = result {
                    gst::warning!(CAT, imp = self, "{property} has no effect yet: {error}");
                }
            }
            _ => (),
        }
    }
}
