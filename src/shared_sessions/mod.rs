// SPDX-License-Identifier: MPL-2.0

//! Sessions that outlive elements: one socket and one thread for all who want objects of the same channel.
//!
//! An adaptive demuxer makes a source for its manifest and others for its segments, one object at a time, and segments
//! come when they come. So what receives them belongs to the process: it is opened by the first [`User`], keeps what is
//! completed, and ends some time after the last user has left. The thread that receives sees to that itself, and nothing
//! is left then: no thread, no socket, no memory.

mod channel;
mod presentation;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use flute_http::{Missing, ObjectStore, StoredObject};
use flute_proto::content_location::LocationPath;
use flute_proto::receiver::{Mode, Receiver, ReceiverConfig};

use crate::debug::FLUTESESSIONS as CAT;
use channel::{Channel, ChannelListener};
use flute_net::reception::{ReceiverThread, SharedReceiver};
use flute_net::{HostAndPort, ReceiveConfig, ReceiveError, ReceiveSocket};
pub(crate) use presentation::NoPresentation;

/// Channels of a process at a time.
const MAX_CHANNELS: usize = 64;

/// What tells channels apart. A request that leaves an option out takes any channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    address: HostAndPort,
    source: Option<IpAddr>,
    tsis: Vec<u64>,
    interfaces: Vec<String>,
}

impl Options {
    fn new(network: &ReceiveConfig, receiver: &ReceiverConfig) -> Self {
        Self {
            address: network.address.clone(),
            source: network.source,
            tsis: receiver.filter.tsis.iter().map(|tsi| tsi.get()).collect(),
            interfaces: network.interfaces.clone(),
        }
    }

    /// Whether a channel with the options `open` does for a request with these.
    fn are_met_by(&self, open: &Self) -> bool {
        self.address == open.address
            && (self.source.is_none() || self.source == open.source)
            && (self.tsis.is_empty() || self.tsis == open.tsis)
            && (self.interfaces.is_empty() || self.interfaces == open.interfaces)
    }
}

/// Why there is no channel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Socket(#[from] ReceiveError),
    #[error("no thread to receive: {0}")]
    Thread(std::io::Error),
    #[error("{MAX_CHANNELS} channels are in use at a time, which is all there can be")]
    Full,
}

/// What a user asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The socket, should one have to be opened.
    pub(crate) network: ReceiveConfig,
    /// The receiver, should one have to be made. Its mode is not used. Its memory is that of source blocks, once more
    /// that of objects that are arriving, and once more that of completed ones.
    pub(crate) receiver: ReceiverConfig,
    /// How long an object is waited for of which nothing comes. `None` takes that of the request that opened the channel.
    pub(crate) object_timeout: Option<Duration>,
    /// How long the channel stays after its last user.
    pub(crate) linger: Duration,
}

/// The channels of a process.
#[derive(Debug, Default)]
pub(crate) struct SharedSessions {
    channels: Mutex<Vec<Arc<Channel>>>,
}

impl SharedSessions {
    /// That of this process.
    pub(crate) fn global() -> &'static Arc<Self> {
        static REGISTRY: LazyLock<Arc<SharedSessions>> = LazyLock::new(Arc::default);
        &REGISTRY
    }

    /// A user of the channel that the request means, which is opened if need be. Where several would do, it is one that
    /// has an object of this name, of these the one that was used last.
    pub(crate) fn open(self: &Arc<Self>, request: &Request, name: &LocationPath) -> Result<User, OpenError> {
        let options = Options::new(&request.network, &request.receiver);
        let mut channels = self.channels.lock().unwrap();
        let open = channels
            .iter()
            .filter(|channel| options.are_met_by(channel.options()))
            .max_by_key(|channel| (channel.objects().has(name), channel.last_used()));
        let channel = match open {
            Some(channel) => channel.clone(),
            None => {
                if channels.len() >= MAX_CHANNELS {
                    let idle = channels.iter().filter(|channel| !channel.is_used());
                    let idle = idle.min_by_key(|channel| channel.last_used()).cloned().ok_or(OpenError::Full)?;
                    idle.end(None);
                    channels.retain(|channel| !Arc::ptr_eq(channel, &idle));
                }
                let channel = self.start(options, request)?;
                gst::info!(CAT, "{channel}: listening");
                channels.push(channel.clone());
                channel
            }
        };
        channel.enter();
        let object_timeout = request.object_timeout.unwrap_or_else(|| channel.object_timeout());
        Ok(User { channel, object_timeout, linger: request.linger, interrupted: AtomicBool::new(false) })
    }

    fn start(self: &Arc<Self>, options: Options, request: &Request) -> Result<Arc<Channel>, OpenError> {
        let socket = ReceiveSocket::open(&request.network)?;
        let config = request.receiver.clone().mode(Mode::KeepUpdated);
        let wake = socket.waker();
        let objects = ObjectStore::new(config.limits.max_memory, config.spool_directory.clone(), move || wake.nudge());
        let objects = Arc::new(objects);
        let receiver = Receiver::with_destinations(config, {
            let objects = objects.clone();
            move |object| objects.destination(object)
        });
        let session = Arc::new(SharedReceiver::of(receiver));
        let channel = Channel::new(options, session.clone(), socket.waker(), objects, request.object_timeout);
        let channel = Arc::new(channel);
        let listener = ChannelListener::new(channel.clone(), self.clone());
        ReceiverThread::start(socket, session, listener).map_err(OpenError::Thread)?.detach();
        Ok(channel)
    }

    /// Takes a channel out of the table. `false` if it has users and `unused` is asked for.
    fn remove(&self, channel: &Arc<Channel>, unused: bool) -> bool {
        let mut channels = self.channels.lock().unwrap();
        if unused && channel.is_used() {
            return false;
        }
        channels.retain(|other| !Arc::ptr_eq(other, channel));
        true
    }
}

/// Takes objects from a channel, and keeps it open.
#[derive(Debug)]
pub(crate) struct User {
    channel: Arc<Channel>,
    object_timeout: Duration,
    linger: Duration,
    interrupted: AtomicBool,
}

impl User {
    /// The newest version of an object with this name, which is waited for.
    pub(crate) fn object(&self, name: &LocationPath) -> Result<Arc<StoredObject>, Missing> {
        self.channel.objects().wait(name, self.object_timeout, &self.interrupted)
    }

    /// While interrupted nothing is waited for.
    pub(crate) fn set_interrupted(&self, interrupted: bool) {
        self.channel.objects().wake_after(|| self.interrupted.store(interrupted, Ordering::Release));
    }

    /// Where an object is found over HTTP, on this machine, as long as there are users.
    pub(crate) fn http_url(&self, path: &str) -> std::io::Result<String> {
        self.channel.http_url(path)
    }

    /// What receives.
    pub(crate) fn session(&self) -> &Arc<SharedReceiver> {
        self.channel.session()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.channel.leave(self.linger);
    }
}

#[cfg(test)]
mod tests;
