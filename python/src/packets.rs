// SPDX-License-Identifier: MPL-2.0

//! Many packets in one call.

use flute_proto::sender::Batch as ProtoBatch;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyIterator, PyList};

use crate::byte_input::ByteInput;

/// Packets one after the other in one run of bytes, all of one size but the last, which may be shorter. As a sequence it has
/// each as `bytes`; what sends or takes many at a time takes it as it is.
///
/// >>> from flute import sender
/// >>> session = sender.Sender(1, sender.Oti(), sender.Config())
/// >>> toi = session.add_object_from_buffer(bytes(10_000), "video/mp4", "1.m4s", md5=False)
/// >>> while batch := session.read_batch():
/// ...     assert b"".join(batch) == batch.data
/// ...     assert len(batch[0]) == batch.packet_size
#[pyclass(module = "flute.sender", frozen)]
#[derive(Debug)]
pub(crate) struct Batch {
    data: Py<PyBytes>,
    length: usize,
    packet_size: usize,
}

impl Batch {
    /// The packets of a batch from the one with this number on.
    pub(crate) fn of(py: Python<'_>, batch: &ProtoBatch, first: usize) -> Self {
        let packet_size = batch.packet_size().max(1);
        let data = batch.as_bytes().get(first.saturating_mul(packet_size)..).unwrap_or_default();
        Self { data: PyBytes::new(py, data).unbind(), length: data.len(), packet_size }
    }

    fn packets<'a>(&'a self, py: Python<'a>) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.data.as_bytes(py).chunks(self.packet_size)
    }
}

#[pymethods]
impl Batch {
    /// All packets as they lie.
    #[getter]
    fn data(&self, py: Python<'_>) -> Py<PyBytes> {
        self.data.clone_ref(py)
    }

    /// Bytes of each packet but the last, which may be shorter.
    #[getter]
    fn packet_size(&self) -> usize {
        self.packet_size
    }

    fn __len__(&self) -> usize {
        self.length.div_ceil(self.packet_size)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Bound<'py, PyBytes>> {
        let from_end = self.__len__().checked_add_signed(index).filter(|_| index < 0);
        let number = from_end.or_else(|| usize::try_from(index).ok());
        let packet = number.and_then(|number| self.packets(py).nth(number));
        let none = || PyIndexError::new_err(format!("there is no packet {index} among {}", self.__len__()));
        packet.map(|packet| PyBytes::new(py, packet)).ok_or_else(none)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.packets(py).map(|packet| PyBytes::new(py, packet)))?.try_iter()
    }
}

/// Packets that a program hands over.
#[derive(Debug)]
pub(crate) enum Packets<'a> {
    Single(&'a [u8]),
    Several(Vec<ByteInput>),
    /// Of a batch.
    Run(PyBackedBytes, usize),
}

impl Packets<'_> {
    /// None at all.
    pub(crate) const NONE: Self = Self::Several(Vec::new());

    /// Hands out one by one.
    pub(crate) fn try_for_each<E>(&self, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Single(packet) => take(packet),
            Self::Several(packets) => packets.iter().try_for_each(|packet| take(packet)),
            Self::Run(data, packet_size) => data.chunks(*packet_size).try_for_each(take),
        }
    }
}

impl FromPyObject<'_, '_> for Packets<'static> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let Ok(batch) = object.cast::<Batch>() else { return Ok(Self::Several(object.extract()?)) };
        let batch = batch.get();
        Ok(Self::Run(batch.data.bind(object.py()).clone().into(), batch.packet_size))
    }
}
