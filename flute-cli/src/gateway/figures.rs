// SPDX-License-Identifier: MPL-2.0

//! What the services are doing, once a second: the same figures for the page, for scripts and for Prometheus.

use std::sync::Arc;

use flute_net::reception::{Rates, Statistics};
use flute_proto::receiver::{SessionId, SessionStats};
use serde_json::{Value, json};

use super::presentations::Presentation;
use super::service::Service;

/// Sessions of a service that are shown.
const MAX_SESSIONS: usize = 64;

/// The figures of all services at one time.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) services: Arc<[ServiceFigures]>,
}

/// The figures of one service.
#[derive(Clone, Debug)]
pub(super) struct ServiceFigures {
    pub(super) name: String,
    pub(super) address: String,
    /// Bits per second at present.
    pub(super) bitrate: f64,
    /// Counters of all its sessions, those that have ended included.
    pub(super) totals: SessionStats,
    /// Bytes of all datagrams.
    pub(super) bytes: u64,
    pub(super) malformed: u64,
    pub(super) kernel_dropped: u32,
    pub(super) evicted: u64,
    /// Objects that were lost and fetched from the origin, and the bytes of that.
    pub(super) repaired_objects: u64,
    pub(super) repair_bytes: u64,
    presentations: Vec<Presentation>,
    sessions: Vec<(SessionId, SessionStats, Rates)>,
    problems: Value,
}

/// Parts of the source symbols that were lost, before and after repair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Loss {
    pub(super) before_repair: f64,
    pub(super) after_repair: f64,
}

impl Loss {
    /// Of source symbols that arrived, were rebuilt, or are lost for good.
    pub(super) fn of(stats: &SessionStats) -> Self {
        let all = stats.source_symbols + stats.recovered + stats.lost_symbols;
        let part = |symbols: u64| if all == 0 { 0.0 } else { symbols as f64 / all as f64 };
        Self { before_repair: part(stats.recovered + stats.lost_symbols), after_repair: part(stats.lost_symbols) }
    }
}

impl Snapshot {
    /// The figures of these services now.
    pub(super) fn take(services: &[Arc<Service>]) -> Self {
        Self { services: services.iter().map(|service| ServiceFigures::of(service)).collect() }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "services": self.services.iter().map(ServiceFigures::to_json).collect::<Value>() })
    }
}

impl ServiceFigures {
    fn of(service: &Service) -> Self {
        let (repaired_objects, repair_bytes) = service.repaired();
        let Statistics { receiver, rates, kernel_dropped, .. } = service.stats();
        Self {
            name: service.name(),
            address: service.address(),
            // The sum of none is a negative zero.
            bitrate: rates.iter().map(|rates| rates.bits_per_second).sum::<f64>().abs(),
            totals: receiver.totals,
            bytes: receiver.bytes,
            malformed: receiver.malformed,
            kernel_dropped,
            evicted: service.evicted(),
            repaired_objects,
            repair_bytes,
            presentations: Presentation::all_of(&service.name(), service.objects().objects()),
            sessions: receiver
                .sessions
                .into_iter()
                .zip(rates)
                .take(MAX_SESSIONS)
                .map(|((id, stats), rates)| (id, stats, rates))
                .collect(),
            problems: service.problems().to_json(),
        }
    }

    fn to_json(&self) -> Value {
        let sessions: Value = self
            .sessions
            .iter()
            .map(|(id, stats, rates)| {
                // What a session does is shown as it is at present; what a service has done, since the start.
                let loss = Loss {
                    before_repair: rates.loss_percent / 100.0,
                    after_repair: rates.residual_loss_percent / 100.0,
                };
                let mut session = counters(stats, rates.bits_per_second, loss);
                session["tsi"] = id.tsi.get().into();
                session["source"] = id.source.map(|source| source.to_string()).into();
                session
            })
            .collect();
        let mut service = counters(&self.totals, self.bitrate, Loss::of(&self.totals));
        service["name"] = self.name.as_str().into();
        service["address"] = self.address.as_str().into();
        service["malformed-datagrams"] = self.malformed.into();
        service["dropped-by-kernel"] = self.kernel_dropped.into();
        service["objects-evicted"] = self.evicted.into();
        service["objects-repaired"] = self.repaired_objects.into();
        service["repair-bytes"] = self.repair_bytes.into();
        service["presentations"] = self.presentations.iter().map(Presentation::to_json).collect();
        service["sessions"] = sessions;
        service["problems"] = self.problems.clone();
        service
    }
}

fn counters(stats: &SessionStats, bitrate: f64, loss: Loss) -> Value {
    json!({
        "bitrate": bitrate.round(),
        "packets": stats.packets,
        "loss-before-repair": loss.before_repair,
        "loss-after-repair": loss.after_repair,
        "symbols-repaired": stats.recovered,
        "symbols-lost": stats.lost_symbols,
        "objects-received": stats.completed,
        "objects-lost": stats.failed,
        "objects-in-flight": stats.active,
        "fdt-instances": stats.fdt_instances,
        "packets-dropped": stats.dropped,
        "memory": stats.memory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_parts_of_the_source_symbols() {
        let mut stats = SessionStats::default();
        assert_eq!(Loss::of(&stats), Loss { before_repair: 0.0, after_repair: 0.0 });
        (stats.source_symbols, stats.recovered, stats.lost_symbols) = (90, 8, 2);
        assert_eq!(Loss::of(&stats), Loss { before_repair: 0.1, after_repair: 0.02 });
    }
}
