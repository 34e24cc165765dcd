// SPDX-License-Identifier: MPL-2.0

//! What a receiver makes of packets.

use std::io::Read;
use std::time::Duration;

use flute_proto::Time;
use flute_proto::fdt::File;
use flute_proto::receiver::{Content, Endpoints, Event, Receiver, ReceiverConfig};

/// An object that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

/// All that arrived of a session.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) objects: Vec<Received>,
    /// What FDT Instances said of them.
    pub(crate) files: Vec<File>,
    pub(crate) failed: Vec<String>,
    /// The sender closed the session, and everything that it announced is there.
    pub(crate) is_complete: bool,
}

impl Session {
    /// Receives packets, in this order.
    pub(crate) fn of<'a>(packets: impl IntoIterator<Item = &'a Vec<u8>>) -> Self {
        let now = Time::from_unix(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO));
        let mut receiver = Receiver::new(ReceiverConfig::default());
        let mut session = Self::default();
        for packet in packets {
            receiver.push(Endpoints { source: None, destination: None }, packet, now);
            session.drain(&mut receiver);
        }
        receiver.finish(now);
        session.drain(&mut receiver);
        session
    }

    fn drain(&mut self, receiver: &mut Receiver) {
        while let Some(event) = receiver.poll_event() {
            match event {
                Event::Completed { object, content } => {
                    let bytes = match content {
                        Content::Memory(bytes) => bytes.to_vec(),
                        Content::File { mut file, .. } => {
                            let mut bytes = Vec::new();
                            file.read_to_end(&mut bytes).unwrap();
                            bytes
                        }
                        Content::Delivered => unreachable!("no destination is chosen"),
                    };
                    let (name, content_type) = (object.location().to_owned(), object.file.content_type.clone());
                    self.objects.push(Received { name, content_type, bytes });
                    self.files.push(object.file.clone());
                }
                Event::Failed { object, reason, .. } => self.failed.push(format!("{}: {reason}", object.location())),
                Event::SessionClosed { by_sender, complete, .. } => self.is_complete = by_sender && complete,
                _ => (),
            }
        }
    }

    /// The names, in the order of completion.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.objects.iter().map(|object| object.name.as_str()).collect()
    }
}
