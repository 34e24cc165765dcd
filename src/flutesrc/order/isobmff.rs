// SPDX-License-Identifier: MPL-2.0

//! What the boxes of a media segment say of its time (ISO/IEC 14496-12).

use std::time::Duration;

use flute_media::boxes::boxes;

/// The fields of a box of its own length, from a version and flags on.
struct FullBox<'a> {
    version: u8,
    flags: u32,
    fields: Fields<'a>,
}

/// Reads big-endian numbers.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().map(u32::from_be_bytes).ok()
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().map(u64::from_be_bytes).ok()
    }

    /// A field that has 64 bits from version 1 on.
    fn long(&mut self, version: u8) -> Option<u64> {
        if version == 0 { self.u32().map(u64::from) } else { self.u64() }
    }
}

fn full_box(content: &[u8]) -> Option<FullBox<'_>> {
    let mut fields = Fields(content);
    let word = fields.u32()?;
    Some(FullBox { version: (word >> 24) as u8, flags: word & 0xff_ffff, fields })
}

fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find(|(found, _)| found == kind).map(|(_, content)| content)
}

fn children<'a>(bytes: &'a [u8], kind: &'static [u8; 4]) -> impl Iterator<Item = &'a [u8]> {
    boxes(bytes).filter(move |(found, _)| found == kind).map(|(_, content)| content)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Track {
    id: u32,
    /// Units per second.
    timescale: u32,
    /// `default_sample_duration` of `trex`.
    sample_duration: u32,
}

/// What an initialisation says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Movie {
    tracks: Vec<Track>,
}

impl Movie {
    fn read(moov: &[u8]) -> Self {
        let track = |trak: &[u8]| {
            let mut tkhd = full_box(child(trak, b"tkhd")?)?;
            tkhd.fields.long(tkhd.version).and(tkhd.fields.long(tkhd.version))?;
            let id = tkhd.fields.u32()?;
            let mut mdhd = full_box(child(child(trak, b"mdia")?, b"mdhd")?)?;
            mdhd.fields.long(mdhd.version).and(mdhd.fields.long(mdhd.version))?;
            Some(Track { id, timescale: mdhd.fields.u32()?, sample_duration: 0 })
        };
        let mut tracks: Vec<_> = children(moov, b"trak").filter_map(track).collect();
        for trex in child(moov, b"mvex").into_iter().flat_map(|mvex| children(mvex, b"trex")) {
            let Some(mut trex) = full_box(trex) else { continue };
            let (id, _, duration) = (trex.fields.u32(), trex.fields.u32(), trex.fields.u32());
            if let Some(track) = tracks.iter_mut().find(|track| Some(track.id) == id) {
                track.sample_duration = duration.unwrap_or(0);
            }
        }
        Self { tracks }
    }

    /// Whether there is the track of this fragment.
    pub(super) fn has_track_of(&self, fragment: &Fragment) -> bool {
        self.tracks.iter().any(|track| track.id == fragment.track)
    }

    /// Decode time of the first sample of a segment, and of what comes after its last one.
    pub(super) fn times_of(&self, fragment: &Fragment) -> Option<(Duration, Duration)> {
        let track = self.tracks.iter().find(|track| track.id == fragment.track && track.timescale > 0)?;
        let time = |ticks: u128| {
            let nanoseconds = ticks * 1_000_000_000 / u128::from(track.timescale);
            u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
        };
        let defaults = u128::from(fragment.untimed_samples) * u128::from(track.sample_duration);
        let end = u128::from(fragment.last_decode_time) + u128::from(fragment.last_duration) + defaults;
        Some((time(fragment.decode_time.into())?, time(end)?))
    }
}

/// What the movie fragments of a segment say of their first track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Fragment {
    track: u32,
    /// `baseMediaDecodeTime` of the first fragment, in units of the track.
    decode_time: u64,
    /// The same of the last fragment.
    last_decode_time: u64,
    /// Duration of the samples of the last fragment that say theirs.
    last_duration: u64,
    /// Samples of the last fragment that have the duration of `trex`.
    untimed_samples: u64,
}

/// Durations of the samples of a track fragment (§8.8.7, §8.8.8): in all those that say theirs, and how many do not.
fn durations(traf: &[u8], tfhd: &mut FullBox<'_>) -> (u64, u64) {
    // Base data offset, sample description index, and then the default duration.
    for (flag, length) in [(0x1, 8), (0x2, 4)] {
        if tfhd.flags & flag != 0 && tfhd.fields.take(length).is_none() {
            return (0, 0);
        }
    }
    let default = if tfhd.flags & 0x8 != 0 { tfhd.fields.u32() } else { None };
    let (mut said, mut unsaid) = (0u64, 0u64);
    for mut trun in children(traf, b"trun").filter_map(full_box) {
        let Some(count) = trun.fields.u32() else { continue };
        match default {
            _ if trun.flags & 0x100 != 0 => {
                for flag in [0x1, 0x4] {
                    if trun.flags & flag != 0 {
                        let _ = trun.fields.u32();
                    }
                }
                let size = 4 * (trun.flags & 0xf00).count_ones() as usize;
                let samples = trun.fields.0.chunks_exact(size).take(count as usize);
                said += samples.filter_map(|sample| Fields(sample).u32()).map(u64::from).sum::<u64>();
            }
            Some(duration) => said = said.saturating_add(u64::from(count) * u64::from(duration)),
            None => unsaid += u64::from(count),
        }
    }
    (said, unsaid)
}

/// What the top-level boxes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Boxes {
    pub(super) movie: Option<Movie>,
    pub(super) fragment: Option<Fragment>,
    /// There are movie fragments or media data, whether or not their time can be read.
    pub(super) has_media: bool,
}

/// Reads the top-level boxes; `None` for what is no ISO base media file.
pub(super) fn read(bytes: &[u8]) -> Option<Boxes> {
    let mut found = Boxes::default();
    let mut is_known = false;
    for (kind, content) in boxes(bytes) {
        match &kind {
            b"moov" => found.movie = Some(Movie::read(content)),
            b"moof" => {
                found.has_media = true;
                found.add_fragment(content);
            }
            b"mdat" => found.has_media = true,
            b"ftyp" | b"styp" | b"sidx" | b"emsg" | b"prft" | b"free" | b"skip" => (),
            _ if !is_known => return None,
            _ => (),
        }
        is_known = true;
    }
    (found.movie.is_some() || found.has_media).then_some(found)
}

impl Boxes {
    fn add_fragment(&mut self, moof: &[u8]) {
        let present = self.fragment.as_ref().map(|fragment| fragment.track);
        for traf in children(moof, b"traf") {
            let Some(mut tfhd) = child(traf, b"tfhd").and_then(full_box) else { continue };
            let Some(track) = tfhd.fields.u32() else { continue };
            if present.is_some_and(|present| present != track) {
                continue;
            }
            let decode_time =
                child(traf, b"tfdt").and_then(full_box).and_then(|mut tfdt| tfdt.fields.long(tfdt.version));
            let Some(decode_time) = decode_time else { continue };
            let (last_duration, untimed_samples) = durations(traf, &mut tfhd);
            let first = self.fragment.as_ref().map_or(decode_time, |fragment| fragment.decode_time);
            self.fragment = Some(Fragment {
                track,
                decode_time: first,
                last_decode_time: decode_time,
                last_duration,
                untimed_samples,
            });
            return;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn a_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(8 + content.len() as u32).to_be_bytes(), kind.as_slice(), content].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// An initialisation with one track.
    pub(in super::super) fn initialisation(track: u32, timescale: u32, sample_duration: u32) -> Vec<u8> {
        let tkhd = a_box(b"tkhd", &words(&[3, 0, 0, track, 0, 0]));
        let mdhd = a_box(b"mdhd", &words(&[0, 0, 0, timescale, 0, 0]));
        let trak = a_box(b"trak", &[tkhd, a_box(b"mdia", &mdhd)].concat());
        let mvex = a_box(b"mvex", &a_box(b"trex", &words(&[0, track, 1, sample_duration, 0, 0])));
        [a_box(b"ftyp", b"iso6\0\0\0\0"), a_box(b"moov", &[trak, mvex].concat())].concat()
    }

    /// A segment of one fragment, of which each sample lasts this long.
    pub(in super::super) fn segment(track: u32, decode_time: u64, samples: &[u32]) -> Vec<u8> {
        let tfhd = a_box(b"tfhd", &words(&[0x2_0000, track]));
        let tfdt = a_box(b"tfdt", &[words(&[0x100_0000]), decode_time.to_be_bytes().to_vec()].concat());
        // Data offset, duration and size of each sample.
        let mut run = words(&[0x301, samples.len() as u32, 0]);
        for sample in samples {
            run.extend(words(&[*sample, 1]));
        }
        let traf = a_box(b"traf", &[tfhd, tfdt, a_box(b"trun", &run)].concat());
        let moof = a_box(b"moof", &[a_box(b"mfhd", &words(&[0, 1])), traf].concat());
        [a_box(b"styp", b"msdh\0\0\0\0"), moof, a_box(b"mdat", &vec![0; samples.len()])].concat()
    }

    #[test]
    fn times() {
        let movie = read(&initialisation(2, 1000, 0)).unwrap().movie.unwrap();
        let fragment = read(&segment(2, 5000, &[40; 50])).unwrap().fragment.unwrap();
        assert!(movie.has_track_of(&fragment));
        assert_eq!(movie.times_of(&fragment), Some((Duration::from_secs(5), Duration::from_secs(7))));
        let other = read(&segment(1, 5000, &[40])).unwrap().fragment.unwrap();
        assert!(!movie.has_track_of(&other));
        assert_eq!(movie.times_of(&other), None);
    }

    #[test]
    fn several_fragments_are_one_segment() {
        let movie = read(&initialisation(1, 1000, 0)).unwrap().movie.unwrap();
        let chunks = [segment(1, 5000, &[500]), segment(1, 5500, &[500])].concat();
        let fragment = read(&chunks).unwrap().fragment.unwrap();
        assert_eq!(movie.times_of(&fragment), Some((Duration::from_secs(5), Duration::from_secs(6))));
    }

    #[test]
    fn durations_by_default() {
        let movie = read(&initialisation(1, 1000, 20)).unwrap().movie.unwrap();
        let traf = |tfhd: &[u8], run: &[u8]| {
            let tfdt = a_box(b"tfdt", &words(&[0, 7000]));
            a_box(b"moof", &a_box(b"traf", &[a_box(b"tfhd", tfhd), tfdt, a_box(b"trun", run)].concat()))
        };
        let end = |moof: &[u8]| movie.times_of(&read(moof).unwrap().fragment.unwrap()).unwrap().1.as_millis();
        // By trex, and by tfhd, behind a sample description index.
        assert_eq!(end(&traf(&words(&[0, 1]), &words(&[0, 10]))), 7200);
        assert_eq!(end(&traf(&words(&[0xa, 1, 1, 30]), &words(&[0, 10]))), 7300);
    }

    #[test]
    fn what_is_something_else() {
        assert_eq!(read(b"<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>"), None);
        assert_eq!(read(b""), None);
        assert_eq!(read(&a_box(b"ftyp", b"iso6\0\0\0\0")), None, "there is neither movie nor media");
        assert_eq!(read(&[0x47; 188]), None);
    }

    #[test]
    fn broken_boxes_end_the_reading() {
        let whole = segment(1, 5000, &[40; 5]);
        for length in 0..whole.len() {
            let _ = read(&whole[..length]);
        }
        assert_eq!(read(b"\0\0\0\x01moov\0\0\0\0\0\0\0\x02"), None, "shorter than its header");
        let mut endless = a_box(b"moof", &[]);
        endless[..4].copy_from_slice(&[0; 4]);
        assert!(read(&endless).unwrap().has_media);
    }
}
