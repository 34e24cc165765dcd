// SPDX-License-Identifier: MPL-2.0

//! How a call ended, and the text of its error.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use flute_proto::sender::{ConfigError, ObjectError};

/// How a call ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FluteStatus {
    /// As it should.
    Ok = 0,
    /// An argument is a null pointer that must not be one, no UTF-8, or a number that does not exist.
    Argument = 1,
    /// The settings do not exist or do not go together.
    Config = 2,
    /// The object cannot be sent like this; the session goes on without it.
    Object = 3,
    /// A file cannot be read.
    File = 4,
    /// A mistake of this library. The handle can only be freed.
    Panic = 5,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0} must not be NULL")]
    Null(&'static str),
    #[error("{0} is no UTF-8")]
    Utf8(&'static str),
    #[error("{0} is {1}, which does not exist")]
    Number(&'static str, u64),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("{path}: {error}")]
    File { path: String, error: std::io::Error },
    #[error("the library has made a mistake (a panic): this handle can only be freed")]
    Panic,
}

impl Failure {
    fn status(&self) -> FluteStatus {
        match self {
            Self::Null(_) | Self::Utf8(_) | Self::Number(..) => FluteStatus::Argument,
            Self::Config(_) => FluteStatus::Config,
            Self::Object(_) => FluteStatus::Object,
            Self::File { .. } => FluteStatus::File,
            Self::Panic => FluteStatus::Panic,
        }
    }
}

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// The text of the last error of this thread: what was wrong, and what to do. It is there until the next error of the
/// thread, and empty before the first.
#[unsafe(no_mangle)]
pub extern "C" fn flute_last_error() -> *const c_char {
    // Only the end of the thread can be in the way.
    LAST_ERROR.try_with(|text| text.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// Does what a function is for. A panic ends here, since it must not go on into C.
pub(crate) fn call(work: impl FnOnce() -> Result<(), Failure>) -> FluteStatus {
    // What may be left half done is behind a handle that is not used any more: see `Handle`.
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Panic));
    let Err(failure) = result else { return FluteStatus::Ok };
    // No text of this library has a NUL in it but what it quotes may.
    let text = CString::new(failure.to_string().replace('\0', " ")).unwrap_or_default();
    let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = text);
    failure.status()
}

/// What is behind a pointer that C holds. It is taken out while it is used, so that it is gone after a panic.
#[derive(Debug)]
pub(crate) struct Handle<T>(Option<T>);

impl<T> Handle<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn with<R>(&mut self, work: impl FnOnce(&mut T) -> Result<R, Failure>) -> Result<R, Failure> {
        let mut value = self.0.take().ok_or(Failure::Panic)?;
        let result = work(&mut value);
        self.0 = Some(value);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn last_error() -> String {
        // SAFETY: the text is there until the next error of this thread.
        unsafe { CStr::from_ptr(flute_last_error()) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_panic_ends_at_the_boundary_and_with_it_the_handle() {
        let mut handle = Handle::new(1);
        let status = call(|| handle.with(|_| -> Result<(), Failure> { panic!("a mistake") }));
        assert_eq!(status, FluteStatus::Panic);
        assert!(last_error().contains("can only be freed"));
        assert_eq!(call(|| handle.with(|_| Ok(()))), FluteStatus::Panic);
    }

    #[test]
    fn errors_have_a_status_and_a_text() {
        assert_eq!(last_error(), "");
        assert_eq!(call(|| Err(Failure::Null("sender"))), FluteStatus::Argument);
        assert_eq!(last_error(), "sender must not be NULL");
        assert_eq!(
            call(|| Err(Failure::File { path: "a\0b".into(), error: std::io::ErrorKind::NotFound.into() })),
            FluteStatus::File
        );
        assert_eq!(last_error(), "a b: entity not found");
        assert_eq!(call(|| Ok(())), FluteStatus::Ok);
    }
}
