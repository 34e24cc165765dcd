// SPDX-License-Identifier: MPL-2.0

//! The module `_flute`, from which the package `flute` takes its classes. The names that programs use are those of
//! `flute/*.py`; `flute/_flute.pyi` has the types.
//!
//! # Locks and the GIL
//!
//! Packets are made and decoded without the GIL. A session is behind a lock of its own, which is taken without the GIL
//! where it may have to be waited for, and under which Python code never runs: callbacks are called when it is free again.

mod byte_input;
mod callbacks;
mod errors;
mod lct_header;
mod listener;
mod oti;
mod packets;
mod receiver;
mod receiver_config;
mod receiver_event;
mod reception;
mod record;
mod send_socket;
mod sender;
mod sender_config;
mod sender_event;
mod sender_object;
mod statistics;
mod waiting;
mod writer;

use pyo3::prelude::*;

/// FLUTE (RFC 6726, RFC 3926) sender and receiver.
#[pymodule]
mod _flute {
    #[pymodule_export]
    use super::lct_header::LctHeader;
    #[pymodule_export]
    use super::listener::EventListener;
    #[pymodule_export]
    use super::oti::Oti;
    #[pymodule_export]
    use super::packets::Batch;
    #[pymodule_export]
    use super::receiver::{MultiReceiver, Receiver, UdpEndpoint};
    #[pymodule_export]
    use super::receiver_config::ReceiverConfig;
    #[pymodule_export]
    use super::receiver_event::{
        FdtRead, FdtUnusable, KernelDropped, LimitReached, LostObject, NotWrittenObject, ObjectDescription,
        ObjectProgress, ObjectStarted, ReceivedObject, SessionClosed, SessionOpened, WithdrawnObject,
    };
    #[pymodule_export]
    use super::send_socket::SendSocket;
    #[pymodule_export]
    use super::sender::Sender;
    #[pymodule_export]
    use super::sender_config::SenderConfig;
    #[pymodule_export]
    use super::sender_event::{
        FdtPublished, ObjectFailed, TransferEnded, TransferProgress, TransferStarted, TransferWithdrawn,
    };
    #[pymodule_export]
    use super::statistics::{ReceiverStatistics, SenderStatistics, SessionStatistics};
    #[pymodule_export]
    use super::writer::ObjectWriterBuilder;
}
