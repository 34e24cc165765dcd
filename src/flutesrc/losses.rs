// SPDX-License-Identifier: MPL-2.0

//! What is told of objects that are lost: a text for each, as far as they are not too many, and one at the end.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use flute_proto::receiver::{BlockLoss, Failure, Limit, ObjectInfo};

/// Losses that are told one by one in each [`PERIOD`]. Further ones are counted and told with the next.
const MAX_TOLD: u32 = 16;
const PERIOD: Duration = Duration::from_secs(10);
/// Reasons why FDT Instances cannot be used that are told, at most.
const MAX_FDT_REASONS: usize = 16;

/// The losses of a run of the element.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lost: u64,
    /// Lost since the last text, and not told.
    untold: u64,
    period: Option<Instant>,
    told_in_period: u32,
}

impl Losses {
    /// Counts a loss. Returns the text that tells of it, unless there were too many of late.
    pub(super) fn count(
        &mut self,
        object: &ObjectInfo,
        reason: &Failure,
        missing: &[BlockLoss],
        now: Instant,
    ) -> Option<String> {
        self.lost += 1;
        if self.period.is_none_or(|begin| now.saturating_duration_since(begin) >= PERIOD) {
            self.period = Some(now);
            self.told_in_period = 0;
        }
        if self.told_in_period >= MAX_TOLD {
            self.untold += 1;
            return None;
        }
        self.told_in_period += 1;
        let further = match std::mem::take(&mut self.untold) {
            0 => String::new(),
            untold => format!(" ({untold} more were lost before it)"),
        };
        let reason = told_reason(object, reason);
        Some(format!("lost {}: {reason}{}{further}", object.location(), shortfall(missing)))
    }

    /// How many were lost, and that once only.
    pub(super) fn take_summary(&mut self) -> Option<String> {
        match std::mem::take(self).lost {
            0 => None,
            1 => Some("1 object was lost".to_owned()),
            lost => Some(format!("{lost} objects were lost")),
        }
    }
}

/// Why FDT Instances could not be used, each reason to be told once.
#[derive(Debug, Default)]
pub(super) struct FdtReasons(HashSet<String>);

impl FdtReasons {
    /// Whether a reason is to be told: it is new, and there have not been too many.
    pub(super) fn is_new(&mut self, reason: &str) -> bool {
        self.0.len() < MAX_FDT_REASONS && self.0.insert(reason.to_owned())
    }
}

/// Why an object is lost, in the words of this element.
fn told_reason(object: &ObjectInfo, reason: &Failure) -> String {
    match reason {
        Failure::Limit(limit) => {
            format!("its {} bytes are more than {} allows", object.transfer_length, property_of(*limit))
        }
        Failure::Destination(error) => format!("its {} bytes cannot be kept: {error}", object.transfer_length),
        reason => reason.to_string(),
    }
}

/// The property that sets a limit.
fn property_of(limit: Limit) -> &'static str {
    match limit {
        Limit::Memory => "max-memory",
        Limit::Sessions => "max-sessions",
        Limit::Objects => "max-objects",
        Limit::FdtInstances => "max-fdt-instances",
        Limit::FdtSize => "max-fdt-size",
        Limit::ObjectSize => "max-object-size",
        Limit::Expansion => "max-expansion",
        Limit::DecodingWork => "max-decoding-work",
        _ => "a limit of the receiver",
    }
}

/// How much of an object is missing.
fn shortfall(missing: &[BlockLoss]) -> String {
    let sum = |count: fn(&BlockLoss) -> u32| missing.iter().map(|block| u64::from(count(block))).sum::<u64>();
    match sum(|block| block.missing) {
        0 => String::new(),
        symbols => format!(
            "; {symbols} of {} source symbols of {} source block(s) are missing",
            sum(|block| block.source_symbols),
            missing.len()
        ),
    }
}

/// What a user can do about a loss.
pub(super) fn advice(reason: &Failure) -> &'static str {
    match reason {
        Failure::Digest | Failure::Content(_) => {
            "the content was damaged on its way, or described wrongly by its sender"
        }
        Failure::Description(_) => "the sender has to describe the object rightly",
        Failure::Limit(Limit::Memory) => {
            "raise max-memory, or let long objects go to files: set spool-directory to a folder with room for them, and \
             spool-threshold to what may stay in memory"
        }
        Failure::Limit(_) => "raise the property, if the sender is to be trusted",
        Failure::Destination(_) => "make room in the spool folder, or set spool-directory to a folder that has some",
        _ => {
            "where packets are lost the sender can add repair symbols (flutesink fec=raptorq repair-percent=20), lower its \
             bitrate or repeat the object, and the receiver can raise buffer-size and net.core.rmem_max"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flute_proto::Time;
    use flute_proto::receiver::{Endpoints, Event, Receiver, ReceiverConfig};
    use flute_proto::sender::{Batch, Object, Poll, Sender, SenderConfig};

    use super::*;

    /// An object as a receiver describes it.
    fn described() -> Arc<ObjectInfo> {
        let now = Time::from_unix(Duration::from_secs(1_800_000_000));
        let mut sender = Sender::new(SenderConfig::default(), now).unwrap();
        sender.add(Object::new("a.bin", vec![0; 10]), now).unwrap();
        let (mut receiver, mut batch) = (Receiver::new(ReceiverConfig::default()), Batch::new(16));
        while let Poll::Packets = sender.poll(now, &mut batch) {
            for packet in batch.packets() {
                receiver.push(Endpoints { source: None, destination: None }, packet, now);
            }
        }
        let info = std::iter::from_fn(|| receiver.poll_event()).find_map(|event| match event {
            Event::Completed { object, .. } => Some(object),
            _ => None,
        });
        info.unwrap()
    }

    #[test]
    fn a_flood_is_counted() {
        let (object, begin) = (described(), Instant::now());
        let missing = [BlockLoss { source_block: 0, missing: 2, repair: 0, source_symbols: 5 }];
        let mut losses = Losses::default();
        let mut count = |now| losses.count(&object, &Failure::Expired, &missing, now);
        let first = count(begin).unwrap();
        assert!(first.starts_with("lost a.bin: "), "{first}");
        assert!(first.ends_with("; 2 of 5 source symbols of 1 source block(s) are missing"), "{first}");
        let told = (0..999).filter(|_| count(begin).is_some()).count();
        assert_eq!(told as u32, MAX_TOLD - 1);
        let next = count(begin + PERIOD).unwrap();
        assert!(next.ends_with("(984 more were lost before it)"), "{next}");
        assert_eq!(losses.take_summary().as_deref(), Some("1001 objects were lost"));
        assert_eq!(losses.take_summary(), None);
    }

    #[test]
    fn a_limit_is_told_with_the_length_and_the_property() {
        let (object, now) = (described(), Instant::now());
        let told = |reason: Failure| Losses::default().count(&object, &reason, &[], now).unwrap();
        let memory = Failure::Limit(Limit::Memory);
        assert_eq!(told(memory.clone()), "lost a.bin: its 10 bytes are more than max-memory allows");
        assert!(advice(&memory).contains("spool-directory"));
        let full = Failure::Destination(Arc::new(std::io::Error::other("no space")));
        assert_eq!(told(full), "lost a.bin: its 10 bytes cannot be kept: no space");
    }
}
