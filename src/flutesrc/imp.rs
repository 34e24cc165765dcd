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
 * What a sender can make the element keep in memory is bounded by `max-memory` and the other limits. Long objects
 * are kept in files without a name: in `spool-directory`; where that is not set, those of more than half of `max-memory`
 * in the folder of a `flutedirsink` downstream, which gives them their names, or in the system's temporary folder.
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
 * a source has taken, then media that none has taken yet, and manifests and initialisation segments at last; in each
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
 * that take two seconds and more post progress messages, at most two each second. When a limit is reached for the first time there is a warning.
 *
 * A lost object is a warning: its name, how much was missing and why; and what to do about it in the details. At the end
 * one more says how many were lost. `on-loss=error` makes an error of the first loss, for scripts, and `on-loss=ignore`
 * leaves it at the element message. Of many losses in a short time not all are told one by one, but all are counted.
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
use std::sync::{LazyLock, Mutex};

use flute_net::reception::Statistics;
use gio::prelude::*;
use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::FluteSrcPad;
use super::enums::{OnLoss, ReceiveMode, SegmentOrder};
use super::messages;
use super::one_object::OneObject;
use super::queue::Notice;
use super::settings::{self, Settings};
use super::state::State;
use crate::debug::FLUTESRC as CAT;
use crate::uri::bad_uri;

#[derive(Debug, Default)]
pub(super) struct Pads {
    pub(super) sink: Option<gst::Pad>,
    pub(super) requested: Vec<FluteSrcPad>,
    pub(super) next_number: u32,
}

/// The element.
#[derive(glib::Properties)]
#[properties(wrapper_type = super::FluteSrc)]
pub struct FluteSrc {
    pub(super) srcpad: FluteSrcPad,
    pub(super) pads: Mutex<Pads>,
    #[property(name = "uri", nick = "URI", type = Option<String>, get = Self::uri_property, set = Self::set_uri_property, nullable,
        blurb = "flute://[source@]address:port[/path][?tsi=1&interface=eth0&timeout=5]: sets the properties that say the same; \
             with a path only that object is delivered, and then EOS",
        mutable_ready)]
    #[property(name = "address", nick = "Address", type = Option<String>, get, set, nullable, member = address,
        blurb = "IP address or name of the multicast group, or of this machine, to receive on; an IPv6 address of link scope has its interface, as in ff12::1%eth0",
        mutable_ready)]
    #[property(name = "port", nick = "Port", type = i32, get, set, member = port, minimum = 0, maximum = u16::MAX.into(), default = settings::DEFAULT_PORT,
        blurb = "UDP port to receive on (0 = any that is free)",
        mutable_ready)]
    #[property(name = "multicast-iface", nick = "Multicast interface", type = Option<String>, get, set, nullable, member = multicast_iface,
        blurb = "Interfaces on which the group is joined, by name or IPv4 address, separated by commas (unset = the system's choice)",
        mutable_ready)]
    #[property(name = "source-filter", nick = "Source filter", type = Option<String>, get, set, nullable, member = source_filter,
        blurb = "IP address of the one sender to listen to: joins as source-specific multicast, and ignores packets of others",
        mutable_ready)]
    #[property(name = "buffer-size", nick = "Buffer size", type = i32, get, set, member = buffer_size, minimum = 0, default = settings::DEFAULT_BUFFER_SIZE,
        blurb = "Size of the kernel's receive buffer in bytes, as far as the system allows (0 = its default)",
        mutable_ready)]
    #[property(name = "timeout", nick = "Timeout", type = u64, get, set, member = timeout, default = settings::DEFAULT_TIMEOUT,
        blurb = "Post an element message flute-timeout after so many nanoseconds without a packet (0 = never); where the URI has \
             a path, give up after so many without anything of that object (0 = 15 s)",
        mutable_ready)]
    #[property(name = "auto-multicast", nick = "Auto multicast", type = bool, get, set, member = auto_multicast, default = settings::DEFAULT_AUTO_MULTICAST,
        blurb = "Join the group, if the address is one",
        mutable_ready)]
    #[property(name = "r#loop", nick = "Multicast loopback", type = bool, get, set, member = multicast_loop, default = settings::DEFAULT_LOOP,
        blurb = "Receive what this machine sends to the group, on systems where the receiver decides that",
        mutable_ready)]
    #[property(name = "reuse", nick = "Reuse", type = bool, get, set, member = reuse, default = settings::DEFAULT_REUSE,
        blurb = "Share the port with other sockets that allow it",
        mutable_ready)]
    #[property(name = "tsi", nick = "TSI", type = i64, get, set, member = tsi, minimum = -1, maximum = settings::MAX_TSI, default = settings::DEFAULT_TSI,
        blurb = "Take only the session with this Transport Session Identifier (-1 = any)",
        mutable_ready)]
    #[property(name = "mode", nick = "Mode", type = ReceiveMode, get, set, member = mode,
        blurb = "Which objects are delivered, and how often", mutable_ready, builder(ReceiveMode::default()))]
    #[property(name = "location", nick = "Location", type = Option<String>, get = Self::location_property, set = Self::set_location_property, nullable,
        blurb = "Glob on the Content-Location of the objects that the src pad delivers, e.g. *.{mpd,m4s} (unset = all)",
        mutable_playing)]
    #[property(name = "content-type", nick = "Content type", type = Option<String>, get = Self::content_type_property, set = Self::set_content_type_property, nullable,
        blurb = "Glob on the Content-Type of the objects that the src pad delivers, e.g. video/* (unset = all)",
        mutable_playing)]
    #[property(name = "eos-on-close", nick = "EOS on close", type = bool, get, set, member = eos_on_close, default = settings::DEFAULT_EOS_ON_CLOSE,
        blurb = "End the stream when the sender has closed every session that was open",
        mutable_playing)]
    #[property(name = "on-loss", nick = "On loss", type = OnLoss, get, set, member = on_loss,
        blurb = "What is done when an object is lost, besides the element message flute-object-lost", mutable_playing,
        builder(OnLoss::default()))]
    #[property(name = "order", nick = "Order", type = SegmentOrder, get, set, member = order,
        blurb = "In which order the pads deliver objects", mutable_ready, builder(SegmentOrder::default()))]
    #[property(name = "segment-deadline", nick = "Segment deadline", type = u64, get, set, member = segment_deadline, default = settings::DEFAULT_SEGMENT_DEADLINE,
        blurb = "Nanoseconds for which a media segment waits for one before it that is missing: the latency of media",
        mutable_ready)]
    #[property(name = "max-memory", nick = "Max. memory", type = u64, get, set, member = max_memory, default = Settings::default().max_memory,
        blurb = "Bytes that are kept on behalf of one session, and of completed objects that wait for downstream",
        mutable_ready)]
    #[property(name = "max-sessions", nick = "Max. sessions", type = u32, get, set, member = max_sessions, minimum = 1, default = Settings::default().max_sessions,
        blurb = "Sessions at a time",
        mutable_ready)]
    #[property(name = "max-objects", nick = "Max. objects", type = u32, get, set, member = max_objects, minimum = 1, default = Settings::default().max_objects,
        blurb = "Objects of a session that are incomplete or remembered",
        mutable_ready)]
    #[property(name = "max-object-size", nick = "Max. object size", type = u64, get, set, member = max_object_size, default = Settings::default().max_object_size,
        blurb = "Bytes of an object after content decoding (0 = no other bound than the memory)",
        mutable_ready)]
    #[property(name = "max-expansion", nick = "Max. expansion", type = u32, get, set, member = max_expansion, minimum = 1, default = Settings::default().max_expansion,
        blurb = "Bytes that content decoding may make of a byte, beyond the first MiB",
        mutable_ready)]
    #[property(name = "max-fdt-instances", nick = "Max. FDT Instances", type = u32, get, set, member = max_fdt_instances, minimum = 1, default = Settings::default().max_fdt_instances,
        blurb = "FDT Instances of a session that are remembered",
        mutable_ready)]
    #[property(name = "max-fdt-size", nick = "Max. FDT size", type = u64, get, set, member = max_fdt_size, default = Settings::default().max_fdt_size,
        blurb = "Bytes of an FDT Instance after content decoding",
        mutable_ready)]
    #[property(name = "max-decoding-work", nick = "Max. decoding work", type = u64, get, set, member = max_decoding_work, default = Settings::default().max_decoding_work,
        blurb = "Units of work, of some nanoseconds each, that an attempt to decode one source block may take",
        mutable_ready)]
    #[property(name = "session-timeout", nick = "Session timeout", type = u64, get, set, member = session_timeout, default = Settings::default().session_timeout,
        blurb = "A session that is silent for so many nanoseconds is closed",
        mutable_ready)]
    #[property(name = "linger", nick = "Linger", type = u64, get, set, member = linger, default = settings::DEFAULT_LINGER,
        blurb = "Where the URI has a path: nanoseconds that the session goes on being received after its last user has gone",
        mutable_ready)]
    #[property(name = "spool-directory", nick = "Spool folder", type = Option<String>, get, set, nullable, member = spool_directory,
        blurb = "Folder for long objects, which are kept as files without a name (unset = that of flutedirsink downstream, else the system's temporary folder)",
        mutable_ready)]
    #[property(name = "spool-threshold", nick = "Spool threshold", type = u64, get, set, member = spool_threshold, default = Settings::default().spool_threshold,
        blurb = "Objects of more bytes than this are kept in the spool folder; where neither is set, of more than half of max-memory",
        mutable_ready)]
    pub(super) settings: Mutex<Settings>,
    pub(super) state: Mutex<Option<State>>,
    /// The one object that the URI names, if it names one.
    pub(super) object: OneObject,
    /// The statistics of the run before, to be read after the end.
    pub(super) last_stats: Mutex<Statistics>,
}

impl FluteSrc {
    pub(super) fn source_pads(&self) -> Vec<FluteSrcPad> {
        let pads = self.pads.lock().unwrap();
        std::iter::once(&self.srcpad).chain(&pads.requested).cloned().collect()
    }
}

/// Properties that are more than a field.
impl FluteSrc {
    fn uri_property(&self) -> Option<String> {
        self.settings.lock().unwrap().uri()
    }

    fn set_uri_property(&self, uri: Option<String>) {
        if let Err(error) = self.set_uri(uri.as_deref().unwrap_or_default()) {
            gst::error!(CAT, imp = self, "uri is not set: {}", error.message());
        }
    }

    fn location_property(&self) -> Option<String> {
        self.srcpad.property("location")
    }

    fn set_location_property(&self, glob: Option<String>) {
        self.srcpad.set_property("location", glob);
    }

    fn content_type_property(&self) -> Option<String> {
        self.srcpad.property("content-type")
    }

    fn set_content_type_property(&self, glob: Option<String>) {
        self.srcpad.set_property("content-type", glob);
    }

    fn stats(&self) -> gst::Structure {
        let receiver = self.state.lock().unwrap().as_ref().map(|state| state.session.clone());
        let stats = receiver.map_or_else(|| self.last_stats.lock().unwrap().clone(), |receiver| receiver.stats());
        messages::stats(&stats, &self.source_pads())
    }
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
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            // The derived ones go by their place, so what is not derived comes last.
            let mut properties = FluteSrc::derived_properties().to_vec();
            properties.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb(
                        "Counters of datagrams, of all sessions (totals) and of each (sessions), what each does at present \
                         (bits-per-second, loss-percent, repair-margin-percent …), and of pads that deliver media \
                         (pads); docs/elements/flutesrc.md has every field",
                    )
                    .read_only()
                    .build(),
            );
            properties
        });
        &PROPERTIES
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        gst::info!(CAT, imp = self, "setting {} to {value:?}", pspec.name());
        self.derived_set_property(id, value, pspec);
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
        &[flute_net::SCHEME]
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
            settings.set_uri(uri).map_err(bad_uri)?;
            settings.path.clone()
        };
        self.srcpad.set_path(path);
        Ok(())
    }
}
