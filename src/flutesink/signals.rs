// SPDX-License-Identifier: MPL-2.0

//! The signals of the element: what applications can ask for, and what it tells.
#![expect(unused_doc_comments, reason = "GStreamer's documentation has signals described where they are made")]

use std::sync::LazyLock;

use flute_proto::sender::Removal;
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::messages;
use crate::object_meta::described;

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
