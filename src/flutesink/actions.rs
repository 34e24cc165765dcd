// SPDX-License-Identifier: MPL-2.0

//! What applications can do without a pad.
#![expect(unused_doc_comments, reason = "GStreamer's documentation has signals described where they are made")]

use std::sync::LazyLock;

use flute_proto::sender::Removal;
use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::CAT;
use super::imp::FluteSink;
use super::messages;
use super::objects::{self, Origin};
use super::pad::PadSettings;
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
        ];
        actions.into_iter().chain(messages::signals()).collect()
    });
    &SIGNALS
}

impl FluteSink {
    fn add_object(&self, mut buffer: gst::Buffer, meta: Option<gst::Structure>) -> bool {
        let Some(session) = self.session() else {
            gst::warning!(CAT, imp = self, "An object can be added from PAUSED on");
            return false;
        };
        let settings = self.settings.lock().unwrap().clone();
        if let Some(meta) = meta {
            ObjectMeta::from_structure(&meta).put_on(buffer.make_mut());
        }
        let result = objects::one_buffer(buffer).map_err(|error| error.to_string()).and_then(|collected| {
            let mut schedule = PadSettings {
                location: Some("added-%05d".to_owned()),
                index: self.next_added_object(),
                ..Default::default()
            };
            let object = collected
                .into_object(&Origin::default(), &mut schedule, &settings)
                .map_err(|error| error.to_string())?;
            session.with_sender(|sender, now| sender.replace(object, now)).map_err(|error| error.to_string())
        });
        match result {
            Ok(toi) => gst::debug!(CAT, imp = self, "An object was added, TOI {toi}"),
            Err(ref error) => {
                gst::element_imp_warning!(self, gst::ResourceError::Settings, ("An object was not added: {error}"));
            }
        }
        result.is_ok()
    }

    pub(super) fn remove_object(&self, location: &str, when: Removal) -> bool {
        self.session().is_some_and(|session| {
            session.with_sender(|sender, now| sender.toi_of(location).is_some_and(|toi| sender.remove(toi, when, now)))
        })
    }

    fn send_now(&self, location: &str) -> bool {
        self.session().is_some_and(|session| {
            session.with_sender(|sender, now| sender.toi_of(location).is_some_and(|toi| sender.trigger(toi, now)))
        })
    }
}
