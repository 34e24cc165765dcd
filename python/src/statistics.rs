// SPDX-License-Identifier: MPL-2.0

//! Counters, and what sessions do at present.

use flute_net::reception::{Rates, Statistics};
use flute_proto::receiver::{SessionId, SessionStats};
use flute_proto::sender::SenderStats;
use pyo3::prelude::*;

use crate::record::record;

record! {
    /// Counters of a sender.
    "flute.sender", SenderStatistics {
        /// Packets given out.
        packets: u64,
        /// Bytes of ALC packets given out.
        bytes: u64,
        /// Packets of FDT Instances among them.
        fdt_packets: u64,
        /// Packets of repair symbols among them.
        repair_packets: u64,
        /// FDT Instances published.
        fdt_instances: u64,
        /// Objects known at present.
        objects: u64,
        /// Transfers that ended.
        transfers: u64,
        /// Objects that failed.
        failed: u64,
    }
}

impl From<SenderStats> for SenderStatistics {
    fn from(stats: SenderStats) -> Self {
        Self {
            packets: stats.packets,
            bytes: stats.bytes,
            fdt_packets: stats.fdt_packets,
            repair_packets: stats.repair_packets,
            fdt_instances: stats.fdt_instances,
            objects: stats.objects,
            transfers: stats.transfers,
            failed: stats.failed,
        }
    }
}

record! {
    /// Counters of a session, or of all together, and what it does at present.
    "flute.receiver", SessionStatistics {
        /// Transport Session Identifier; None of all sessions together.
        tsi: Option<u64>,
        /// Address of the sender, where it is known.
        source: Option<String>,
        /// Datagrams.
        packets: u64,
        /// Their bytes.
        bytes: u64,
        /// Symbols that were there already.
        duplicates: u64,
        /// Symbols that have no place in their object, and FDT Instances that cannot be read.
        unusable: u64,
        /// Source symbols that arrived, each once.
        source_symbols: u64,
        /// Repair symbols that arrived, needed or not.
        repair_symbols: u64,
        /// Source symbols rebuilt from repair symbols.
        recovered: u64,
        /// Source symbols that were missing of objects when they were given up.
        lost_symbols: u64,
        /// FDT Instances read.
        fdt_instances: u64,
        /// Objects completed.
        completed: u64,
        /// Objects given up.
        failed: u64,
        /// Objects that are being received.
        active: u64,
        /// Packets dropped because a bound was reached.
        dropped: u64,
        /// Bytes kept on behalf of the session.
        memory: u64,
        /// Bits of datagrams per second, over the last five seconds.
        bits_per_second: f64,
        /// Source symbols that did not arrive, in percent.
        loss_percent: f64,
        /// Source symbols that are lost for good, in percent.
        residual_loss_percent: f64,
    }
}

impl SessionStatistics {
    fn new(session: Option<&SessionId>, stats: &SessionStats, rates: Rates) -> Self {
        Self {
            tsi: session.map(|session| session.tsi.get()),
            source: session.and_then(|session| session.source).map(|source| source.to_string()),
            packets: stats.packets,
            bytes: stats.bytes,
            duplicates: stats.duplicates,
            unusable: stats.unusable,
            source_symbols: stats.source_symbols,
            repair_symbols: stats.repair_symbols,
            recovered: stats.recovered,
            lost_symbols: stats.lost_symbols,
            fdt_instances: stats.fdt_instances,
            completed: stats.completed,
            failed: stats.failed,
            active: stats.active,
            dropped: stats.dropped,
            memory: stats.memory,
            bits_per_second: rates.bits_per_second,
            loss_percent: rates.loss_percent,
            residual_loss_percent: rates.residual_loss_percent,
        }
    }
}

record! {
    /// Counters of a receiver.
    "flute.receiver", ReceiverStatistics {
        /// Datagrams pushed.
        packets: u64,
        /// Their bytes.
        bytes: u64,
        /// Datagrams that are not ALC.
        malformed: u64,
        /// Datagrams of sessions that are not taken.
        filtered: u64,
        /// Datagrams that the kernel has dropped since the buffer of the socket was full.
        kernel_dropped: u32,
        /// All sessions together, those that have been closed included. Its rates are 0.
        totals: SessionStatistics,
        /// Sessions that are open at present.
        sessions: Vec<SessionStatistics>,
    }
}

impl From<Statistics> for ReceiverStatistics {
    fn from(Statistics { receiver, rates, kernel_dropped, .. }: Statistics) -> Self {
        let sessions = receiver.sessions.iter().zip(rates);
        Self {
            packets: receiver.packets,
            bytes: receiver.bytes,
            malformed: receiver.malformed,
            filtered: receiver.filtered,
            kernel_dropped,
            totals: SessionStatistics::new(None, &receiver.totals, Rates::default()),
            sessions: sessions.map(|((id, stats), rates)| SessionStatistics::new(Some(id), stats, rates)).collect(),
        }
    }
}
