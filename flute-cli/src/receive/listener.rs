// SPDX-License-Identifier: MPL-2.0

//! What the thread that receives hands on to the one that writes files, so that no disk keeps it from the socket.

use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use flute_net::reception::Listener;
use flute_proto::receiver::Event;

/// What is handed on.
#[derive(Debug)]
pub(super) enum Message {
    Event(Event),
    /// The kernel has dropped so many datagrams by now.
    KernelDropped(u32),
    /// There will be no more packets.
    Failed(io::Error),
}

/// Hands everything on, and waits where there is no room.
#[derive(Clone, Debug)]
pub(super) struct ToSession {
    messages: SyncSender<Message>,
    has_ended: bool,
}

impl ToSession {
    pub(super) fn new(messages: SyncSender<Message>) -> Self {
        Self { messages, has_ended: false }
    }

    fn tell(&mut self, message: Message) {
        self.has_ended |= self.messages.send(message).is_err();
    }
}

impl Listener for ToSession {
    fn handle_event(&mut self, event: Event) {
        self.tell(Message::Event(event));
    }

    fn after_read(&mut self, _datagrams: usize) -> ControlFlow<(), Option<Duration>> {
        if self.has_ended { ControlFlow::Break(()) } else { ControlFlow::Continue(None) }
    }

    fn handle_dropped(&mut self, datagrams: u32) {
        self.tell(Message::KernelDropped(datagrams));
    }

    fn handle_failure(&mut self, error: io::Error) {
        self.tell(Message::Failed(error));
    }
}
