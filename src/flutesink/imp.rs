// SPDX-License-Identifier: MPL-2.0

/**
 * SECTION:element-flutesink
 *
 * flutesink sends objects (files, media segments, manifests) over FLUTE (RFC 6726, RFC 3926).
 *
 * Every `sink_%u` pad takes objects. What becomes one is the pad's `next-object`: a buffer, everything up to EOS, or a
 * fragment of fragmented MP4; `auto` looks at what comes in. An object is called what the `FluteObjectMeta` of its
 * buffer says, else the pad's `location`, or that of the element, in which `%05d` counts, else the name of the file that
 * an upstream element reads, else `object-%05d`. Sending a name again replaces the object.
 *
 * A stream that becomes one object can be written in any order: a muxer that completes its header at last finds flutesink
 * seekable, if `next-object` is `stream`.
 *
 * If the `src` pad is requested, packets go there as `application/x-flute`, for udpsink or anything else. If not,
 * flutesink sends them itself to `address` and `port`.
 *
 * Manifests (MPD, M3U8) and initialisations of MP4 go out again every second, so that a receiver can begin at any time;
 * everything else goes out once. A pad's `carousel` changes that, its `repeat-count`, `repeat-delay` and
 * `repeat-interval` say it in numbers, and the fields of the same names in the meta of a buffer for one object.
 *
 * Media of a live source that come with their duration, such as the fragments of a live encoder, are spread over that duration,
 * repair symbols included: a segment of two seconds takes two seconds. A pad's `deadline` sets another time.
 *
 * Packets leave at a rate that networks and receivers take: 20 Mbit/s on the wire, or what `bitrate` says. Objects with a
 * deadline set a pace of their own: as long as `bitrate` is not set, what they need comes on top of the 20 Mbit/s.
 * `bitrate=0` means as fast as possible, which loses packets on most networks. Packets leave at their time, in lists of
 * about a millisecond, and carry that time as their PTS. A sink that synchronises agrees with it; one that does not still gets them at that time.
 *
 * At EOS on all sink pads the session is brought to its end as `eos-policy` says: the last FDT Instance says that it is
 * complete, a packet closes the session, and EOS follows.
 *
 * Applications can add an object without a pad (`add-object`), take one out (`remove-object`) and start a transfer of one
 * (`send-now`) by action signals. In a stream, the custom downstream event `flute-remove-object` with the name of an
 * object as its `content-location` takes it out; flutedirsrc sends it for files that are deleted.
 * `pipelines/send-objects.c`, `.py` and `.rs` are whole programs that do so.
 *
 * `open-object` gives a `GOutputStream` whose bytes become an object. It fits the signals by which packagers ask for
 * streams: `get-fragment-stream` and `get-playlist-stream` of hlssink2, hlssink3 and dashsink, and `get-init-stream` of
 * hlscmafsink. An object is complete when its stream is flushed, as those elements do it, or closed. In Python:
 * |[
 * flute = Gst.parse_launch("flutesink address=239.1.1.1 bitrate=8000000")
 * open_object = lambda packager, location: flute.emit("open-object", location, None)
 * hlssink.connect("get-fragment-stream", open_object)
 * hlssink.connect("get-playlist-stream", open_object)
 * ]| dashsink asks its handlers in another order, and wants `connect_after`. In C, connect a callback with
 * `g_signal_connect_swapped (hlssink, "get-fragment-stream", G_CALLBACK (open_object), flute)`, which is handed the
 * flutesink and the location, and calls `g_signal_emit_by_name (flute, "open-object", location, NULL, &stream)`.
 *
 * A manifest (MPD, M3U8) is never sent before the objects that came before it from the same pad, or from the application,
 * and may be named in it: it is held until they have been sent, while the version before it goes on. Only objects of a
 * lower priority, or with a start time of their own, do not keep it.
 *
 * In a splitmuxsink, which takes its sink to NULL after every file, the session goes on: objects are sent while the
 * element is in NULL, TOIs and FDT Instance IDs are counted on, and the end of the pipeline waits until all has been sent.
 * What splitmuxsink sets as `location` is the name of each file. `keep-session=true` does the same in other bins that stop
 * and start the element alone: a session that is not taken up again ends after `linger`, and with the pipeline in any case.
 *
 * While it runs, `bitrate` holds from the next packet on; so do `address`, `port`, `multicast-iface`, `ttl` and `ttl-mc`,
 * without another session or local port. `fec` and what belongs to it hold for objects that come later, as do the
 * properties of pads. `set-priority` moves an object that is there already to another queue.
 *
 * With a code, every source block gets `repair-percent` of repair symbols, and at least `repair-min`: a block of three
 * source symbols and one repair symbol is lost as soon as two of its four packets are.
 *
 * Objects that are files, such as those of filesrc and flutedirsrc, are described with a Content-MD5, by which receivers
 * find what is damaged, unless `md5-files` is FALSE. A file that changes while it is sent is a warning, and is sent again as
 * it is then, by the next version that a watching flutedirsrc sends, or by flutesink.
 *
 * On the bus: `flute-session-opened`, `flute-fdt`, `flute-object-sent`, `flute-object-withdrawn`, `flute-object-failed`
 * and `flute-session-closed` as element messages; of objects the signals `object-sent`, `object-withdrawn` and
 * `object-failed` tell too, and one that could not be read to its end is a warning besides. Progress messages tell of
 * transfers that take longer than two seconds, twice per second at most.
 *
 * ## Example pipelines
 * |[
 * gst-launch-1.0 filesrc location=movie.mp4 ! flutesink address=239.1.1.1 port=3400 bitrate=50000000
 * ]| Send one file at 50 Mbit/s.
 * |[
 * gst-launch-1.0 flutedirsrc location=presentation ! flutesink fec=rs8 repair-percent=20 ! udpsink host=239.1.1.1 port=3400
 * ]| Send a folder with a fifth of repair symbols through udpsink.
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! x264enc tune=zerolatency key-int-max=60 ! mp4mux fragment-duration=2000 \
 *     streamable=true ! flutesink address=239.1.1.1 sink_0::location=video/seg_%05d.m4s
 * ]| Send live fragments, each spread over its two seconds, and the initialisation every second.
 * |[
 * gst-launch-1.0 -e v4l2src ! videoconvert ! x264enc tune=zerolatency ! h264parse ! splitmuxsink location=clip_%05d.mp4 \
 *     max-size-time=10000000000 sink="flutesink address=239.1.1.1 fec=rs8"
 * ]| Send a file of every ten seconds.
 *
 * The folder `pipelines` has programs that feed flutesink from cmafmux, mp4mux, splitmuxsink, hlssink2, hlssink3,
 * hlscmafsink and dashsink.
 *
 * Since: 0.1
 */
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::default_rate::DEFAULT_BITRATE;
use super::enums::{FluteContentEncoding, FluteEosPolicy, FluteFec, FlutePacketOverhead, FluteProfile};
use super::settings::{
    DEFAULT_FDT_INTERVAL, DEFAULT_FDT_LIFETIME, DEFAULT_LINGER, DEFAULT_MAX_QUEUED_BYTES, DEFAULT_MTU, DEFAULT_PORT,
    DEFAULT_REPAIR_MIN, DEFAULT_RS_FIELD_BITS, DEFAULT_TSI, DEFAULT_TTL, DEFAULT_TTL_MC, Settings,
};
use super::state::State;
use super::{FluteSinkPad, signals};
use crate::debug::FLUTESINK as CAT;
use crate::uri::bad_uri;

/// The element.
#[derive(Debug, Default, glib::Properties)]
#[properties(wrapper_type = super::FluteSink, ext_trait = FluteSinkProperties)]
pub struct FluteSink {
    #[property(name = "tsi", nick = "TSI", type = u64, get, set, member = tsi, default = DEFAULT_TSI,
        maximum = (1 << 48) - 1, blurb = "Transport Session Identifier", mutable_ready)]
    #[property(name = "profile", nick = "Profile", type = FluteProfile, get, set, member = profile, blurb = "The rules to keep", mutable_ready, builder(FluteProfile::default()))]
    #[property(name = "fec", nick = "FEC", type = FluteFec, get, set, member = fec,
        blurb = "FEC scheme of objects; a change holds for those that come after it", mutable_playing, builder(FluteFec::default()))]
    #[property(name = "rs-field-bits", nick = "Reed-Solomon field", type = u32, get, set, member = rs_field_bits,
        default = DEFAULT_RS_FIELD_BITS, minimum = 2, maximum = 16,
        blurb = "m of GF(2^m), for fec=rs2m", mutable_playing)]
    #[property(name = "symbols-per-packet", nick = "Symbols per packet", type = u32, get, set,
        member = symbols_per_packet, default = 1, minimum = 1, maximum = 255,
        blurb = "Symbols of each packet, for fec=rs2m", mutable_playing)]
    #[property(name = "symbol-size", nick = "Symbol size", type = u32, get, set, member = symbol_size,
        maximum = 65_535, blurb = "Bytes of an encoding symbol (0: as many as fit into mtu)", mutable_playing)]
    #[property(name = "mtu", nick = "MTU", type = u32, get, set, member = mtu, default = DEFAULT_MTU, minimum = 1,
        maximum = 65_507, blurb = "Bytes of a packet at most, without UDP and IP headers", mutable_playing)]
    #[property(name = "source-block-length", nick = "Source block length", type = u32, get, set,
        member = source_block_length,
        blurb = "Source symbols of a block at most (0: what suits the scheme)", mutable_playing)]
    #[property(name = "repair-percent", nick = "Repair percent", type = f64, get, set, member = repair_percent,
        minimum = -1.0, maximum = 100_000.0, default = -1.0,
        blurb = "Repair symbols in percent of the source symbols (-1: 10 if there is a code)", mutable_playing)]
    #[property(name = "repair-symbols", nick = "Repair symbols", type = i32, get, set, member = repair_symbols,
        minimum = -1, default = -1,
        blurb = "Repair symbols of each source block, instead of a percentage (-1: use repair-percent)",
        mutable_playing)]
    #[property(name = "repair-min", nick = "Minimum of repair symbols", type = u32, get, set, member = repair_min,
        default = DEFAULT_REPAIR_MIN,
        blurb = "Repair symbols of each source block at least, where repair-percent gives fewer, but not none: one repair \
                 symbol protects a block of three badly. It makes objects of a few packets longer by up to so many packets",
        mutable_playing)]
    #[property(name = "content-encoding", nick = "Content-Encoding", type = FluteContentEncoding, get, set,
        member = content_encoding,
        blurb = "How objects are encoded on their way", mutable_ready, builder(FluteContentEncoding::default()))]
    #[property(name = "fdt-content-encoding", nick = "FDT Content-Encoding", type = FluteContentEncoding, get, set,
        member = fdt_content_encoding,
        blurb = "How FDT Instances are encoded on their way", mutable_ready, builder(FluteContentEncoding::default()))]
    #[property(name = "fdt-fec", nick = "FDT FEC", type = FluteFec, get, set, member = fdt_fec,
        blurb = "FEC scheme of FDT Instances (inherit: as the objects, where an instance is longer than a symbol)",
        mutable_ready, builder(FluteFec::Inherit))]
    #[property(name = "fdt-repair-percent", nick = "FDT repair percent", type = f64, get, set,
        member = fdt_repair_percent, minimum = -1.0, maximum = 100_000.0, default = -1.0,
        blurb = "Repair symbols of FDT Instances in percent of the source symbols (-1: at least as many as objects have)",
        mutable_ready)]
    #[property(name = "bitrate", nick = "Bitrate", type = u64, get = Self::bitrate, set = Self::set_bitrate,
        default = DEFAULT_BITRATE,
        blurb = "Bits per second on the wire (0: as fast as packets are taken). If it is not set, what objects with a \
                 deadline need comes on top",
        mutable_playing)]
    #[property(name = "packet-overhead", nick = "Packet overhead", type = FlutePacketOverhead, get, set,
        member = packet_overhead,
        blurb = "What counts for the bitrate besides the packets", mutable_playing, builder(FlutePacketOverhead::default()))]
    #[property(name = "fdt-interval", nick = "FDT interval", type = u64, get, set, member = fdt_interval,
        default = DEFAULT_FDT_INTERVAL, minimum = 1_000_000,
        blurb = "Nanoseconds between two full tables", mutable_ready)]
    #[property(name = "fdt-lifetime", nick = "FDT lifetime", type = u64, get, set, member = fdt_lifetime,
        default = DEFAULT_FDT_LIFETIME, minimum = 1_000_000_000,
        blurb = "Nanoseconds for which an FDT Instance is valid", mutable_ready)]
    #[property(name = "fdt-instance-start", nick = "First FDT Instance ID", type = i32, get, set,
        member = fdt_instance_start, minimum = -1, maximum = 1_048_575,
        blurb = "ID of the first FDT Instance (-1: by the time of day, for receivers that ignore a sender which was \
                 killed and started again)",
        mutable_ready)]
    #[property(name = "toi-start", nick = "First TOI", type = u64, get, set, member = toi_start,
        blurb = "TOI of the first object (0: a random one, so that a restarted sender is not taken for its past)",
        mutable_ready)]
    #[property(name = "tsi-bits", nick = "TSI bits", type = u32, get, set, member = tsi_bits, maximum = 48,
        blurb = "Width of the TSI in packets: 16, 32 or 48 (0: as small as fits)", mutable_ready)]
    #[property(name = "toi-bits", nick = "TOI bits", type = u32, get, set, member = toi_bits, maximum = 112,
        blurb = "Width of TOIs in packets: 16, 32, 48 … 112 (0: as small as fits)", mutable_ready)]
    #[property(name = "interleave", nick = "Interleave", type = u32, get, set, member = interleave, default = 1,
        minimum = 1, blurb = "Source blocks of an object that are sent side by side", mutable_ready)]
    #[property(name = "multiplex", nick = "Multiplex", type = u32, get, set, member = multiplex, default = 1,
        minimum = 1, blurb = "Objects of one priority that are sent side by side", mutable_ready)]
    #[property(name = "multiplex-by-priority", nick = "Multiplex by priority", type = Option<String>, get, set, nullable,
        member = multiplex_by_priority,
        blurb = "The same for single priorities, as priority:objects pairs, for example 10:4,0:1 (others: multiplex)",
        mutable_ready)]
    #[property(name = "spread-repair", nick = "Spread repair", type = bool, get, set, member = spread_repair,
        blurb = "Spread repair symbols among the source symbols of their block, instead of sending them last",
        mutable_ready)]
    #[property(name = "md5", nick = "MD5", type = bool, get, set, member = md5,
        blurb = "Describe objects with a Content-MD5", mutable_playing)]
    #[property(name = "md5-files", nick = "MD5 of files", type = bool, get, set, member = md5_files, default = true,
        blurb = "Describe objects that are files with a Content-MD5 (md5 does it for all objects)", mutable_playing)]
    #[property(name = "md5-of-content", nick = "MD5 of content", type = bool, get, set, member = md5_of_content,
        blurb = "Make the Content-MD5 of encoded objects from their content before it is encoded, for receivers that \
                 compare it with what they decode",
        mutable_ready)]
    #[property(name = "sender-current-time", nick = "Sender Current Time", type = bool, get, set,
        member = sender_current_time, blurb = "Put EXT_TIME into the packets of FDT Instances", mutable_ready)]
    #[property(name = "fti-on-objects", nick = "FTI on objects", type = bool, get, set, member = fti_on_objects,
        blurb = "Put EXT_FTI into the packets of objects too, not only of FDT Instances", mutable_ready)]
    #[property(name = "close-session", nick = "Close session", type = bool, get, set, member = close_session,
        default = true, blurb = "Send packets that close the session at its end", mutable_ready)]
    #[property(name = "close-with-payload", nick = "Close with payload", type = bool, get, set,
        member = close_with_payload,
        blurb = "Close the session in the packets of the last FDT Instance, instead of packets without content",
        mutable_ready)]
    #[property(name = "full-fdt", nick = "Full FDT", type = bool, get, set, member = full_fdt,
        blurb = "Mark FDT Instances that are the whole table (3GPP)", mutable_ready)]
    #[property(name = "group", nick = "Group", type = Option<String>, get, set, nullable, member = group,
        blurb = "Group that all objects of the session belong to, in the FDT (3GPP)", mutable_ready)]
    #[property(name = "base-url-1", nick = "Base URL 1", type = Option<String>, get, set, nullable,
        member = base_url_1,
        blurb = "URLs of servers for file repair, Base-URL-1 of the FDT, separated by spaces (3GPP)", mutable_ready)]
    #[property(name = "base-url-2", nick = "Base URL 2", type = Option<String>, get, set, nullable,
        member = base_url_2,
        blurb = "URLs of further servers for file repair, Base-URL-2 of the FDT, separated by spaces (3GPP)",
        mutable_ready)]
    #[property(name = "session-identity-expiry", nick = "Session identity expiry", type = Option<String>, get, set,
        nullable, member = session_identity_expiry,
        blurb = "MBMS-Session-Identity-Expiry of the FDT, as identity:NTP seconds pairs separated by commas (3GPP)",
        mutable_ready)]
    #[property(name = "spool-directory", nick = "Spool directory", type = Option<String>, get, set, nullable,
        member = spool_directory,
        blurb = "Folder for what is too long for memory, as unlinked files (unset: the system's for temporary files)",
        mutable_ready)]
    #[property(name = "max-queued-bytes", nick = "Max queued bytes", type = u64, get, set,
        member = max_queued_bytes, default = DEFAULT_MAX_QUEUED_BYTES,
        blurb = "Bytes of objects that wait for their first transfer, for each sink pad (0: no bound)",
        mutable_playing)]
    #[property(name = "eos-policy", nick = "EOS policy", type = FluteEosPolicy, get, set, member = eos_policy, blurb = "What becomes of carousels at EOS", mutable_playing, builder(FluteEosPolicy::default()))]
    #[property(name = "location", nick = "Location", type = Option<String>, get, set, nullable, member = location,
        blurb = "The same as that of a sink pad, for pads without one", mutable_playing)]
    #[property(name = "keep-session", nick = "Keep session", type = bool, get, set, member = keep_session,
        blurb = "The session goes on when the element alone goes to NULL, to be there when it starts again; always so in a splitmuxsink",
        mutable_ready)]
    #[property(name = "linger", nick = "Linger", type = u64, get, set, member = linger, default = DEFAULT_LINGER,
        blurb = "Nanoseconds after which a session that is kept ends if no element uses it", mutable_playing)]
    #[property(name = "address", nick = "Address", type = Option<String>, get, set, nullable, member = address,
        blurb = "IP address or name of the multicast group or host, where the src pad is not linked; an IPv6 address of link scope has its interface, as in ff12::1%eth0", mutable_playing)]
    #[property(name = "host", nick = "Host", type = Option<String>, get, set, nullable, member = address,
        blurb = "The same as address", mutable_playing)]
    #[property(name = "port", nick = "Port", type = i32, get, set, member = port, default = DEFAULT_PORT,
        minimum = 0, maximum = 65_535, blurb = "UDP port of the receivers", mutable_playing)]
    #[property(name = "uri", nick = "URI", type = Option<String>, get = Self::session_uri, set = Self::set_session_uri,
        nullable,
        blurb = "flute://address:port[?tsi=1&iface=eth0]: sets the properties that say the same",
        mutable_ready)]
    #[property(name = "multicast-iface", nick = "Multicast interface", type = Option<String>, get, set, nullable,
        member = multicast_iface,
        blurb = "Network interface of multicast packets, by name or IPv4 address (unset: the system's choice)",
        mutable_playing)]
    #[property(name = "ttl", nick = "TTL", type = i32, get, set, member = ttl, default = DEFAULT_TTL, minimum = 0,
        maximum = 255, blurb = "Routers that a packet to a host passes at most", mutable_playing)]
    #[property(name = "ttl-mc", nick = "Multicast TTL", type = i32, get, set, member = ttl_mc,
        default = DEFAULT_TTL_MC, minimum = 0, maximum = 255,
        blurb = "Routers that a packet to a multicast group passes at most", mutable_playing)]
    #[property(name = "bind-address", nick = "Bind address", type = Option<String>, get, set, nullable,
        member = bind_address, blurb = "Local IP address that packets come from", mutable_ready)]
    #[property(name = "bind-port", nick = "Bind port", type = i32, get, set, member = bind_port, minimum = 0, maximum = 65_535,
        blurb = "Local UDP port that packets come from (0: any)", mutable_ready)]
    #[property(name = "qos-dscp", nick = "DSCP", type = i32, get, set, member = qos_dscp, default = -1,
        minimum = -1, maximum = 63, blurb = "Differentiated services code point of packets (-1: the system's choice)",
        mutable_ready)]
    #[property(name = "buffer-size", nick = "Buffer size", type = i32, get, set, member = buffer_size, minimum = 0,
        blurb = "Bytes of the kernel's send buffer (0: the system's choice)", mutable_ready)]
    #[property(name = "r#loop", nick = "Loop", type = bool, get, set, member = multicast_loop, default = true,
        blurb = "Receivers on this machine get multicast packets too", mutable_ready)]
    #[property(name = "auto-multicast", nick = "Auto multicast", type = bool, get, set, member = auto_multicast,
        blurb = "Join the multicast group, which some switches want before they forward it", mutable_ready)]
    #[property(name = "gso", nick = "Segmentation offload", type = bool, get, set, member = gso, default = true,
        blurb = "Have the kernel or the network card cut packets apart (UDP GSO). A capture on this machine shows several \
                 packets as one long datagram then, which no receiver can use",
        mutable_ready)]
    pub(super) settings: Mutex<Settings>,
    pub(super) state: Mutex<State>,
    pub(super) next_pad: AtomicU32,
    next_added_object: AtomicU32,
}

impl FluteSink {
    /// Number of the next object that an application adds.
    pub(super) fn next_added_object(&self) -> u32 {
        self.next_added_object.fetch_add(1, Ordering::SeqCst)
    }

    fn bitrate(&self) -> u64 {
        self.settings.lock().unwrap().bitrate.unwrap_or(DEFAULT_BITRATE)
    }

    fn set_bitrate(&self, bitrate: u64) {
        self.settings.lock().unwrap().bitrate = Some(bitrate);
    }

    fn session_uri(&self) -> Option<String> {
        self.settings.lock().unwrap().uri()
    }

    fn set_session_uri(&self, uri: Option<String>) {
        let result = match uri {
            Some(uri) => self.settings.lock().unwrap().set_uri(&uri),
            None => Ok(()),
        };
        if let Err(error) = result {
            gst::warning!(CAT, imp = self, "{error}");
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for FluteSink {
    const NAME: &'static str = "GstFluteSink";
    type Type = super::FluteSink;
    type ParentType = gst::Element;
    type Interfaces = (gst::ChildProxy, gst::URIHandler);
}

#[glib::derived_properties]
impl ObjectImpl for FluteSink {
    fn signals() -> &'static [glib::subclass::Signal] {
        signals::signals()
    }

    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            // The derived ones go by their place, so what is not derived comes last.
            let mut properties = FluteSink::derived_properties().to_vec();
            properties.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb(
                        "Counters of the session, as guint64: tsi; packets and their bytes, without UDP and IP headers, of \
                         them fdt-packets and repair-packets; fdt-instances; objects that are known; transfers that \
                         ended; failed objects; queued-bytes, which wait for their first transfer; bitrate, in bits per \
                         second on the wire (0: no limit)",
                    )
                    .read_only()
                    .build(),
            );
            properties
        });
        &PROPERTIES
    }

    fn constructed(&self) {
        self.parent_constructed();
        // Without a src pad it is a sink, which posts EOS.
        self.obj().set_element_flags(gst::ElementFlags::SINK);
    }

    fn set_property(&self, id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        gst::info!(CAT, imp = self, "setting {} to {value:?}", pspec.name());
        self.derived_set_property(id, value, pspec);
        self.apply(pspec.name());
    }

    fn property(&self, id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
            _ => self.derived_property(id, pspec),
        }
    }
}

impl GstObjectImpl for FluteSink {}

impl ChildProxyImpl for FluteSink {
    fn child_by_index(&self, index: u32) -> Option<glib::Object> {
        self.obj().pads().into_iter().nth(index as usize).map(Cast::upcast)
    }

    fn children_count(&self) -> u32 {
        self.obj().num_pads().into()
    }

    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        self.obj().static_pad(name).map(Cast::upcast)
    }
}

impl URIHandlerImpl for FluteSink {
    const URI_TYPE: gst::URIType = gst::URIType::Sink;

    fn protocols() -> &'static [&'static str] {
        &[flute_net::SCHEME]
    }

    fn uri(&self) -> Option<String> {
        self.session_uri()
    }

    fn set_uri(&self, uri: &str) -> Result<(), glib::Error> {
        if self.session().is_some() {
            let text = "the URI cannot change while the element is running";
            return Err(glib::Error::new(gst::URIError::BadState, text));
        }
        self.settings.lock().unwrap().set_uri(uri).map_err(bad_uri)
    }
}

impl ElementImpl for FluteSink {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "FLUTE sender",
                "Sink/Network",
                "Sends files and media segments over FLUTE (RFC 6726, RFC 3926)",
                "gst-plugin-flute developers",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            vec![
                // First, because gst_element_link() tries pairs of request pads in this order, and would pair the
                // sink pad with a src pad of what comes next.
                gst::PadTemplate::new(
                    "src",
                    gst::PadDirection::Src,
                    gst::PadPresence::Request,
                    &gst::Caps::new_empty_simple(super::PACKET_CAPS),
                )
                .expect("a valid template"),
                gst::PadTemplate::with_gtype(
                    "sink_%u",
                    gst::PadDirection::Sink,
                    gst::PadPresence::Request,
                    &gst::Caps::new_any(),
                    FluteSinkPad::static_type(),
                )
                .expect("a valid template"),
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
            gst::PadDirection::Src => self.request_src_pad(template),
            _ => self.request_sink_pad(template, name),
        }
    }

    fn release_pad(&self, pad: &gst::Pad) {
        let session = self.session();
        if let Some(pad) = pad.downcast_ref::<FluteSinkPad>() {
            pad.imp().is_flushing.store(true, Ordering::SeqCst);
            if let Some(session) = &session {
                session.wake_producers();
            }
        } else {
            self.obj().set_element_flags(gst::ElementFlags::SINK);
        }
        // A pad that was never activated needs no deactivation.
        let _ = pad.set_active(false);
        let _ = self.obj().remove_pad(pad);
        self.obj().child_removed(pad, &pad.name());
        if let Some(session) = session {
            self.finish_if_all_eos(&session, None);
        }
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        let leaves_session = self.leaves_session();
        match transition {
            gst::StateChange::ReadyToPaused => {
                if let Err(error) = self.start() {
                    self.post_error_message(error);
                    self.stop();
                    return Err(gst::StateChangeError);
                }
            }
            gst::StateChange::PlayingToPaused if !leaves_session => self.set_playing(false),
            // Before the pads are deactivated, which waits for threads that wait here.
            gst::StateChange::PausedToReady => self.unblock(leaves_session),
            _ => (),
        }
        let result = self.parent_change_state(transition);
        match transition {
            gst::StateChange::PausedToPlaying if result.is_ok() => self.set_playing(true),
            gst::StateChange::ReadyToPaused if result.is_err() => self.stop(),
            gst::StateChange::PausedToReady if leaves_session => self.leave(),
            gst::StateChange::PausedToReady => self.stop(),
            _ => (),
        }
        result
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        if self.obj().static_pad("src").is_none()
            && let Some(answered) = self.session_query(query)
        {
            return answered;
        }
        self.parent_query(query)
    }

    fn send_event(&self, event: gst::Event) -> bool {
        match (event.view(), self.session()) {
            (gst::EventView::Eos(_), Some(session)) => {
                self.finish(&session, Some(event.seqnum()));
                true
            }
            _ => self.parent_send_event(event),
        }
    }
}
