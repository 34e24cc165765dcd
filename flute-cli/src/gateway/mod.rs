// SPDX-License-Identifier: MPL-2.0

//! `flute gateway`: what is multicast, for every player that speaks HTTP.

mod arguments;
mod figures;
mod handler;
mod hosts;
mod metrics;
mod page;
mod presentations;
mod recent_problems;
mod service;
mod source;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use flute_http::Server;
use serde_json::json;
use tokio::sync::{Semaphore, watch};

pub(crate) use arguments::GatewayArguments;
use figures::Snapshot;
use handler::Gateway;
use page::Page;
use service::Service;

use crate::Outcome;
use crate::interrupt::Interrupt;
use crate::report::Report;

/// How often the program looks whether the user wants the end.
const LOOK_AROUND: Duration = Duration::from_millis(100);

/// Looks between two sets of figures.
const LOOKS_PER_FIGURES: u32 = 10;

/// Serves until the user has enough.
pub(crate) fn run(arguments: &GatewayArguments, report: &Report, interrupt: &Interrupt) -> anyhow::Result<Outcome> {
    let page = Page::load(arguments.player_directory())?;
    let listen = arguments.listen();
    let listener =
        TcpListener::bind(listen).with_context(|| format!("--listen {listen}: is another program listening there?"))?;
    let waiting = Arc::new(Semaphore::new(arguments.max_waiting()));
    let services = arguments
        .sources()?
        .into_iter()
        .map(|source| Service::start(source, arguments, waiting.clone()).map(Arc::new))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (publish, published) = watch::channel(Snapshot::take(&services));
    let gateway = Gateway::new(services.clone(), arguments.allowed_hosts(), page, published);
    let server =
        Server::start(listener, arguments.max_connections(), Arc::new(gateway)).context("starting the server")?;
    let url = format!("http://{}/", server.address());
    report.event(&json!({ "event": "serving", "url": url }));
    let names: Vec<&str> = services.iter().map(|service| service.name()).collect();
    report.note(format_args!("serving {} at {url}", names.join(", ")));
    let mut looks = 0;
    while !interrupt.is_requested() {
        thread::sleep(LOOK_AROUND);
        looks += 1;
        if looks % LOOKS_PER_FIGURES == 0 {
            publish.send_replace(Snapshot::take(&services));
        }
        if let Some(error) = services.iter().find_map(|service| service.failure()) {
            anyhow::bail!("{error}");
        }
    }
    Ok(Outcome::Complete)
}
