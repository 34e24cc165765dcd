// SPDX-License-Identifier: MPL-2.0

//! The figures as Prometheus reads them (OpenMetrics 1.0), with the name of the service as the only label.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::figures::{Loss, ServiceFigures, Snapshot};

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The figures as text.
pub(super) fn text(snapshot: Snapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(FigureCollector(snapshot)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct FigureCollector(Snapshot);

/// A counter: its name, what it counts, its unit, and how it is read.
type CounterRow = (&'static str, &'static str, Option<Unit>, fn(&ServiceFigures) -> u64);

/// A gauge, likewise.
type GaugeRow = (&'static str, &'static str, Option<Unit>, fn(&ServiceFigures) -> f64);

const COUNTERS: &[CounterRow] = &[
    ("flute_received", "Bytes of datagrams that came", Some(Unit::Bytes), |service| service.bytes),
    ("flute_received_packets", "Packets of sessions that came", None, |service| service.totals.packets),
    ("flute_malformed_datagrams", "Datagrams that are not ALC", None, |service| service.malformed),
    ("flute_kernel_dropped_datagrams", "Datagrams that the kernel dropped", None, |service| {
        service.kernel_dropped.into()
    }),
    ("flute_dropped_packets", "Packets that a bound of this receiver cost", None, |service| service.totals.dropped),
    ("flute_source_symbols", "Source symbols that came", None, |service| service.totals.source_symbols),
    ("flute_repair_symbols", "Repair symbols that came", None, |service| service.totals.repair_symbols),
    ("flute_repaired_symbols", "Source symbols that were rebuilt", None, |service| service.totals.recovered),
    ("flute_lost_symbols", "Source symbols that are lost for good", None, |service| service.totals.lost_symbols),
    ("flute_fdt_instances", "FDT Instances that were read", None, |service| service.totals.fdt_instances),
    ("flute_received_objects", "Objects that are complete", None, |service| service.totals.completed),
    ("flute_lost_objects", "Objects that were given up", None, |service| service.totals.failed),
    ("flute_repaired_objects", "Objects that were lost and fetched from the origin", None, |service| {
        service.repaired_objects
    }),
    ("flute_repair", "Bytes that were fetched from the origin", Some(Unit::Bytes), |service| service.repair_bytes),
    ("flute_evicted_objects", "Objects that made room for others", None, |service| service.evicted),
];

const GAUGES: &[GaugeRow] = &[
    ("flute_objects_in_flight", "Objects that are being received", None, |service| service.totals.active as f64),
    ("flute_memory", "Memory of incomplete objects", Some(Unit::Bytes), |service| service.totals.memory as f64),
    ("flute_loss_before_repair", "Part of the source symbols that did not come", Some(Unit::Ratios), |service| {
        Loss::of(&service.totals).before_repair
    }),
    ("flute_loss_after_repair", "Part of the source symbols that is lost for good", Some(Unit::Ratios), |service| {
        Loss::of(&service.totals).after_repair
    }),
];

impl Collector for FigureCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, help, unit, value) in COUNTERS {
            let metric_type = ConstCounter::new(0u64).metric_type();
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), metric_type)?;
            for service in self.0.services.iter() {
                let labels = [("service", service.name.as_str())];
                ConstCounter::new(value(service)).encode(family.encode_family(&labels)?)?;
            }
        }
        for (name, help, unit, value) in GAUGES {
            let metric_type = ConstGauge::new(0f64).metric_type();
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), metric_type)?;
            for service in self.0.services.iter() {
                let labels = [("service", service.name.as_str())];
                ConstGauge::new(value(service)).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
