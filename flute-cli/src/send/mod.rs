// SPDX-License-Identifier: MPL-2.0

//! `flute send`: folders and files as the objects of one session.

mod arguments;
mod input;
mod session;
mod tally;

use anyhow::Context;
use flute_net::{Clock, SendSocket};
use flute_proto::sender::Sender;
use serde_json::json;

pub(crate) use arguments::SendArguments;
use input::Input;
use session::SendSession;

use crate::Outcome;
use crate::interrupt::Interrupt;
use crate::report::Report;

/// Sends until everything was sent, or for ever if files are watched or repeated, or until the user has enough.
pub(crate) fn run(arguments: &SendArguments, report: &Report, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    let clock = Clock::start();
    let config = arguments.sender_config()?;
    let tsi = config.tsi;
    let sender = Sender::new(config, clock.now()).context("these options do not go together")?;
    let input = Input::open(arguments)?;
    let send_config = arguments.send_config()?;
    let socket = SendSocket::open(&send_config).with_context(|| format!("sending to {}", arguments.destination()))?;
    if let Some(path) = arguments.sdp() {
        let source = socket.local_address().map(|address| address.ip());
        let description = arguments.description(tsi, source, socket.destination(), clock.now());
        std::fs::write(path, description.to_string()).with_context(|| format!("--sdp {}", path.display()))?;
    }
    report.event(&json!({
        "event": "session-opened",
        "destination": socket.destination().to_string(),
        "tsi": tsi.get(),
    }));
    tracing::info!("sending to {} as TSI {tsi}", socket.destination());
    SendSession::new(sender, socket, clock, arguments.objects(), report).run(input, interrupt)
}
