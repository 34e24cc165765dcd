// SPDX-License-Identifier: MPL-2.0

//! What programs say of an object that is to be sent.

use std::time::Duration;

use flute_proto::Time;
use flute_proto::sender::{Carousel, Deadline, Interval, Object};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::config_error;
use crate::sender_config::toi;

/// The keyword arguments of `add_file` and `add_object_from_buffer`: `flute.options.ObjectOptions`.
#[derive(Debug)]
pub(crate) struct ObjectOptions {
    priority: u32,
    carousel: Carousel,
    /// Seconds from now.
    start: Option<Duration>,
    deadline: Option<Deadline>,
    md5: bool,
    etag: Option<String>,
    groups: Vec<String>,
    toi: Option<u128>,
    /// An object of the same Content-Location gives way.
    pub(crate) replace: bool,
    /// Who is told of this object.
    pub(crate) on_event: Option<Py<PyAny>>,
}

impl ObjectOptions {
    /// What the arguments say, and what is usual where they say nothing.
    pub(crate) fn new(arguments: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut options = Self {
            priority: 0,
            carousel: Carousel::default(),
            start: None,
            deadline: None,
            md5: true,
            etag: None,
            groups: Vec::new(),
            toi: None,
            replace: false,
            on_event: None,
        };
        for (name, value) in arguments.into_iter().flatten() {
            options.set(name.extract()?, &value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match name {
            "priority" => self.priority = value.extract()?,
            "transfers" => self.carousel.transfers = value.extract()?,
            "delay" => self.carousel.interval = Interval::Delay(seconds(value)?),
            "interval" => self.carousel.interval = Interval::Start(seconds(value)?),
            "start" => self.start = Some(seconds(value)?),
            "deadline" => self.deadline = Some(Deadline::Within(seconds(value)?)),
            "md5" => self.md5 = value.extract()?,
            "etag" => self.etag = value.extract()?,
            "groups" => self.groups = value.extract()?,
            "toi" => self.toi = value.extract()?,
            "replace" => self.replace = value.extract()?,
            "on_event" => self.on_event = value.extract()?,
            name => {
                return Err(PyTypeError::new_err(format!(
                    "there is no keyword argument {name:?}: flute.options.ObjectOptions has those that there are"
                )));
            }
        }
        Ok(())
    }

    /// Says the same of an object.
    pub(crate) fn apply(self, object: &mut Object, now: Time) -> PyResult<()> {
        object.priority = self.priority;
        object.carousel = self.carousel;
        object.start = self.start.map(|start| now + start);
        object.deadline = self.deadline;
        object.md5 = self.md5;
        object.etag = self.etag;
        object.groups = self.groups;
        object.toi = self.toi.map(toi).transpose()?;
        Ok(())
    }
}

/// A time in seconds.
pub(crate) fn seconds(value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    duration(value.extract()?)
}

/// A time of so many seconds.
pub(crate) fn duration(seconds: f64) -> PyResult<Duration> {
    let refused = |_| config_error(format_args!("{seconds} is no time in seconds: use 0 or more"));
    Duration::try_from_secs_f64(seconds).map_err(refused)
}
