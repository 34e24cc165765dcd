// SPDX-License-Identifier: MPL-2.0

//! `flute inspect`: what is on the wire, or in a capture of it.

mod findings;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use flute_net::{Clock, ReceiveConfig, ReceiveSocket};
use flute_proto::Time;
use flute_proto::lct::Tsi;
use flute_proto::profile::{Profile, UnknownProfile};
use flute_proto::receiver::{Destination, Endpoints, Filter, Receiver, ReceiverConfig};
use serde_json::json;

use findings::Findings;

use crate::Outcome;
use crate::capture;
use crate::interrupt::Interrupt;
use crate::network::Endpoint;
use crate::quantity;
use crate::report::Report;

/// How long the loop rests at most before it looks whether the user wants the end.
const LOOK_AROUND: Duration = Duration::from_millis(100);

/// Bytes of the kernel's receive buffer, as far as the system allows.
const BUFFER_SIZE: usize = 8 << 20;

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// A capture (pcap or pcapng), or what to listen to until ^C: a group and a port, or a flute:// URI
    #[arg(value_name = "FILE|ADDRESS:PORT")]
    source: String,
    /// Network interfaces on which the group is joined, by name or IPv4 address
    #[arg(long, visible_alias = "multicast-iface", value_name = "NAME", value_delimiter = ',')]
    iface: Vec<String>,
    /// Only sessions with this Transport Session Identifier
    #[arg(long, value_name = "NUMBER", value_delimiter = ',')]
    tsi: Vec<u64>,
    /// Of a capture, only datagrams to this UDP port
    #[arg(long, value_name = "NUMBER")]
    port: Option<u16>,
    /// The rules that sessions are to keep [default: RFC 6726 or RFC 3926, as the version of the session is]
    #[arg(long, value_parser = profile, value_name = "NAME")]
    profile: Option<Profile>,
    /// Listen for so long
    #[arg(long = "for", value_parser = quantity::duration, value_name = "TIME")]
    duration: Option<Duration>,
}

/// Reads or listens, and reports what there was. The exit status is 0 only if no object was lost and no rule was broken.
pub(crate) fn run(arguments: &InspectArguments, report: &Report, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    let tsis: Option<Vec<Tsi>> = arguments.tsi.iter().map(|number| Tsi::new(*number)).collect();
    let filter = Filter::default().tsis(tsis.context("--tsi: a TSI has at most 48 bits")?);
    let path = Path::new(&arguments.source);
    let inspection = Inspection::new(filter, arguments.profile);
    let findings = match path.is_file() {
        true => inspection.of_capture(path, arguments.port)?,
        false => {
            let source: Endpoint =
                arguments.source.parse().with_context(|| format!("{} is no file and no address", arguments.source))?;
            report.begin_spinner();
            report.set_message(format!("listening to {}; ^C ends it", source.address));
            let findings = inspection.of_network(source, arguments, report, interrupt)?;
            report.end_bar();
            findings
        }
    };
    report.event(&findings.to_json());
    report.result(|| findings.to_string());
    Ok(findings.outcome())
}

fn profile(name: &str) -> Result<Profile, UnknownProfile> {
    name.parse()
}

/// A receiver that keeps no content, and what is found out about what it gets.
struct Inspection {
    receiver: Receiver,
    findings: Findings,
}

impl Inspection {
    fn new(filter: Filter, profile: Option<Profile>) -> Self {
        let config = ReceiverConfig::default().filter(filter).fdt_documents(true);
        let receiver = Receiver::with_destinations(config, |_| Destination::nothing());
        Self { receiver, findings: Findings::new(profile) }
    }

    fn of_capture(mut self, path: &Path, port: Option<u16>) -> anyhow::Result<Findings> {
        let mut last = Time::default();
        let shown: PathBuf = path.to_owned();
        let facts = capture::read(path, |datagram| {
            if port.is_some_and(|port| datagram.destination.port() != port) {
                return ControlFlow::Continue(());
            }
            // Some captures have packets out of their order.
            last = last.max(datagram.time);
            let endpoints = Endpoints { source: Some(datagram.source), destination: Some(datagram.destination) };
            self.take(endpoints, datagram.payload, last);
            ControlFlow::Continue(())
        })
        .with_context(|| format!("reading {}", shown.display()))?;
        self.findings.note_capture(facts);
        Ok(self.finish(last))
    }

    fn of_network(
        mut self,
        source: Endpoint,
        arguments: &InspectArguments,
        report: &Report,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Findings> {
        let mut config = ReceiveConfig::new(source.address.clone());
        config.interfaces =
            if arguments.iface.is_empty() { source.interface.into_iter().collect() } else { arguments.iface.clone() };
        config.source = source.source;
        config.buffer_size = BUFFER_SIZE;
        let mut socket = ReceiveSocket::open(&config).with_context(|| format!("receiving from {}", config.address))?;
        report.event(&json!({ "event": "listening", "address": config.address.to_string() }));
        let (clock, started) = (Clock::start(), Instant::now());
        while !interrupt.is_requested() && arguments.duration.is_none_or(|duration| started.elapsed() < duration) {
            let now = clock.now();
            let datagrams = socket
                .read(|source, destination, datagram| {
                    self.take(Endpoints { source: Some(source), destination }, datagram, now);
                })
                .context("receiving failed")?;
            self.work(now);
            if datagrams == 0 {
                socket.wait(Some(LOOK_AROUND)).context("receiving failed")?;
            }
        }
        self.findings.note_dropped(socket.dropped_datagrams().unwrap_or(0));
        Ok(self.finish(clock.now()))
    }

    fn take(&mut self, endpoints: Endpoints, datagram: &[u8], now: Time) {
        self.findings.note_datagram(endpoints, datagram, now);
        self.receiver.push(endpoints, datagram, now);
        self.work(now);
    }

    /// Does what is due, and takes note of what happened.
    fn work(&mut self, now: Time) {
        while self.receiver.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.receiver.handle_timeout(now);
        }
        while let Some(event) = self.receiver.poll_event() {
            self.findings.note_event(event, now);
        }
    }

    fn finish(mut self, now: Time) -> Findings {
        self.receiver.finish(now);
        self.work(now);
        self.findings.note_stats(self.receiver.stats());
        self.findings
    }
}
