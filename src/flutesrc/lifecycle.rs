// SPDX-License-Identifier: MPL-2.0

//! What exists while the element runs, how it begins and how it ends.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use flute_net::ReceiveSocket;
use flute_proto::receiver::ReceiverConfig;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::enqueue::Enqueue;
use super::imp::FluteSrc;
use super::losses::{FdtReasons, Losses};
use super::pad::StreamStart;
use super::progress::Progress;
use super::queue::Queue;
use super::settings::{Settings, SettingsError};
use super::state::{Input, State};
use super::timeline::Timeline;
use crate::debug::FLUTESRC as CAT;
use crate::shared_sessions::User;
use flute_net::reception::{ReceiverThread, SharedReceiver};

/// Asks elements downstream for the folder in which files without a name have to be, so that they can be given one.
const SPOOL_DIRECTORY_QUERY: &str = "flute-spool-directory";

impl FluteSrc {
    /// The task pushes what the network brought, or one object, or does what is due while no packets come over the pad.
    pub(super) fn start_task(&self, queue: Option<Arc<Queue>>) -> Result<(), gst::StateChangeError> {
        let element = self.obj().downgrade();
        // A task lives as long as the messages that tell of it, and must not keep a session alive.
        let task = move || {
            let Some(element) = element.upgrade() else { return };
            let element = element.imp();
            match (&queue, element.user()) {
                (Some(queue), _) => element.push_next(queue),
                (None, Some(user)) => element.push_piece(&user),
                (None, None) => element.meet_deadline(),
            }
        };
        self.srcpad.start_task(task).map_err(|error| {
            gst::error!(CAT, imp = self, "the task does not start: {error}");
            gst::StateChangeError
        })
    }

    /// READY to PAUSED, first half: everything that can go wrong.
    pub(super) fn prepare(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings.lock().unwrap().clone();
        let config = settings.receiver_config(self.spool_directory()).map_err(unusable)?;
        let (input, session, stream_id) = if self.pads.lock().unwrap().sink.is_some() {
            (Input::Pad, Arc::new(SharedReceiver::new(config.clone())), self.obj().name().to_string())
        } else if self.is_for_one_object() {
            let path = settings.path.as_deref().unwrap_or_default();
            let user = self.open_object(&settings.request(config.clone()).map_err(unusable)?, path)?;
            let session = user.session().clone();
            (Input::SharedSessions(user), session, settings.uri().unwrap_or_default())
        } else {
            self.listen(&settings, &config)?
        };
        let mut flows = gst_base::UniqueFlowCombiner::new();
        for pad in self.source_pads() {
            flows.add_pad(&pad);
        }
        *self.state.lock().unwrap() = Some(State {
            session,
            config,
            input,
            start: StreamStart { stream_id, group_id: gst::GroupId::next() },
            timeline: Timeline::default(),
            flows,
            open_sessions: HashSet::new(),
            closed_by_sender: false,
            ended: false,
            losses: Losses::default(),
            fdt_reasons: FdtReasons::default(),
            progress: Progress::default(),
            told_malformed: false,
        });
        Ok(())
    }

    /// The folder for long objects where none is set: that of an element downstream which can give the files their names,
    /// such as `flutedirsink`, else the system's temporary folder.
    fn spool_directory(&self) -> PathBuf {
        let mut query = gst::query::Custom::new(gst::Structure::new_empty(SPOOL_DIRECTORY_QUERY));
        let answered = self.source_pads().iter().any(|pad| pad.peer_query(&mut query));
        let folder = query.structure().filter(|_| answered).and_then(|answer| answer.get::<String>("directory").ok());
        let folder = folder.map(PathBuf::from).filter(|folder| folder.is_dir());
        gst::debug!(CAT, imp = self, "the elements downstream want long objects in {folder:?}");
        folder.unwrap_or_else(std::env::temp_dir)
    }

    /// Opens a socket and starts to receive from it.
    fn listen(
        &self,
        settings: &Settings,
        config: &ReceiverConfig,
    ) -> Result<(Input, Arc<SharedReceiver>, String), gst::ErrorMessage> {
        let network = settings.receive_config().map_err(unusable)?;
        let socket = ReceiveSocket::open(&network)
            .map_err(|error| gst::error_msg!(gst::ResourceError::OpenRead, ("{error}")))?;
        let (local, granted) = (socket.local_address(), socket.buffer_size());
        gst::info!(CAT, imp = self, "listening on {local}, kernel buffer of {granted} bytes");
        if granted < network.buffer_size {
            gst::info!(CAT, imp = self, "{} bytes were asked for: raise net.core.rmem_max", network.buffer_size);
        }
        let session = Arc::new(SharedReceiver::new(config.clone()));
        let queue = Arc::new(Queue::new(settings.max_memory));
        let reception = ReceiverThread::start(socket, session.clone(), Enqueue::new(queue.clone(), settings.silence()))
            .map_err(|error| gst::error_msg!(gst::ResourceError::Failed, ("no thread to receive: {error}")))?;
        Ok((Input::Network { queue, reception }, session, local.to_string()))
    }

    /// The queue of the network, where the element receives by itself.
    pub(super) fn queue(&self) -> Option<Arc<Queue>> {
        match &self.state.lock().unwrap().as_ref()?.input {
            Input::Network { queue, .. } => Some(queue.clone()),
            Input::Pad | Input::SharedSessions(_) => None,
        }
    }

    /// What brings the one object, where there is only one.
    pub(super) fn user(&self) -> Option<Arc<User>> {
        match &self.state.lock().unwrap().as_ref()?.input {
            Input::SharedSessions(user) => Some(user.clone()),
            Input::Pad | Input::Network { .. } => None,
        }
    }

    /// PAUSED to READY, first half: unblocks the task.
    pub(super) fn unlock(&self) {
        match self.state.lock().unwrap().as_ref() {
            Some(State { input: Input::Network { queue, .. }, .. }) => queue.set_flushing(true),
            Some(State { input: Input::SharedSessions(user), .. }) => user.set_interrupted(true),
            Some(State { input: Input::Pad, session, .. }) => session.interrupt(),
            None => (),
        }
    }

    /// PAUSED to READY, second half, with inactive pads.
    pub(super) fn release(&self) {
        let _ = self.srcpad.stop_task();
        let state = self.state.lock().unwrap().take();
        if let Some(mut state) = state {
            self.tell_losses(&mut state.losses);
            if let Input::Network { reception, .. } = state.input {
                drop(reception);
            }
            *self.last_stats.lock().unwrap() = state.session.stats();
        }
        self.object.rewind();
        for pad in self.source_pads() {
            pad.reset();
        }
    }
}

fn unusable(error: SettingsError) -> gst::ErrorMessage {
    gst::error_msg!(gst::ResourceError::Settings, ("{error}"))
}
