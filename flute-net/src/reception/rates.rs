// SPDX-License-Identifier: MPL-2.0

//! What a session does at present: rates over the last seconds, out of counters that only grow.

use std::collections::VecDeque;
use std::time::Duration;

use flute_proto::Time;
use flute_proto::receiver::{ReceiverStats, SessionId, SessionStats};

/// Over how long rates are taken.
const WINDOW: Duration = Duration::from_secs(5);
/// How often the counters are noted.
const INTERVAL: Duration = Duration::from_millis(500);

/// What a session does, over the last five seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Rates {
    /// Bits of datagrams per second.
    pub bits_per_second: f64,
    /// Datagrams per second.
    pub packets_per_second: f64,
    /// Source symbols that did not arrive, in percent of all that were sent of objects that were completed or given up:
    /// those that were rebuilt, and those that are lost for good.
    pub loss_percent: f64,
    /// Source symbols that are lost for good, in percent of the same.
    pub residual_loss_percent: f64,
    /// Source symbols rebuilt from repair symbols per second.
    pub recovered_per_second: f64,
    /// Bytes that are not content (headers, FDT Instances, repair symbols, repetitions), in percent of those that are. `None`
    /// while no content comes.
    pub overhead_percent: Option<f64>,
    /// Repair symbols that were not needed, in percent of those that arrived: with 0 the next loss is one for good. `None`
    /// while none come.
    pub repair_margin_percent: Option<f64>,
}

impl Rates {
    fn between(before: &SessionStats, after: &SessionStats, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        if seconds <= 0.0 {
            return Self::default();
        }
        let more = |counter: fn(&SessionStats) -> u64| counter(after).saturating_sub(counter(before)) as f64;
        let (bytes, content) = (more(|stats| stats.bytes), more(|stats| stats.source_bytes));
        let (recovered, lost) = (more(|stats| stats.recovered), more(|stats| stats.lost_symbols));
        let repair = more(|stats| stats.repair_symbols);
        let sent = more(|stats| stats.source_symbols) + recovered + lost;
        let percent = |part: f64, whole: f64| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
        Self {
            bits_per_second: 8.0 * bytes / seconds,
            packets_per_second: more(|stats| stats.packets) / seconds,
            loss_percent: percent(recovered + lost, sent),
            residual_loss_percent: percent(lost, sent),
            recovered_per_second: recovered / seconds,
            overhead_percent: (content > 0.0).then(|| percent((bytes - content).max(0.0), content)),
            repair_margin_percent: (repair > 0.0).then(|| percent((repair - recovered).max(0.0), repair)),
        }
    }
}

/// The counters of the last seconds.
#[derive(Debug, Default)]
pub(super) struct RateWindow {
    notes: VecDeque<(Time, Vec<(SessionId, SessionStats)>)>,
}

impl RateWindow {
    /// Whether the counters are to be [noted](Self::note) again.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.notes.back().is_none_or(|(time, _)| now.since(*time) >= INTERVAL)
    }

    /// Notes the counters.
    pub(super) fn note(&mut self, stats: ReceiverStats, now: Time) {
        // One from before the window is kept, for the time since then.
        while self.notes.get(1).is_some_and(|(time, _)| now.since(*time) >= WINDOW) {
            self.notes.pop_front();
        }
        self.notes.push_back((now, stats.sessions));
    }

    /// What a session does, if its counters are `stats` now. A session that began since the first note is compared with
    /// the first that has it, or with nothing at all.
    pub(super) fn rates(&self, session: &SessionId, stats: &SessionStats, now: Time) -> Rates {
        let mut in_window = self.notes.iter().filter(|(time, _)| now.since(*time) <= WINDOW + INTERVAL);
        let first = in_window.find_map(|(time, all)| Some((time, &all.iter().find(|(id, _)| id == session)?.1)));
        first.map_or_else(Rates::default, |(time, before)| Rates::between(before, stats, now.since(*time)))
    }
}

#[cfg(test)]
mod tests {
    use flute_proto::lct::Tsi;

    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_unix(Duration::from_millis(1_000_000 + millis))
    }

    fn session() -> SessionId {
        SessionId { source: None, destination: None, tsi: Tsi::default() }
    }

    fn stats(factor: u64) -> SessionStats {
        let mut stats = SessionStats::default();
        stats.packets = 110 * factor;
        stats.bytes = 150_000 * factor;
        stats.source_symbols = 97 * factor;
        stats.source_bytes = 100_000 * factor;
        stats.repair_symbols = 8 * factor;
        stats.recovered = 2 * factor;
        stats.lost_symbols = factor;
        stats
    }

    fn all(factor: u64) -> ReceiverStats {
        let mut all = ReceiverStats::default();
        all.sessions.push((session(), stats(factor)));
        all
    }

    #[test]
    fn over_the_last_seconds() {
        let mut window = RateWindow::default();
        assert_eq!(window.rates(&session(), &stats(1), at(0)), Rates::default());
        // Half a second brings as much as `stats` once, after ten seconds of silence.
        for half in 0..60 {
            let now = at(500 * half);
            assert!(window.is_due(now) && (half == 0 || !window.is_due(now - Duration::from_millis(100))));
            window.note(all(half.saturating_sub(20)), now);
        }
        let rates = window.rates(&session(), &stats(40), at(30_000));
        assert_eq!(rates.bits_per_second, 2_400_000.0);
        assert_eq!(rates.packets_per_second, 220.0);
        assert_eq!((rates.loss_percent, rates.residual_loss_percent), (3.0, 1.0));
        assert_eq!(rates.recovered_per_second, 4.0);
        assert_eq!((rates.overhead_percent, rates.repair_margin_percent), (Some(50.0), Some(75.0)));
        assert!(window.notes.len() <= 12);
    }

    #[test]
    fn silence() {
        let mut window = RateWindow::default();
        window.note(all(3), at(0));
        let rates = window.rates(&session(), &stats(3), at(5000));
        assert_eq!((rates.bits_per_second, rates.loss_percent), (0.0, 0.0));
        assert_eq!((rates.overhead_percent, rates.repair_margin_percent), (None, None));
    }
}
