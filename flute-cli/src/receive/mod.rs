// SPDX-License-Identifier: MPL-2.0

//! `flute receive`: the objects of sessions as files in a folder.

mod arguments;
mod channels;
mod listener;
mod session;
mod tally;

use std::sync::Arc;
use std::sync::mpsc;

use anyhow::Context;
use flute_folder::target::{FolderWriter, LocationPattern, TargetFolder};
use flute_net::ReceiveSocket;
use flute_net::reception::{ReceiverThread, SharedReceiver};
use serde_json::json;

pub(crate) use arguments::ReceiveArguments;
use listener::ToSession;
use session::ReceiveSession;

use crate::Outcome;
use crate::interrupt::Interrupt;
use crate::report::Report;

/// Events that may wait until files are written. The contents of objects in memory are among them.
const MAX_WAITING: usize = 64;

/// Receives until the sender, the user or the patience of the user ends it.
pub(crate) fn run(arguments: &ReceiveArguments, report: &Report, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    let into = arguments.into();
    let pattern = LocationPattern::new(into).with_context(|| format!("--into {into}"))?;
    let folder = pattern.folder().clone();
    let target = TargetFolder::open(&folder, arguments.fsync()).with_context(|| format!("--into {into}"))?;
    let writer = FolderWriter::new(target, pattern, arguments.url_mapping(), arguments.bounds());
    let source = arguments.source()?;
    let receiver = Arc::new(SharedReceiver::new(arguments.receiver_config(&source, folder)?));
    let (messages, inbox) = mpsc::sync_channel(MAX_WAITING);
    let listener = ToSession::new(messages);
    let mut threads = Vec::new();
    for channel in source.channels() {
        let network = arguments.receive_config(&source, &channel)?;
        let socket = ReceiveSocket::open(&network).with_context(|| format!("receiving from {}", network.address))?;
        report.event(&json!({ "event": "listening", "address": network.address.to_string() }));
        tracing::info!("listening to {}", network.address);
        let thread = ReceiverThread::start_channel(socket, channel.base, receiver.clone(), listener.clone());
        threads.push(thread.context("starting a thread")?);
    }
    // The session waits for the threads alone.
    drop(listener);
    ReceiveSession::new(receiver, writer, arguments.end(), report).run(threads, inbox, interrupt)
}
