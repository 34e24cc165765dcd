// SPDX-License-Identifier: MPL-2.0

//! Where the time of media lies on the running time of the pipeline.
//!
//! The pads of an element share it, so that video and audio on two pads are played in sync.

use std::time::Duration;

/// Segments of another pad that would play this far from when they arrived have a time of their own.
const MAX_APART: i64 = 10_000_000_000;

/// The running time at which media time zero is played, which may lie before the start of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset(i64);

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

impl Offset {
    /// The running time of a media time: negative before the start of the pipeline.
    pub(super) fn running_time(self, media: Duration) -> i64 {
        nanoseconds(media).saturating_add(self.0)
    }

    /// The first media time that has a running time, from a certain one on.
    pub(super) fn first_played(self, from: Duration) -> Duration {
        from.max(Duration::from_nanos(u64::try_from(self.0.saturating_neg()).unwrap_or(0)))
    }
}

/// What the pads share.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    offset: Option<Offset>,
}

impl Timeline {
    /// The offset for a pad whose media begins at `start` and can be played from a running time on: the one that there
    /// is, unless that would play it at quite another time.
    pub(super) fn place(&mut self, start: Duration, running: Duration) -> Offset {
        let running = nanoseconds(running);
        let fits = |offset: &Offset| offset.running_time(start).saturating_sub(running).saturating_abs() <= MAX_APART;
        let offset = self.offset.filter(fits).unwrap_or(Offset(running.saturating_sub(nanoseconds(start))));
        *self.offset.insert(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pads_share_their_time() {
        let mut timeline = Timeline::default();
        let video = timeline.place(seconds(3600), seconds(5));
        assert_eq!(video.running_time(seconds(3601)), 6_000_000_000);
        assert_eq!(timeline.place(seconds(3599), seconds(7)), video, "audio that comes later is not played later");
        assert_eq!(video.first_played(seconds(3600)), seconds(3600));
        assert_eq!(video.first_played(seconds(10)), seconds(3595));
        assert_eq!(video.running_time(seconds(3595)), 0);
    }

    #[test]
    fn another_time_is_placed_anew() {
        let mut timeline = Timeline::default();
        let before = timeline.place(seconds(3600), seconds(5));
        let after = timeline.place(seconds(0), seconds(65));
        assert_ne!(before, after);
        assert_eq!(after.running_time(seconds(1)), 66_000_000_000);
        assert_eq!(timeline.place(seconds(1), seconds(65)), after);
    }
}
