// SPDX-License-Identifier: MPL-2.0

//! Which segments belong together, by their names, and which number of a name counts them.

use std::collections::BTreeSet;

use super::numbered_name::NumberedName;

/// How the time of a segment stands to the segments that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// It begins when another one begins.
    Known,
    /// It begins at or after the end of what is known.
    Later,
    /// Earlier, or not known.
    Other,
}

/// What the names of the segments of one representation have in common.
#[derive(Debug, Default)]
pub(super) struct Representation {
    /// The name of the segment that was taken last.
    latest: Option<NumberedName>,
    /// Which numbers of the names change from segment to segment.
    varying: BTreeSet<usize>,
    /// Which numbers tell representations apart.
    fixed: BTreeSet<usize>,
    /// Which number counts. Not known before two segments.
    counter: Option<usize>,
    /// Names differ in more than their numbers, which therefore say nothing of the order.
    is_irregular: bool,
}

impl Representation {
    /// Whether a segment is of this representation. What it learns from the name it keeps.
    pub(super) fn take(&mut self, name: &NumberedName, folder_is_shared: bool, moment: Moment) -> bool {
        let Some(latest) = &self.latest else {
            self.latest = Some(name.clone());
            return true;
        };
        if !latest.is_like(name) {
            if self.counter.is_some() || !folder_is_shared || moment == Moment::Known {
                return false;
            }
            self.is_irregular = true;
            self.latest = Some(name.clone());
            return true;
        }
        let differences = name.differences(latest);
        if differences.iter().any(|index| self.fixed.contains(index)) {
            return false;
        }
        let strange: Vec<_> = differences.iter().copied().filter(|index| !self.varying.contains(index)).collect();
        match (self.counter, strange.as_slice()) {
            (_, []) => (),
            // Two segments of the same time that differ in one number are of two representations.
            (_, [one]) if moment == Moment::Known => {
                self.fixed.insert(*one);
                return false;
            }
            (_, _) if moment == Moment::Known => return false,
            (None, strange) => {
                self.varying.extend(strange);
                self.counter = name.longest(strange.iter().copied());
            }
            // The number of a representation; or a day, or an hour, that has passed.
            (Some(counter), strange) => {
                if moment != Moment::Later || !differences.contains(&counter) {
                    return false;
                }
                self.varying.extend(strange);
            }
        }
        self.latest = Some(name.clone());
        true
    }

    /// From now on names do not say the order.
    pub(super) fn ignore_order(&mut self) {
        self.is_irregular = true;
    }

    /// Whether names say the order.
    pub(super) fn is_ordered(&self) -> bool {
        !self.is_irregular && self.latest.as_ref().is_some_and(|latest| !latest.values().is_empty())
    }

    /// Whether a name could be one of this representation.
    pub(super) fn could_have(&self, name: &NumberedName) -> bool {
        self.latest.as_ref().is_none_or(|latest| {
            let is_allowed = |index: &usize| match self.counter {
                Some(_) => self.varying.contains(index),
                None => !self.fixed.contains(index),
            };
            latest.is_like(name) && name.differences(latest).iter().all(is_allowed)
        })
    }

    /// The count in a name.
    pub(super) fn count(&self, name: &NumberedName) -> Option<u64> {
        name.value(self.counter.or_else(|| name.likely_counter())?)
    }

    /// How many numbers are between two names, if nothing else differs.
    pub(super) fn between(&self, earlier: &NumberedName, later: &NumberedName) -> Option<u64> {
        let counter = match (self.counter, earlier.differences(later).as_slice()) {
            (None, [one]) => *one,
            (Some(counter), [one]) if counter == *one => counter,
            _ => return None,
        };
        later.value(counter)?.checked_sub(earlier.value(counter)?)?.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(representation: &mut Representation, names: &[(&str, Moment)]) -> Vec<bool> {
        names.iter().map(|(name, moment)| representation.take(&NumberedName::new(name), true, *moment)).collect()
    }

    #[test]
    fn a_counter_among_other_numbers() {
        use Moment::{Known, Later};
        let mut video = Representation::default();
        let names = [
            ("v1/seg-5-a1.ts", Later),
            ("v2/seg-5-a1.ts", Known),
            ("v1/seg-6-a1.ts", Later),
            ("v2/seg-6-a1.ts", Known),
            ("v2/seg-7-a1.ts", Later),
            ("v1/seg-7-a1.ts", Later),
        ];
        assert_eq!(taken(&mut video, &names), [true, false, true, false, false, true]);
        assert_eq!(video.count(&NumberedName::new("v1/seg-9-a1.ts")), Some(9));
        let between = |a, b| video.between(&NumberedName::new(a), &NumberedName::new(b));
        assert_eq!(between("v1/seg-7-a1.ts", "v1/seg-8-a1.ts"), Some(0));
        assert_eq!(between("v1/seg-7-a1.ts", "v1/seg-10-a1.ts"), Some(2));
        assert_eq!(between("v1/seg-7-a1.ts", "v1/seg-7-a1.ts"), None);
        assert!(video.could_have(&NumberedName::new("v1/seg-10-a1.ts")));
        assert!(!video.could_have(&NumberedName::new("v2/seg-10-a1.ts")));
        assert!(!video.could_have(&NumberedName::new("v1/live.mpd")));
    }

    #[test]
    fn names_with_the_time_of_day() {
        let mut live = Representation::default();
        let names = ["20261122_235956.ts", "20261122_235958.ts", "20261123_000000.ts", "20261123_000002.ts"];
        assert!(taken(&mut live, &names.map(|name| (name, Moment::Later))).into_iter().all(|taken| taken));
        assert_eq!(live.between(&NumberedName::new(names[1]), &NumberedName::new(names[2])), None);
        assert!(NumberedName::new(names[1]).values() < NumberedName::new(names[2]).values());
    }

    #[test]
    fn numbers_and_times_in_one_name() {
        let mut video = Representation::default();
        let names = [("s-1-90000.m4s", Moment::Other), ("s-2-180000.m4s", Moment::Other)];
        assert_eq!(taken(&mut video, &names), [true, true]);
        assert_eq!(video.count(&NumberedName::new("s-3-270000.m4s")), Some(270_000));
        assert!(video.is_ordered());
    }

    #[test]
    fn names_with_a_hash() {
        let mut irregular = Representation::default();
        let names = [("abc1.ts", Moment::Later), ("d2ef.ts", Moment::Later), ("fed9.ts", Moment::Known)];
        assert_eq!(taken(&mut irregular, &names), [true, true, false]);
        assert!(!irregular.is_ordered());
    }

    #[test]
    fn another_folder_is_another_representation() {
        let mut video = Representation::default();
        assert!(video.take(&NumberedName::new("video/1.m4s"), true, Moment::Other));
        assert!(!video.take(&NumberedName::new("audio/2.m4s"), false, Moment::Other));
        assert!(video.take(&NumberedName::new("video/2.m4s"), true, Moment::Other));
    }
}
