// SPDX-License-Identifier: MPL-2.0

//! What a URI without a path means to a player: the first manifest that the session has.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flute_media::is_manifest;
use flute_proto::content_location::LocationPath;
use flute_proto::receiver::ObjectInfo;

use super::User;

/// How often the descriptions are looked at: they are worked on in slices, and nothing tells the last of them.
const INTERVAL: Duration = Duration::from_millis(20);
/// Names that are told of what is there instead, at most.
const TOLD_NAMES: usize = 8;

/// Why a session has no presentation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPresentation {
    #[error("the wait was interrupted")]
    Interrupted,
    #[error(
        "no FDT Instance came for {} s: check address, port and interface, and that the sender runs", .0.as_secs_f64()
    )]
    Silence(Duration),
    #[error("the session has no manifest (MPD, M3U8 …). Name what is to be played; there is {}", list(.0))]
    NoManifest(Vec<String>),
}

fn list(names: &[String]) -> String {
    let more = names.len().saturating_sub(TOLD_NAMES);
    let told = names[..names.len() - more].join(", ");
    if more > 0 { format!("{told} and {more} more") } else { told }
}

fn path_of(object: &ObjectInfo) -> String {
    LocationPath::of_location(object.location()).to_path()
}

impl User {
    /// The path of the first manifest that an FDT Instance lists, which is waited for as long as an object is.
    pub(crate) fn presentation(&self) -> Result<String, NoPresentation> {
        let began = Instant::now();
        loop {
            let (objects, may_come) = self.session().with_receiver(|receiver| {
                (receiver.described_objects(), receiver.may_bring(|location| is_manifest(None, location)))
            });
            let manifest =
                objects.iter().find(|object| is_manifest(object.file.content_type.as_deref(), object.location()));
            if let Some(manifest) = manifest {
                return Ok(path_of(manifest));
            }
            if began.elapsed() >= self.object_timeout || !may_come || self.channel.objects().has_ended() {
                let names: Vec<_> = objects.iter().map(|object| path_of(object)).collect();
                return Err(if names.is_empty() {
                    NoPresentation::Silence(self.object_timeout)
                } else {
                    NoPresentation::NoManifest(names)
                });
            }
            if self.interrupted.load(Ordering::Acquire) {
                return Err(NoPresentation::Interrupted);
            }
            std::thread::sleep(INTERVAL);
        }
    }
}
