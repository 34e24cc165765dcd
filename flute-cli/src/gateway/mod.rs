// SPDX-License-Identifier: MPL-2.0

//! `flute gateway`: what is multicast, for every player that speaks HTTP.

mod arguments;
mod configuration;
mod figures;
mod handler;
mod hosts;
mod metrics;
mod page;
mod presentations;
mod recent_problems;
mod reception;
mod replay;
mod service;
mod services;
mod source;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use flute_http::{Server, ServerLimits};
use serde_json::json;
use tokio::sync::watch;

pub(crate) use arguments::GatewayArguments;
use configuration::ConfigurationFile;
use figures::Snapshot;
use handler::Gateway;
use page::Page;
use service::Plan;
use services::Services;
use source::Served;

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
    let services = Arc::new(Services::new(arguments.max_waiting()));
    let mut files = Vec::new();
    for source in arguments.sources() {
        match source.look()? {
            Served::Service(name, input) => services.start(None, Plan { name, input, repair: None }, arguments)?,
            Served::Configuration(path) => {
                let (file, plans) = ConfigurationFile::open(path)?;
                for plan in plans {
                    services.start(Some(&file.owner()), plan, arguments)?;
                }
                files.push(file);
            }
        }
    }
    let (publish, published) = watch::channel(Snapshot::take(&services.all()));
    let gateway = Gateway::new(services.clone(), arguments.allowed_hosts(), page, published);
    let limits = ServerLimits::new(arguments.max_connections());
    let server = Server::start(listener, limits, Arc::new(gateway)).context("starting the server")?;
    let url = format!("http://{}/", server.address());
    report.event(&json!({ "event": "serving", "url": url }));
    let names: Vec<String> = services.all().iter().map(|service| service.name()).collect();
    report.note(format_args!("serving {} at {url}", names.join(", ")));
    let mut looks = 0;
    while !interrupt.is_requested() {
        thread::sleep(LOOK_AROUND);
        looks += 1;
        let all = services.all();
        if looks % LOOKS_PER_FIGURES == 0 {
            publish.send_replace(Snapshot::take(&all));
            for file in &mut files {
                if let Some(plans) = file.changes() {
                    follow(&services, &file.owner(), plans, arguments);
                }
            }
        }
        for service in &all {
            if let Some(document) = service.take_configuration() {
                let plans = configuration::plans(&document).context("reading a configuration that was received");
                follow(&services, &service.name(), plans, arguments);
            }
        }
        if let Some(error) = all.iter().find_map(|service| service.failure()) {
            anyhow::bail!("{error}");
        }
    }
    Ok(Outcome::Complete)
}

/// Has the services of a configuration that has changed. What is wrong with it changes nothing.
fn follow(services: &Services, owner: &str, plans: anyhow::Result<Vec<Plan>>, arguments: &GatewayArguments) {
    let tell = |error: anyhow::Error| tracing::warn!("{owner}: {error:#}");
    match plans {
        Ok(plans) => services.follow(owner, plans, arguments, tell),
        Err(error) => tell(error),
    }
}
