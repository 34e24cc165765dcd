// SPDX-License-Identifier: MPL-2.0

//! The services of a gateway, which come, move and go with the configurations that name them.

use std::sync::{Arc, RwLock};

use anyhow::bail;
use tokio::sync::Semaphore;

use super::GatewayArguments;
use super::service::{Plan, Service};

/// Services of a gateway.
const MAX_SERVICES: usize = 256;

/// A service, and which configuration it is of, if it is of one.
#[derive(Clone, Debug)]
struct Entry {
    owner: Option<String>,
    service: Arc<Service>,
}

/// All services.
#[derive(Debug)]
pub(super) struct Services {
    entries: RwLock<Vec<Entry>>,
    /// What the requests of all services share that wait.
    waiting: Arc<Semaphore>,
}

impl Services {
    pub(super) fn new(max_waiting: usize) -> Self {
        Self { entries: RwLock::default(), waiting: Arc::new(Semaphore::new(max_waiting)) }
    }

    /// Those that there are.
    pub(super) fn all(&self) -> Vec<Arc<Service>> {
        self.entries.read().unwrap().iter().map(|entry| entry.service.clone()).collect()
    }

    /// The service of this name.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Service>> {
        self.all().into_iter().find(|service| service.name() == name)
    }

    /// The service, where there is but one.
    pub(super) fn only(&self) -> Option<Arc<Service>> {
        match self.entries.read().unwrap().as_slice() {
            [only] => Some(only.service.clone()),
            _ => None,
        }
    }

    /// Starts a service, which is of this configuration.
    pub(super) fn start(&self, owner: Option<&str>, plan: Plan, arguments: &GatewayArguments) -> anyhow::Result<()> {
        if self.named(&plan.name).is_some() {
            bail!("two services have the name {0}: give one of them another, as in news={0}", plan.name);
        }
        if self.all().len() >= MAX_SERVICES {
            bail!("there are {MAX_SERVICES} services already");
        }
        let service = Arc::new(Service::start(plan, arguments, self.waiting.clone())?);
        self.entries.write().unwrap().push(Entry { owner: owner.map(str::to_owned), service });
        Ok(())
    }

    /// Has just those services of a configuration: new ones are started, those that have moved are followed, and those
    /// that it no longer names end. What could not be done is told.
    pub(super) fn follow(
        &self,
        owner: &str,
        plans: Vec<Plan>,
        arguments: &GatewayArguments,
        mut tell: impl FnMut(anyhow::Error),
    ) {
        let own = |entry: &Entry| entry.owner.as_deref() == Some(owner);
        let mut new = Vec::new();
        let present: Vec<Entry> = self.entries.read().unwrap().iter().filter(|entry| own(entry)).cloned().collect();
        let mut kept = Vec::new();
        for plan in plans {
            let known = present.iter().find(|entry| entry.service.name() == plan.name);
            match known.map(|entry| entry.service.follow(&plan, arguments)) {
                Some(Ok(true)) => kept.push(plan.name),
                Some(Err(error)) => {
                    tell(error);
                    kept.push(plan.name);
                }
                Some(Ok(false)) | None => new.push(plan),
            }
        }
        let is_gone = |entry: &Entry| own(entry) && !kept.contains(&entry.service.name());
        for entry in present.iter().filter(|entry| is_gone(entry)) {
            entry.service.end();
        }
        self.entries.write().unwrap().retain(|entry| !is_gone(entry));
        for plan in new {
            self.start(Some(owner), plan, arguments).unwrap_or_else(&mut tell);
        }
    }
}
