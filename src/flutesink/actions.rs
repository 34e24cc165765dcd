// SPDX-License-Identifier: MPL-2.0

//! What applications can do without a pad.

use std::path::PathBuf;

use flute_proto::sender::{OnChange, Removal};
use gio::prelude::{CancellableExt, CancellableExtManual};
use gst::subclass::prelude::*;

use super::collector::{self, Collected, Origin};
use super::imp::FluteSink;
use super::pad_settings::PadSettings;
use super::session::{Producer, Refusal};
use super::spool::Spool;
use super::stream::ObjectStream;
use crate::debug::FLUTESINK as CAT;
use crate::object_meta::{ObjectMeta, described};

/// What happens to an object of an application while `max-queued-bytes` wait to be sent.
enum WhenFull<'a> {
    /// It is queued all the same.
    Queue,
    /// Its application waits, until the cancellable says that it must not.
    Wait(Option<&'a gio::Cancellable>),
}

impl FluteSink {
    pub(super) fn add_object(&self, buffer: gst::Buffer, meta: Option<gst::Structure>) -> bool {
        let collected = collector::one_buffer(described(buffer, meta)).map_err(|error| error.to_string());
        let result = collected.and_then(|collected| self.send_from_application(collected, WhenFull::Queue));
        if let Err(error) = &result {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("An object was not added: {error}"));
        }
        result.is_ok()
    }

    pub(super) fn open_object(&self, location: Option<String>, meta: Option<gst::Structure>) -> Option<ObjectStream> {
        if self.session().is_none() {
            gst::warning!(CAT, imp = self, "an object can be opened from PAUSED on");
            return None;
        }
        let mut meta = meta.map(|meta| ObjectMeta::from_structure(&meta)).unwrap_or_default();
        meta.content_location = location.filter(|location| !location.is_empty()).or(meta.content_location);
        let directory = self.settings.lock().unwrap().spool_directory.as_ref().map(PathBuf::from);
        Some(ObjectStream::new(&self.obj(), meta, Spool::new(directory)))
    }

    /// Sends what was written to a stream.
    pub(super) fn send_written(
        &self,
        collected: Collected,
        cancellable: Option<&gio::Cancellable>,
    ) -> Result<(), String> {
        self.send_from_application(collected, WhenFull::Wait(cancellable))
    }

    /// Sends an object that no pad brought.
    fn send_from_application(&self, collected: Collected, when_full: WhenFull<'_>) -> Result<(), String> {
        let session = self.session().ok_or("there is no session: the element must be PAUSED or PLAYING")?;
        let settings = self.settings.lock().unwrap().clone();
        let mut schedule = PadSettings {
            location: Some("added-%05d".to_owned()),
            index: self.next_added_object(),
            ..Default::default()
        };
        let mut object =
            collected.into_object(&Origin::default(), &mut schedule, &settings).map_err(|error| error.to_string())?;
        // The application is told that the file has changed, and knows whether it is to be sent again.
        object.on_change = OnChange::Withdraw;
        let location = object.location.clone();
        let cancellable = match when_full {
            WhenFull::Queue => None,
            WhenFull::Wait(cancellable) => cancellable,
        };
        let producer = Producer {
            queue: "application".into(),
            max_queued: if matches!(when_full, WhenFull::Queue) { 0 } else { settings.max_queued_bytes },
            // The packager may be in the same pipeline, and must not keep it from stopping.
            waits_in_pause: false,
            is_flushing: &|| cancellable.is_some_and(gio::Cancellable::is_cancelled),
        };
        let woken = session.clone();
        let handler =
            cancellable.and_then(|cancellable| cancellable.connect_cancelled(move |_| woken.wake_producers()));
        let result = session.add(object, &producer);
        if let (Some(cancellable), Some(handler)) = (cancellable, handler) {
            cancellable.disconnect_cancelled(handler);
        }
        match result {
            Ok(Some(toi)) => gst::debug!(CAT, imp = self, "{location} has TOI {toi}"),
            Ok(None) => gst::debug!(CAT, imp = self, "{location} waits for what came before it"),
            Err(Refusal::Flow(error)) => return Err(error.to_string()),
            Err(Refusal::Object(error)) => return Err(error.to_string()),
        }
        Ok(())
    }

    pub(super) fn remove_object(&self, location: &str, when: Removal) -> bool {
        self.session().is_some_and(|session| session.remove(location, when))
    }

    pub(super) fn send_now(&self, location: &str) -> bool {
        self.session().is_some_and(|session| {
            session.with_sender(|sender, now| sender.toi_of(location).is_some_and(|toi| sender.trigger(toi, now)))
        })
    }
}
