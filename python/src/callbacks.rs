// SPDX-License-Identifier: MPL-2.0

//! Functions of the program that are told what happens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use flute_proto::lct::Toi;

/// One function for everything, and one for each object that has its own.
#[derive(Debug, Default)]
pub(crate) struct Callbacks(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    general: Option<Py<PyAny>>,
    of_objects: HashMap<Toi, Py<PyAny>>,
}

impl Callbacks {
    pub(crate) fn new(general: Option<Py<PyAny>>) -> Self {
        Self(Mutex::new(Table { general, of_objects: HashMap::new() }))
    }

    fn with<R>(&self, ask: impl FnOnce(&mut Table) -> R) -> R {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has a function told what happens to an object.
    pub(crate) fn set(&self, toi: Toi, callback: Py<PyAny>) {
        let before = self.with(|table| table.of_objects.insert(toi, callback));
        // Its end may run Python code, so it comes after that of the lock.
        drop(before);
    }

    /// Forgets the function of an object, of which nothing will be told any more.
    pub(crate) fn forget(&self, toi: Toi) {
        let before = self.with(|table| table.of_objects.remove(&toi));
        drop(before);
    }

    /// Whether anybody wants to know.
    pub(crate) fn is_empty(&self) -> bool {
        self.with(|table| table.general.is_none() && table.of_objects.is_empty())
    }

    /// Tells what has happened, to the object of which is `toi`.
    pub(crate) fn call(&self, py: Python<'_>, toi: Option<Toi>, event: &Bound<'_, PyAny>) -> PyResult<()> {
        let listeners = self.with(|table| {
            let of_object = toi.and_then(|toi| table.of_objects.get(&toi));
            [of_object, table.general.as_ref()].map(|callback| callback.map(|callback| callback.clone_ref(py)))
        });
        listeners.into_iter().flatten().try_for_each(|callback| callback.call1(py, (event,)).map(drop))
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(table) = self.0.try_lock() else { return Ok(()) };
        table.of_objects.values().chain(&table.general).try_for_each(|callback| visit.call(callback))
    }

    /// For the garbage collector.
    pub(crate) fn clear(&self) {
        let before = self.with(std::mem::take);
        drop(before);
    }
}

/// Makes all calls, however many raise an exception, and raises the first of them.
pub(crate) fn call_all(calls: impl Iterator<Item = PyResult<()>>) -> PyResult<()> {
    let mut first = Ok(());
    for result in calls {
        first = first.and(result);
    }
    first
}
