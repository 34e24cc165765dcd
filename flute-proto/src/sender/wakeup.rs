// SPDX-License-Identifier: MPL-2.0

//! How a source tells that it has new bytes.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use super::schedule::ObjectKey;
use super::source::Source;

/// Objects whose sources have told of new bytes, from whatever thread.
#[derive(Debug, Default)]
pub(super) struct Wakeups(Arc<Mutex<Vec<ObjectKey>>>);

impl Wakeups {
    /// One of the objects whose sources have told of new bytes.
    pub(super) fn pop(&self) -> Option<ObjectKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// The wakeup of one object.
#[derive(Debug, Default)]
pub(super) struct Wakeup {
    waker: Option<Waker>,
    /// The source was asked to tell of new bytes, and has not done so yet.
    is_awaited: bool,
}

/// What comes of asking a source to tell of new bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// The source tells of new bytes from now on. Some may have come before.
    Begun,
    /// The source had been asked before, and has not told of new bytes.
    Running,
    /// The source does not do that.
    Unsupported,
}

impl Wakeup {
    /// Asks the source of the object `key` to tell of new bytes.
    pub(super) fn watch(&mut self, source: &dyn Source, key: ObjectKey, wakeups: &Wakeups) -> Watch {
        if self.is_awaited {
            return Watch::Running;
        }
        let waker = self.waker.get_or_insert_with(|| {
            let wakeups = Arc::clone(&wakeups.0);
            Arc::new(ObjectWaker { key, wakeups }).into()
        });
        self.is_awaited = source.wake_on_growth(waker);
        if self.is_awaited { Watch::Begun } else { Watch::Unsupported }
    }

    /// The source has told of new bytes.
    pub(super) fn came(&mut self) {
        self.is_awaited = false;
    }
}

struct ObjectWaker {
    key: ObjectKey,
    wakeups: Arc<Mutex<Vec<ObjectKey>>>,
}

impl Wake for ObjectWaker {
    fn wake(self: Arc<Self>) {
        self.wakeups.lock().unwrap_or_else(PoisonError::into_inner).push(self.key);
    }
}
