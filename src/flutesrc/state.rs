// SPDX-License-Identifier: MPL-2.0

//! What exists while the element runs.

use std::collections::HashSet;
use std::sync::Arc;

use flute_net::reception::{ReceiverThread, SharedReceiver};
use flute_proto::receiver::{ReceiverConfig, SessionId};

use super::losses::{FdtReasons, Losses};
use super::pad::StreamStart;
use super::progress::Progress;
use super::queue::Queue;
use super::timeline::Timeline;
use crate::shared_sessions::User;

/// Where the packets come from.
#[derive(Debug)]
pub(super) enum Input {
    /// The pad `sink`.
    Pad,
    /// A socket of our own.
    Network { queue: Arc<Queue>, reception: ReceiverThread },
    /// A session of the process, for one object.
    SharedSessions(Arc<User>),
}

/// What exists while the element runs.
#[derive(Debug)]
pub(super) struct State {
    pub(super) session: Arc<SharedReceiver>,
    pub(super) config: ReceiverConfig,
    pub(super) input: Input,
    pub(super) start: StreamStart,
    /// Where media is on the running time.
    pub(super) timeline: Timeline,
    pub(super) flows: gst_base::UniqueFlowCombiner,
    /// Sessions that have not been closed.
    pub(super) open_sessions: HashSet<SessionId>,
    /// A sender closed a session.
    pub(super) closed_by_sender: bool,
    /// EOS was pushed.
    pub(super) ended: bool,
    pub(super) losses: Losses,
    pub(super) fdt_reasons: FdtReasons,
    pub(super) progress: Progress,
    /// It was told that there are packets that are none of ALC.
    pub(super) told_malformed: bool,
}
