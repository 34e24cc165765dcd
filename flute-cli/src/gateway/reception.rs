// SPDX-License-Identifier: MPL-2.0

//! What receives a service: a receiver, and the threads that feed it.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use flute_net::reception::{ReceiverThread, SharedReceiver};
use flute_net::{ReceiveConfig, ReceiveSocket};
use flute_proto::receiver::Receiver;

use super::GatewayArguments;
use super::replay::Replay;
use super::service::ServiceListener;
use super::source::Input;
use crate::network::Endpoint;

/// What wakes the threads that feed the receiver of a service at present.
#[derive(Default)]
pub(super) struct Nudges(Mutex<Vec<Box<dyn Fn() + Send + Sync>>>);

impl std::fmt::Debug for Nudges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nudges")
    }
}

impl Nudges {
    pub(super) fn nudge(&self) {
        self.0.lock().unwrap().iter().for_each(|nudge| nudge());
    }
}

/// A receiver that is being fed until this is dropped.
#[derive(Debug)]
pub(super) struct Reception {
    receiver: Arc<SharedReceiver>,
    _threads: Vec<ReceiverThread>,
    _replay: Option<Replay>,
}

impl Reception {
    /// Begins to receive. `listener` makes one for each thread.
    pub(super) fn start(
        input: &Input,
        arguments: &GatewayArguments,
        receiver: Receiver,
        nudges: &Nudges,
        listener: impl Fn(Arc<SharedReceiver>, usize) -> ServiceListener,
    ) -> anyhow::Result<Self> {
        let receiver = Arc::new(SharedReceiver::of(receiver));
        let mut wakers: Vec<Box<dyn Fn() + Send + Sync>> = Vec::new();
        let (mut threads, mut replay) = (Vec::new(), None);
        match input {
            Input::Network(endpoints) => {
                for (number, endpoint) in endpoints.iter().enumerate() {
                    let socket = open(endpoint, arguments)?;
                    let waker = socket.waker();
                    wakers.push(Box::new(move || waker.nudge()));
                    let listener = listener(receiver.clone(), number);
                    let thread = ReceiverThread::start(socket, receiver.clone(), listener);
                    threads.push(thread.context("starting a thread")?);
                }
            }
            Input::Capture(path) => {
                let listener = listener(receiver.clone(), 0);
                let replaying = Replay::start(path.clone(), arguments.is_paced(), receiver.clone(), listener);
                let replaying = replaying.context("starting a thread")?;
                wakers.push(Box::new(replaying.nudge()));
                replay = Some(replaying);
            }
        }
        *nudges.0.lock().unwrap() = wakers;
        // A request may have come before.
        nudges.nudge();
        Ok(Self { receiver, _threads: threads, _replay: replay })
    }

    pub(super) fn receiver(&self) -> &Arc<SharedReceiver> {
        &self.receiver
    }
}

fn open(endpoint: &Endpoint, arguments: &GatewayArguments) -> anyhow::Result<ReceiveSocket> {
    let mut network = ReceiveConfig::new(endpoint.address.clone());
    network.interfaces = match arguments.interfaces() {
        [] => endpoint.interface.iter().cloned().collect(),
        interfaces => interfaces.to_vec(),
    };
    network.source = endpoint.source;
    network.buffer_size = arguments.buffer_size();
    ReceiveSocket::open(&network).with_context(|| format!("receiving from {}", network.address))
}
