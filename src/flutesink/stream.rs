// SPDX-License-Identifier: MPL-2.0

//! Objects that are written as a `GOutputStream`.

use gst::glib;
use gst::subclass::prelude::ObjectSubclassIsExt;

use super::FluteSink;
use super::spool::Spool;
use crate::object_meta::ObjectMeta;

glib::wrapper! {
    /// What is written to it becomes an object, at the first flush after something was written, or when it is closed.
    /// Closed with a cancelled `GCancellable`, it becomes none, nor does one to which nothing was written.
    pub struct ObjectStream(ObjectSubclass<imp::ObjectStream>) @extends gio::OutputStream;
}

impl ObjectStream {
    /// A stream for an object that is described like this.
    pub(super) fn new(element: &FluteSink, meta: ObjectMeta, spool: Spool) -> Self {
        let stream: Self = glib::Object::new();
        stream.imp().open(element, meta, spool);
        stream
    }
}

mod imp {
    use std::mem;
    use std::sync::Mutex;

    use gio::prelude::*;
    use gio::subclass::prelude::*;
    use gst::glib;
    use gst::subclass::prelude::ObjectSubclassIsExt;

    use super::super::FluteSink;
    use super::super::collector::{Collected, Kind};
    use super::super::spool::Spool;
    use crate::object_meta::ObjectMeta;

    /// The stream.
    #[derive(Debug, Default)]
    pub struct ObjectStream {
        writing: Mutex<Option<Writing>>,
    }

    /// An object that is not complete.
    #[derive(Debug)]
    struct Writing {
        element: glib::WeakRef<FluteSink>,
        meta: Box<ObjectMeta>,
        spool: Spool,
    }

    impl ObjectStream {
        pub(super) fn open(&self, element: &FluteSink, meta: ObjectMeta, spool: Spool) {
            let (element, meta) = (element.downgrade(), Box::new(meta));
            *self.writing.lock().unwrap() = Some(Writing { element, meta, spool });
        }

        /// Hands over what was written, if it was not done before. No lock is held while that waits.
        fn complete(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            let Some(Writing { element, meta, spool }) = self.writing.lock().unwrap().take() else { return Ok(()) };
            if cancellable.is_some_and(gio::Cancellable::is_cancelled) {
                return Err(glib::Error::new(gio::IOErrorEnum::Cancelled, "the object is dropped"));
            }
            let failed = |text: &str| glib::Error::new(gio::IOErrorEnum::Failed, text);
            let element = element.upgrade().ok_or_else(|| failed("there is no flutesink any more"))?;
            let source = spool.into_source().map_err(|error| failed(&error.to_string()))?;
            let collected = Collected { source, kind: Kind::Part, is_file: false, duration: None, meta: Some(meta) };
            element.imp().send_written(collected, cancellable).map_err(|error| failed(&error))
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for ObjectStream {
        const NAME: &'static str = "GstFluteObjectStream";
        type Type = super::ObjectStream;
        type ParentType = gio::OutputStream;
    }

    impl ObjectImpl for ObjectStream {}

    impl OutputStreamImpl for ObjectStream {
        fn write(&self, bytes: &[u8], _cancellable: Option<&gio::Cancellable>) -> Result<usize, glib::Error> {
            match &mut *self.writing.lock().unwrap() {
                Some(writing) => match writing.spool.append(bytes) {
                    Ok(()) => Ok(bytes.len()),
                    Err(error) => Err(glib::Error::new(gio::IOErrorEnum::Failed, &error.to_string())),
                },
                None => Err(glib::Error::new(gio::IOErrorEnum::Closed, "the object was complete when it was flushed")),
            }
        }

        fn flush(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            let is_empty = self.writing.lock().unwrap().as_ref().is_none_or(|writing| writing.spool.len() == 0);
            if is_empty { Ok(()) } else { self.complete(cancellable) }
        }

        fn close(&self, cancellable: Option<&gio::Cancellable>) -> Result<(), glib::Error> {
            self.flush(cancellable)?;
            drop(mem::take(&mut *self.writing.lock().unwrap()));
            Ok(())
        }
    }
}
