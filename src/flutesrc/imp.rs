// SPDX-License-Identifier: MPL-2.0

/**
 * SECTION:element-flutesrc
 *
 * Receives FLUTE sessions (RFC 6726, RFC 3926): takes the packets and pushes every completed object as one buffer, with
 * a `FluteObjectMeta` that says its Content-Location, Content-Type, TSI, TOI and more, and with the caps that its
 * Content-Type means.
 *
 * If the pad `sink` is linked, the packets come from there, as buffers or buffer lists: from `udpsrc`, `srtsrc`,
 * `pcapparse`, `appsrc`. Timestamps that are wall-clock times, as `pcapparse` sets them, become the time of the session,
 * so that an old capture has not expired. If it is not, the element receives by itself: from `address` and `port`, a
 * group that it joins on `multicast-iface`, or from what `uri` says, and is a live source.
 *
 * The pad `src` delivers the objects that match the properties `location` and `content-type`, which are globs. Further
 * pads can be requested (`src_%u`), each with its own `location`, `content-type` and `tsi`. An object goes to every
 * linked pad that it matches. One thread serves all pads, so that each of several needs a `queue` behind it, as with
 * `tee`. The stream is one of bytes, in which objects follow each other.
 *
 * `source-filter` names the one sender to listen to: the group is joined for it only (source-specific multicast), and
 * packets of others are ignored.
 *
 * What a sender can make the element keep in memory is bounded by `max-memory` and the other limits. Long objects can be
 * kept in files instead: set `spool-directory`.
 *
 * ## One object, and players
 *
 * Where the `uri` has a path, and the pad `sink` is not linked, the element is a source as of a file: it waits for that
 * object, pushes it on the pad `src`, and ends. Long objects come in pieces, which have no `FluteObjectMeta`. It seeks in bytes, also before it starts, and is not live. Caps
 * say what the Content-Type says, or the ending of the name where that says little; without either a typefind element
 * looks for itself. So `flute://` URIs of MPD and M3U8 play in `playbin`, `playbin3`, `uridecodebin`, `urisourcebin`,
 * `gst-play-1.0` and `gst-discoverer-1.0`.
 *
 * The URI is `flute://[source@]address:port/path?tsi=…&source=…&interface=…&timeout=…`. The path is the end of a
 * Content-Location, whole segments of it, without regard to percent-encoding, query and fragment: an object
 * `http://example.com/a/live.mpd` is found as `flute://239.1.1.1:3400/live.mpd`, `/a/live.mpd` and
 * `/example.com/a/live.mpd`. If several match it is the one of just this name, else the newest. Of each the newest version
 * is delivered. So segments are found too that a manifest names relative to itself.
 *
 * What receives belongs to the process. All elements with the same address and port share a session; one that leaves `tsi`,
 * `source` or `interface` out takes any, and inherits the `timeout`, since URIs that are relative to that of a manifest
 * lose its options. Two sessions on one address and port in one process are told apart by the objects that they have. A
 * session begins with the first element that is started, with the limits that this one has, and ends `linger` after the last
 * is in NULL. There are at most 64 at a time, of which those that linger make room. Completed objects are kept for those
 * who will ask for them, up to `max-memory`. What goes first: what is stale by its Cache-Control, then media that
 * somebody has taken, then media that nobody has taken yet, and manifests and initialisation segments at last; in each
 * case the oldest first. What has gone is received again if it is repeated.
 *
 * An object that is missing is waited for. If nothing of it comes for `timeout` (15 seconds if that is 0) the element posts
 * an error RESOURCE/NOT_FOUND, whose details have `http-status-code=404`, and ends. It does so at once when the sender has
 * closed the session, or said that it is complete without that object.
 *
 * The adaptive demuxers of `playbin3` and `urisourcebin` (plugin adaptivedemux2) fetch by themselves, over HTTP. When one
 * of them asks for the URI it is redirected to a server on the loopback interface, which gives out the objects of the
 * session while that has users. It has a port of its own and an address that cannot be guessed.
 *
 * ## Media segments in front of demuxers
 *
 * With `order=auto` a pad that leads to a demuxer, `decodebin` or `decodebin3`, over queues and the like, delivers what
 * those play without a manifest; `order=media` does so in front of anything. That is the initialisation of fragmented MP4,
 * then the segments in sequence, of MP4 or of a transport stream. Segments wait for an initialisation that comes later,
 * in a carousel; one that is repeated is left out, and one that has changed goes before its segments. Manifests and what
 * else is no media are left out.
 *
 * The sequence is that of the numbers in the names (`seg_00001.m4s`), else that of the times of the media. A missing
 * segment is left out when one behind it has waited for `segment-deadline`, or when it is lost for certain; the next
 * buffer is marked DISCONT then. One that comes too late is dropped.
 *
 * A pad delivers one representation: that of the first initialisation, or of the first segment of a transport stream. If
 * others match as well there is a warning: set `location` to a glob for one of them, and take video and audio from a pad
 * each.
 *
 * Buffers are in a segment of time, with the decode time of their media as PTS: the first one plays when it came, and the
 * pads of an element keep to the same time, so that video and audio are in sync. `segment-deadline` is the latency that
 * the element answers. Objects that wait count up to `max-memory` on each pad. `stats` says what became of the objects
 * of these pads.
 *
 * ## Limits, ends and messages
 *
 * With `eos-on-close` the stream ends when the sender has closed its sessions.
 *
 * Element messages: `flute-session-opened`, `flute-fdt`, `flute-object-received`, `flute-object-lost` (with `reason`,
 * `missing-symbols` and `blocks`), `flute-session-closed`, and `flute-timeout` when nothing came for `timeout`; of media
 * segments `flute-segments-missing` (`pad`, `content-location` of the next one and `count`) and `flute-segment-late`. Objects
 * of 8 MiB and more post progress messages. When a limit is reached for the first time there is a warning.
 *
 * ## Example pipelines
 *
 * ```bash
 * gst-launch-1.0 flutesrc address=239.1.1.1 port=3400 ! flutedirsink location=received
 * ```
 *
 * Receives everything into a folder.
 *
 * ```bash
 * gst-launch-1.0 udpsrc address=239.1.1.1 port=3400 ! flutesrc eos-on-close=true ! flutedirsink location=received
 * ```
 *
 * Lets udpsrc do the network, and ends with the session.
 *
 * ```bash
 * gst-launch-1.0 filesrc location=session.pcap ! pcapparse dst-port=3400 ! flutesrc ! flutedirsink location=received
 * ```
 *
 * Takes the objects out of a capture.
 *
 * ```bash
 * gst-launch-1.0 flutesrc uri="flute://10.0.0.1@232.1.1.1:3400?tsi=7&iface=eth0" location="*.ts" ! tsdemux ! fakesink
 * ```
 *
 * Listens to one session of one sender, and demuxes its MPEG-TS segments.
 *
 * ```bash
 * gst-play-1.0 "flute://239.1.1.1:3400/live.mpd?tsi=1"
 * ```
 *
 * Plays a DASH presentation straight from multicast.
 *
 * ```bash
 * gst-launch-1.0 flutesrc uri="flute://239.1.1.1:3400/movie.mp4?timeout=600" ! filesink location=movie.mp4
 * ```
 *
 * Takes one object out of a carousel, which may need ten minutes to come to it.
 *
 * ```bash
 * gst-launch-1.0 flutesrc address=239.1.1.1 port=3400 name=f src_0::location="video*" src_1::location="audio*" \
 *     f.src_0 ! queue ! qtdemux ! h264parse ! avdec_h264 ! videoconvert ! autovideosink \
 *     f.src_1 ! queue ! qtdemux ! aacparse ! avdec_aac ! audioconvert ! autoaudiosink
 * ```
 *
 * Plays segments of fragmented MP4, without a manifest.
 *
 * ```bash
 * gst-launch-1.0 udpsrc address=239.1.1.1 port=3400 ! flutesrc location="*.ts" segment-deadline=4000000000 ! decodebin3 \
 *     ! videoconvert ! autovideosink
 * ```
 *
 * Plays segments of a transport stream, and waits four seconds for a missing one.
 *
 * Since: 0.1
 */
use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex};

use flute_proto::receiver::{ReceiverConfig, ReceiverStats, SessionId};
use gio::prelude::*;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::FluteSrcPad;
use super::messages;
use super::network::Enqueue;
use super::object::OneObject;
use super::pad::StreamStart;
use super::queue::{Notice, Queue};
use super::settings::{self, Settings};
use super::timeline::Timeline;
use crate::debug::FLUTESRC as CAT;
use crate::reception::{Reception, Session};
use crate::registry::User;
use crate::uri;
use flute_net::ReceiveSocket;

/// Where the packets come from.
#[derive(Debug)]
pub(super) enum Input {
    /// The pad `sink`.
    Pad,
    /// A socket of our own.
    Network { queue: Arc<Queue>, reception: Reception },
    /// A session of the process, for one object.
    Registry(Arc<User>),
}

/// What exists while the element runs.
#[derive(Debug)]
pub(super) struct State {
    pub(super) session: Arc<Session>,
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
}

#[derive(Debug, Default)]
pub(super) struct Pads {
    pub(super) sink: Option<gst::Pad>,
    pub(super) requested: Vec<FluteSrcPad>,
    pub(super) next_number: u32,
}

pub struct FluteSrc {
    pub(super) srcpad: FluteSrcPad,
    pub(super) pads: Mutex<Pads>,
    pub(super) settings: Mutex<Settings>,
    pub(super) state: Mutex<Option<State>>,
    /// The one object that the URI names, if it names one.
    pub(super) object: OneObject,
    /// The statistics of the run before, to be read after the end.
    last_stats: Mutex<ReceiverStats>,
}

impl FluteSrc {
    pub(super) fn source_pads(&self) -> Vec<FluteSrcPad> {
        let pads = self.pads.lock().unwrap();
        std::iter::once(&self.srcpad).chain(&pads.requested).cloned().collect()
    }

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
    fn prepare(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings.lock().unwrap().clone();
        let config = settings.receiver_config().map_err(unusable)?;
        let (input, session, stream_id) = if self.pads.lock().unwrap().sink.is_some() {
            (Input::Pad, Arc::new(Session::new(config.clone())), self.obj().name().to_string())
        } else if let Some(path) = &settings.path {
            let user = self.open_object(&settings.request().map_err(unusable)?, path)?;
            let session = user.session().clone();
            (Input::Registry(user), session, settings.uri().unwrap_or_default())
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
        });
        Ok(())
    }

    /// Opens a socket and starts to receive from it.
    fn listen(
        &self,
        settings: &Settings,
        config: &ReceiverConfig,
    ) -> Result<(Input, Arc<Session>, String), gst::ErrorMessage> {
        let network = settings.receive_config().map_err(unusable)?;
        let socket = ReceiveSocket::open(&network)
            .map_err(|error| gst::error_msg!(gst::ResourceError::OpenRead, ("{error}")))?;
        let (local, granted) = (socket.local_address(), socket.buffer_size());
        gst::info!(CAT, imp = self, "listening on {local}, kernel buffer of {granted} bytes");
        if granted < network.buffer_size {
            gst::info!(CAT, imp = self, "{} bytes were asked for: raise net.core.rmem_max", network.buffer_size);
        }
        let session = Arc::new(Session::new(config.clone()));
        let queue = Arc::new(Queue::new(settings.max_memory));
        let reception = Reception::start(socket, session.clone(), Enqueue::new(queue.clone(), settings.silence()))
            .map_err(|error| gst::error_msg!(gst::ResourceError::Failed, ("no thread to receive: {error}")))?;
        Ok((Input::Network { queue, reception }, session, local.to_string()))
    }

    /// The queue of the network, where the element receives by itself.
    pub(super) fn queue(&self) -> Option<Arc<Queue>> {
        match &self.state.lock().unwrap().as_ref()?.input {
            Input::Network { queue, .. } => Some(queue.clone()),
            Input::Pad | Input::Registry(_) => None,
        }
    }

    /// What brings the one object, where there is only one.
    pub(super) fn user(&self) -> Option<Arc<User>> {
        match &self.state.lock().unwrap().as_ref()?.input {
            Input::Registry(user) => Some(user.clone()),
            Input::Pad | Input::Network { .. } => None,
        }
    }

    /// PAUSED to READY, first half: unblocks the task.
    fn unlock(&self) {
        match self.state.lock().unwrap().as_ref() {
            Some(State { input: Input::Network { queue, .. }, .. }) => queue.set_flushing(true),
            Some(State { input: Input::Registry(user), .. }) => user.set_interrupted(true),
            Some(State { input: Input::Pad, session, .. }) => session.interrupt(),
            None => (),
        }
    }

    /// PAUSED to READY, second half, with inactive pads.
    fn release(&self) {
        let _ = self.srcpad.stop_task();
        let state = self.state.lock().unwrap().take();
        if let Some(state) = state {
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

fn unusable(error: settings::SettingsError) -> gst::ErrorMessage {
    gst::error_msg!(gst::ResourceError::Settings, ("{error}"))
}

#[glib::object_subclass]
impl ObjectSubclass for FluteSrc {
    const NAME: &'static str = "GstFluteSrc";
    type Type = super::FluteSrc;
    type ParentType = gst::Element;
    type Interfaces = (gst::ChildProxy, gst::URIHandler);

    fn with_class(class: &Self::Class) -> Self {
        let template = class.pad_template("src").expect("the class has the template");
        Self {
            srcpad: Self::build_source(&template, "src"),
            pads: Mutex::default(),
            settings: Mutex::default(),
            state: Mutex::default(),
            object: OneObject::default(),
            last_stats: Mutex::default(),
        }
    }
}

impl ObjectImpl for FluteSrc {
    fn constructed(&self) {
        self.parent_constructed();
        self.obj().add_pad(&self.srcpad).expect("the element has no other pad");
        self.obj().set_element_flags(gst::ElementFlags::SOURCE);
    }

    fn properties() -> &'static [glib::ParamSpec] {
        settings::properties()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let text = || value.get::<Option<String>>().expect("the type was checked");
        let set = match pspec.name() {
            "uri" => self.set_uri(text().as_deref().unwrap_or_default()).map_err(|error| error.message().to_owned()),
            "location" => self.srcpad.set_location(text()).map_err(|error| error.to_string()),
            "content-type" => self.srcpad.set_content_type(text()).map_err(|error| error.to_string()),
            name => {
                self.settings.lock().unwrap().set(name, value);
                Ok(())
            }
        };
        match set {
            Ok(()) => gst::info!(CAT, imp = self, "{} is now {value:?}", pspec.name()),
            Err(error) => gst::error!(CAT, imp = self, "{} is not set: {error}", pspec.name()),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            name @ ("location" | "content-type") => self.srcpad.property_value(name),
            "stats" => {
                let session = self.state.lock().unwrap().as_ref().map(|state| state.session.clone());
                let stats = match session {
                    Some(session) => session.stats(),
                    None => self.last_stats.lock().unwrap().clone(),
                };
                messages::stats(&stats, &self.source_pads()).to_value()
            }
            name => self.settings.lock().unwrap().get(name),
        }
    }
}

impl GstObjectImpl for FluteSrc {}

impl ElementImpl for FluteSrc {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "FLUTE source",
                "Source/Network",
                "Receives the objects of FLUTE sessions (RFC 6726), from packets or by itself",
                "gst-plugin-flute authors",
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        use gst::{PadDirection, PadPresence};
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let any = gst::Caps::new_any();
            let source = |name, presence| {
                gst::PadTemplate::with_gtype(name, PadDirection::Src, presence, &any, FluteSrcPad::static_type())
                    .expect("the template is valid")
            };
            vec![
                gst::PadTemplate::new("sink", PadDirection::Sink, PadPresence::Request, &any)
                    .expect("the template is valid"),
                source("src", PadPresence::Always),
                source("src_%u", PadPresence::Request),
            ]
        });
        &TEMPLATES
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        match template.direction() {
            gst::PadDirection::Sink => self.request_sink(template),
            _ => self.request_source(template, name),
        }
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let _ = pad.set_active(false);
        let is_sink = {
            let mut pads = self.pads.lock().unwrap();
            let is_sink = pads.sink.as_ref() == Some(pad);
            if is_sink {
                pads.sink = None;
            }
            pads.requested.retain(|requested| requested.upcast_ref::<gst::Pad>() != pad);
            is_sink
        };
        if is_sink {
            self.obj().set_element_flags(gst::ElementFlags::SOURCE);
        } else if let Some(state) = self.state.lock().unwrap().as_mut() {
            state.flows.remove_pad(pad);
        }
        let _ = self.obj().remove_pad(pad);
        if !is_sink {
            self.obj().child_removed(pad, &pad.name());
        }
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        use gst::StateChange;
        gst::debug!(CAT, imp = self, "{transition:?}");
        match transition {
            StateChange::ReadyToPaused => {
                self.prepare().map_err(|error| {
                    self.post_error_message(error);
                    gst::StateChangeError
                })?;
            }
            StateChange::PlayingToPaused => {
                if let Some(queue) = self.queue() {
                    queue.set_playing(false);
                }
            }
            StateChange::PausedToReady => self.unlock(),
            _ => (),
        }
        let changed = self.parent_change_state(transition);
        match transition {
            StateChange::PausedToReady => self.release(),
            StateChange::ReadyToPaused if changed.is_err() => {
                self.unlock();
                self.release();
            }
            StateChange::ReadyToNull => self.object.leave(),
            _ => (),
        }
        let changed = changed?;
        match (transition, self.queue()) {
            (StateChange::ReadyToPaused, queue) => {
                let is_live = queue.is_some();
                self.start_task(queue)?;
                Ok(if is_live { gst::StateChangeSuccess::NoPreroll } else { changed })
            }
            (StateChange::PlayingToPaused, Some(_)) => Ok(gst::StateChangeSuccess::NoPreroll),
            (StateChange::PausedToPlaying, Some(queue)) => {
                queue.set_playing(true);
                Ok(changed)
            }
            _ => Ok(changed),
        }
    }

    fn send_event(&self, event: gst::Event) -> bool {
        gst::debug!(CAT, imp = self, "{event:?}");
        if matches!(event.view(), gst::EventView::Seek(_)) && self.is_for_one_object() {
            return self.seek(&event);
        }
        let Some(queue) = self.queue() else { return self.parent_send_event(event) };
        match event.view() {
            gst::EventView::Eos(_) => queue.push(Notice::Eos),
            gst::EventView::FlushStart(_) => {
                queue.set_flushing(true);
                self.push_event(&event)
            }
            gst::EventView::FlushStop(_) => {
                // The task has noticed when it is no longer in a round.
                drop(self.srcpad.stream_lock());
                self.restart();
                let sent = self.push_event(&event);
                queue.set_flushing(false);
                self.start_task(Some(queue)).is_ok() && sent
            }
            _ => self.parent_send_event(event),
        }
    }
}

impl ChildProxyImpl for FluteSrc {
    fn child_by_index(&self, index: u32) -> Option<glib::Object> {
        self.source_pads().into_iter().nth(index as usize).map(Cast::upcast)
    }

    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        self.source_pads().into_iter().find(|pad| pad.name() == name).map(Cast::upcast)
    }

    fn children_count(&self) -> u32 {
        self.source_pads().len() as u32
    }
}

impl URIHandlerImpl for FluteSrc {
    const URI_TYPE: gst::URIType = gst::URIType::Src;

    fn protocols() -> &'static [&'static str] {
        &[uri::SCHEME]
    }

    fn uri(&self) -> Option<String> {
        self.settings.lock().unwrap().uri()
    }

    fn set_uri(&self, uri: &str) -> Result<(), glib::Error> {
        if self.state.lock().unwrap().is_some() {
            return Err(glib::Error::new(
                gst::URIError::BadState,
                "the URI cannot change while the element is running",
            ));
        }
        let path = {
            let mut settings = self.settings.lock().unwrap();
            settings.set_uri(uri)?;
            settings.path.clone()
        };
        self.srcpad.set_path(path);
        Ok(())
    }
}
