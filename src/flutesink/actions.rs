// SPDX-License-Identifier: MPL-2.0

//! What applications can do without a pad.
#![expect(unused_doc_comments, reason = "GStreamer's documentation has signals described where they are made")]

use std::path::PathBuf;
use std::sync::LazyLock;

use flute_proto::sender::{OnChange, Removal};
use gio::prelude::{CancellableExt, CancellableExtManual};
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::collector::{self, Collected, Origin};
use super::imp::FluteSink;
use super::messages;
use super::pad_settings::PadSettings;
use super::session::{Producer, Refusal};
use super::spool::Spool;
use super::stream::ObjectStream;
use crate::debug::FLUTESINK as CAT;
use crate::object_meta::ObjectMeta;

/// The signals of the element: actions, and what it tells.
pub(super) fn signals() -> &'static [Signal] {
    static SIGNALS: LazyLock<Vec<Signal>> = LazyLock::new(|| {
        let string = glib::Type::STRING;
        let actions = vec![
            /**
             * flutesink::add-object:
             * @buffer: the bytes of the object
             * @meta: (nullable): the fields of a `FluteObjectMeta`, in place of that of the buffer
             *
             * Sends an object, in place of one of the same name.
             *
             * Returns: whether there is a session, and it takes the object
             */
            Signal::builder("add-object")
                .param_types([gst::Buffer::static_type(), gst::Structure::static_type()])
                .return_type::<bool>()
                .action()
                .class_handler(|arguments| {
                    let element = arguments[0].get::<super::FluteSink>().expect("checked by the signal");
                    let buffer = arguments[1].get::<Option<gst::Buffer>>().expect("checked by the signal");
                    let meta = arguments[2].get::<Option<gst::Structure>>().expect("checked by the signal");
                    Some(buffer.is_some_and(|buffer| element.imp().add_object(buffer, meta)).to_value())
                })
                .build(),
            /**
             * flutesink::describe-object:
             * @buffer: the bytes of the object
             * @meta: the fields of a `FluteObjectMeta`
             *
             * Puts the meta on a buffer for appsrc, in languages whose bindings cannot write into one, as PyGObject.
             *
             * Returns: (transfer full) (nullable): the buffer with the meta, in place of the one that it had
             */
            Signal::builder("describe-object")
                .param_types([gst::Buffer::static_type(), gst::Structure::static_type()])
                .return_type::<Option<gst::Buffer>>()
                .action()
                .class_handler(|arguments| {
                    let buffer = arguments[1].get::<Option<gst::Buffer>>().expect("checked by the signal");
                    let meta = arguments[2].get::<Option<gst::Structure>>().expect("checked by the signal");
                    Some(buffer.map(|buffer| described(buffer, meta)).to_value())
                })
                .build(),
            /**
             * flutesink::open-object:
             * @location: the Content-Location of the object
             * @meta: (nullable): the fields of a `FluteObjectMeta`
             *
             * Opens a stream whose bytes become an object, in place of one of the same name. Made for the signals of
             * packagers, such as `get-fragment-stream` and `get-playlist-stream` of hlssink2, hlssink3, hlscmafsink and
             * dashsink, whose arguments it takes.
             *
             * The object is complete, and is sent, when the stream is flushed after something was written, or closed.
             * One to which nothing was written becomes no object, nor does one that is closed with a cancelled
             * `GCancellable`. Flushing waits while `max-queued-bytes` wait to be sent. A manifest is not sent before
             * every object that was complete before it.
             *
             * Returns: (transfer full) (nullable): the stream, if there is a session
             */
            Signal::builder("open-object")
                .param_types([string, gst::Structure::static_type()])
                .return_type::<Option<gio::OutputStream>>()
                .action()
                .class_handler(|arguments| {
                    let element = arguments[0].get::<super::FluteSink>().expect("checked by the signal");
                    let location = arguments[1].get::<Option<String>>().expect("checked by the signal");
                    let meta = arguments[2].get::<Option<gst::Structure>>().expect("checked by the signal");
                    let stream = element.imp().open_object(location, meta);
                    Some(stream.map(Cast::upcast::<gio::OutputStream>).to_value())
                })
                .build(),
            /**
             * flutesink::remove-object:
             * @location: the Content-Location of the object
             * @now: in the middle of a transfer, or after it
             *
             * Sends an object no more.
             *
             * Returns: whether there was such an object
             */
            Signal::builder("remove-object")
                .param_types([string, glib::Type::BOOL])
                .return_type::<bool>()
                .action()
                .class_handler(|arguments| {
                    let element = arguments[0].get::<super::FluteSink>().expect("checked by the signal");
                    let location = arguments[1].get::<Option<String>>().expect("checked by the signal");
                    let now = arguments[2].get::<bool>().expect("checked by the signal");
                    let when = if now { Removal::Now } else { Removal::AfterTransfer };
                    Some(element.imp().remove_object(&location.unwrap_or_default(), when).to_value())
                })
                .build(),
            /**
             * flutesink::send-now:
             * @location: the Content-Location of the object
             *
             * Starts the next transfer of an object now, whatever its carousel says.
             *
             * Returns: whether there is such an object
             */
            Signal::builder("send-now")
                .param_types([string])
                .return_type::<bool>()
                .action()
                .class_handler(|arguments| {
                    let element = arguments[0].get::<super::FluteSink>().expect("checked by the signal");
                    let location = arguments[1].get::<Option<String>>().expect("checked by the signal");
                    Some(element.imp().send_now(&location.unwrap_or_default()).to_value())
                })
                .build(),
            /**
             * flutesink::set-priority:
             * @location: the Content-Location of the object
             * @priority: its queue: those of a higher one always go first
             *
             * Changes the priority of an object that is there already.
             *
             * Returns: whether there is such an object
             */
            Signal::builder("set-priority")
                .param_types([string, glib::Type::U32])
                .return_type::<bool>()
                .action()
                .class_handler(|arguments| {
                    let element = arguments[0].get::<super::FluteSink>().expect("checked by the signal");
                    let location = arguments[1].get::<Option<String>>().expect("checked by the signal");
                    let priority = arguments[2].get::<u32>().expect("checked by the signal");
                    let location = location.unwrap_or_default();
                    let session = element.imp().session();
                    Some(session.is_some_and(|session| session.set_priority(&location, priority)).to_value())
                })
                .build(),
        ];
        actions.into_iter().chain(messages::signals()).collect()
    });
    &SIGNALS
}

/// What happens to an object of an application while `max-queued-bytes` wait to be sent.
enum WhenFull<'a> {
    /// It is queued all the same.
    Queue,
    /// Its application waits, until the cancellable says that it must not.
    Wait(Option<&'a gio::Cancellable>),
}

/// The buffer with these fields as its meta, if there are any.
fn described(mut buffer: gst::Buffer, meta: Option<gst::Structure>) -> gst::Buffer {
    if let Some(meta) = meta {
        ObjectMeta::from_structure(&meta).put_on(buffer.make_mut());
    }
    buffer
}

impl FluteSink {
    fn add_object(&self, buffer: gst::Buffer, meta: Option<gst::Structure>) -> bool {
        let collected = collector::one_buffer(described(buffer, meta)).map_err(|error| error.to_string());
        let result = collected.and_then(|collected| self.send_from_application(collected, WhenFull::Queue));
        if let Err(error) = &result {
            gst::element_imp_warning!(self, gst::ResourceError::Settings, ("An object was not added: {error}"));
        }
        result.is_ok()
    }

    fn open_object(&self, location: Option<String>, meta: Option<gst::Structure>) -> Option<ObjectStream> {
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

    fn send_now(&self, location: &str) -> bool {
        self.session().is_some_and(|session| {
            session.with_sender(|sender, now| sender.toi_of(location).is_some_and(|toi| sender.trigger(toi, now)))
        })
    }
}
