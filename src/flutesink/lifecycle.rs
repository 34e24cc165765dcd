// SPDX-License-Identifier: MPL-2.0

//! The life of a session: when the element starts and stops, and what changes while it runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::default_rate::DEFAULT_BITRATE;
use super::imp::FluteSink;
use super::messages;
use super::output::{Output, PadOutput, SocketOutput};
use super::session::SenderSession;
use super::settings::SettingsError;
use super::shared_sessions;
use crate::debug::FLUTESINK as CAT;
use flute_net::SendSocket;

impl FluteSink {
    /// The session that runs.
    pub(super) fn session(&self) -> Option<Arc<SenderSession>> {
        self.state.lock().unwrap().session().cloned()
    }

    pub(super) fn stats(&self) -> gst::Structure {
        match self.session() {
            Some(session) => session.stats(),
            None => self.state.lock().unwrap().last_stats().cloned().unwrap_or_else(messages::no_stats),
        }
    }

    /// Whether the session goes on when the element alone goes to NULL.
    pub(super) fn keeps_session(&self) -> bool {
        let is_wanted = self.settings.lock().unwrap().keep_session;
        let element = self.obj();
        element.static_pad("src").is_none() && (is_wanted || shared_sessions::is_in_splitmuxsink(&element))
    }

    /// Whether the element is on its way to NULL and its session is not.
    pub(super) fn leaves_session(&self) -> bool {
        self.keeps_session() && shared_sessions::leaves_alone(&self.obj())
    }

    pub(super) fn start(&self) -> Result<(), gst::ErrorMessage> {
        let wrong = |error: SettingsError| gst::error_msg!(gst::ResourceError::Settings, ("{error}"));
        let settings = self.settings.lock().unwrap().clone();
        let element = self.obj();
        let keeps_session = self.keeps_session();
        if keeps_session && let Some(session) = shared_sessions::attach(&settings, &element) {
            gst::info!(CAT, imp = self, "going on with the session");
            self.state.lock().unwrap().begin(session);
            self.apply("bitrate");
            self.apply("fec");
            return Ok(());
        }
        let (output, is_ipv6) = match element.static_pad("src") {
            Some(pad) => (Output::Pad(PadOutput::new(pad)), settings.is_ipv6()),
            None => {
                let config = settings.send_config().map_err(wrong)?;
                let socket = SendSocket::open(&config).map_err(|error| {
                    gst::error_msg!(gst::ResourceError::OpenWrite, ("Cannot send to {}: {error}", config.destination))
                })?;
                gst::info!(CAT, imp = self, "sending from {:?} to {}", socket.local_address(), config.destination);
                let is_ipv6 = socket.destination().is_ipv6();
                (Output::Socket(SocketOutput::new(socket)), is_ipv6)
            }
        };
        let config = settings.sender_config(is_ipv6).map_err(wrong)?;
        if settings.bitrate.is_none() {
            gst::info!(
                CAT,
                imp = self,
                "no bitrate is set: sending at {} Mbit/s on the wire, and faster for deadlines; bitrate=0 is as fast as \
                 possible",
                DEFAULT_BITRATE / 1_000_000
            );
        }
        let session = SenderSession::new(config, settings.bitrate)
            .map_err(|error| gst::error_msg!(gst::ResourceError::Settings, ("These properties do not fit: {error}")))?;
        for pad in self.sink_pads() {
            pad.imp().reset();
        }
        self.state.lock().unwrap().begin(session.clone());
        if keeps_session {
            shared_sessions::keep(&settings, &session);
        }
        session.run(&element, output, settings.mtu as usize).map_err(|error| {
            gst::error_msg!(gst::CoreError::Failed, ("There can be no thread for the session: {error}"))
        })
    }

    /// Ends all waiting in the streaming threads, before the pads are deactivated.
    pub(super) fn unblock(&self, leaves_session: bool) {
        let Some(session) = self.session() else { return };
        for pad in self.sink_pads() {
            pad.imp().is_flushing.store(true, Ordering::SeqCst);
        }
        if leaves_session {
            session.wake_producers();
            return;
        }
        if self.keeps_session() {
            session.close();
        }
        session.unblock();
    }

    /// Leaves the session to itself; an element with the same settings can go on with it.
    pub(super) fn leave(&self) {
        if let Some(session) = self.session() {
            let linger = Duration::from_nanos(self.settings.lock().unwrap().linger);
            session.detach(linger);
            self.forget(&session);
        }
    }

    pub(super) fn stop(&self) {
        if let Some(session) = self.session() {
            if session.detach(Duration::ZERO) {
                session.stop();
            }
            self.forget(&session);
        }
    }

    fn forget(&self, session: &SenderSession) {
        let stats = session.stats();
        self.state.lock().unwrap().end(stats);
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
        let is_ipv6 = settings.is_ipv6();
        match property {
            "bitrate" | "packet-overhead" => {
                session.set_pacing(settings.bitrate, settings.pacing(is_ipv6).overhead);
            }
            "fec"
            | "repair-percent"
            | "repair-symbols"
            | "repair-min"
            | "symbol-size"
            | "mtu"
            | "source-block-length"
            | "rs-field-bits"
            | "symbols-per-packet" => {
                let result = settings
                    .fec_config()
                    .map_err(|error| error.to_string())
                    .and_then(|fec| session.set_fec(fec).map_err(|error| error.to_string()));
                if let Err(error) = result {
                    gst::warning!(CAT, imp = self, "{property} has no effect yet: {error}");
                }
            }
            "address" | "host" | "port" | "uri" | "multicast-iface" | "ttl" | "ttl-mc" | "qos-dscp" | "loop"
            | "auto-multicast"
                if self.obj().static_pad("src").is_none() =>
            {
                match settings.send_config() {
                    Ok(config) => session.redirect(config),
                    Err(error) => gst::warning!(CAT, imp = self, "{property} has no effect yet: {error}"),
                }
                session.set_pacing(settings.bitrate, settings.pacing(is_ipv6).overhead);
            }
            _ => (),
        }
    }
}
