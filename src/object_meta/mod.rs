// SPDX-License-Identifier: MPL-2.0

//! The object meta: what FLUTE says of an object, on the buffer that carries it.
//!
//! It is a `GstCustomMeta` named `FluteObjectMeta`, so that applications in C and Python can read and set it with
//! `gst_buffer_add_custom_meta()` and `gst_custom_meta_get_structure()`; where a binding gives only a copy of that structure,
//! as PyGObject does, the action signal `describe-object` of flutesink sets it. It survives copies and regions of a buffer.
//! Its fields, all of them optional, numbers of any integer type:
//!
//! | Field | Type | Meaning |
//! |---|---|---|
//! | `content-location` | string | the name of the object, a URI reference |
//! | `content-type` | string | media type |
//! | `content-encoding` | string | `gzip`, `deflate` or `zlib`: how the object is encoded on its way |
//! | `encoded` | boolean | the bytes of this buffer are encoded as `content-encoding` says, and are sent as they are |
//! | `tsi` | uint64 | Transport Session Identifier |
//! | `source` | string | IP address of the sender that the object was received from |
//! | `toi` | uint64, or a decimal string beyond 64 bits | Transport Object Identifier |
//! | `content-length` | uint64 | bytes of the object before content encoding |
//! | `transfer-length` | uint64 | bytes of the object as it is transferred |
//! | `md5` | string | `Content-MD5`, in base64 as in the FDT |
//! | `etag` | string | `File-ETag` |
//! | `cache-control` | string | `no-cache`, `max-stale`, or `expires=` and NTP seconds |
//! | `group` | string, or an array of strings | `Group` |
//! | `priority` | uint | queue of the object: a higher one always goes first |
//! | `fec` | string | FEC scheme of the object, by the names that flutesink has for its `fec` |
//! | `repair-percent` | double | repair symbols in percent of the source symbols |
//! | `repair-symbols` | uint | repair symbols of each source block, instead of a percentage |
//! | `symbol-size` | uint | bytes of an encoding symbol |
//! | `source-block-length` | uint | source symbols of a block at most |
//! | `repeat-count` | uint | transfers of the object, 0 for ever |
//! | `repeat-delay` | uint64 | nanoseconds from the end of a transfer to the start of the next |
//! | `repeat-interval` | uint64 | nanoseconds from start to start of transfers |
//! | `deadline` | uint64 | nanoseconds over which each transfer is spread |
//! | `start-time` | uint64 | nanoseconds since 1970 (UTC): the object is not sent before |
//! | `deadline-time` | uint64 | nanoseconds since 1970 (UTC) by which the transfer ends, instead of `deadline` |
//! | `session-identities` | array of uint | `MBMS-Session-Identity` |
//! | `decryption-key-uri` | string | `Decryption-KEY-URI` |
//! | `fec-redundancy-level` | uint | `FEC-Redundancy-Level`, percent |
//! | `alternate-content-location-1`, `-2` | array of structures | with `locations`, an array of strings, and `availability-time` |
//! | `independent-unit-positions` | array of uint64 | `IndependentUnitPositions` |
//! | `expires` | uint64 | nanoseconds since 1970 (UTC): `Expires` of the File element |
//! | `content-digest`, `repr-digest` | string | such as `sha-256=:…:`, in base64 as in the FDT |
//! | `signatures` | array of structures | with `scope`, `created`, `expires`, `algorithm`, `key-uri`, `key-id`, `value`; the last two in base64 |
//! | `from-file` | boolean | the object is a file: flutesink describes it with a Content-MD5 by default |
//! | `file` | string | path of a local file that holds the bytes of the object, instead of this buffer |
//!
//! `file` is how a large file gets to `flutesink` without being read into memory: the buffer is empty then.

mod extensions;

use std::net::IpAddr;
use std::str::FromStr;

use flute_proto::fdt::CacheControl;
use flute_proto::lct::Toi;
use gst::glib;

pub use extensions::Extensions;

/// The name of the meta.
pub const NAME: &str = "FluteObjectMeta";

/// Registers the meta; done when the plugin is loaded.
pub(crate) fn register() {
    if !gst::meta::CustomMeta::is_registered(NAME) {
        gst::meta::CustomMeta::register_simple(NAME);
    }
}

/// The fields of the meta; the table of the module says what they mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectMeta {
    /// `content-location`
    pub content_location: Option<String>,
    /// `content-type`
    pub content_type: Option<String>,
    /// `content-encoding`
    pub content_encoding: Option<String>,
    /// `encoded`
    pub encoded: bool,
    /// `tsi`
    pub tsi: Option<u64>,
    /// `source`
    pub source: Option<IpAddr>,
    /// `toi`
    pub toi: Option<Toi>,
    /// `content-length`
    pub content_length: Option<u64>,
    /// `transfer-length`
    pub transfer_length: Option<u64>,
    /// `md5`
    pub md5: Option<String>,
    /// `etag`
    pub etag: Option<String>,
    /// `cache-control`
    pub cache_control: Option<CacheControl>,
    /// `group`
    pub groups: Vec<String>,
    /// `priority`
    pub priority: Option<u32>,
    /// `fec`
    pub fec: Option<String>,
    /// `repair-percent`
    pub repair_percent: Option<f64>,
    /// `repair-symbols`
    pub repair_symbols: Option<u32>,
    /// `symbol-size`
    pub symbol_size: Option<u32>,
    /// `source-block-length`
    pub source_block_length: Option<u32>,
    /// `repeat-count`
    pub repeat_count: Option<u32>,
    /// `repeat-delay`
    pub repeat_delay: Option<gst::ClockTime>,
    /// `repeat-interval`
    pub repeat_interval: Option<gst::ClockTime>,
    /// `deadline`
    pub deadline: Option<gst::ClockTime>,
    /// `start-time`
    pub start_time: Option<gst::ClockTime>,
    /// `deadline-time`
    pub deadline_time: Option<gst::ClockTime>,
    /// What 3GPP and DVB add.
    pub extensions: Extensions,
    /// `from-file`
    pub from_file: bool,
    /// `file`
    pub file: Option<String>,
}

impl ObjectMeta {
    /// The meta of a buffer. A field of another type than the table says counts as absent.
    pub fn of(buffer: &gst::BufferRef) -> Option<Self> {
        let meta = gst::meta::CustomMeta::from_buffer(buffer, NAME).ok()?;
        Some(Self::from_structure(meta.structure()))
    }

    /// Puts the meta on a buffer, in place of one that it has.
    ///
    /// # Panics
    ///
    /// If the plugin that registers the meta was not loaded.
    pub fn put_on(&self, buffer: &mut gst::BufferRef) {
        if let Ok(mut meta) = gst::meta::CustomMeta::from_mut_buffer(buffer, NAME) {
            meta.mut_structure().remove_all_fields();
            self.write_to(meta.mut_structure());
        } else {
            let mut meta = gst::meta::CustomMeta::add(buffer, NAME).expect("the object meta is registered");
            self.write_to(meta.mut_structure());
        }
    }

    /// The fields of a structure, whatever its name.
    pub fn from_structure(structure: &gst::StructureRef) -> Self {
        let string = |name: &str| structure.get::<String>(name).ok();
        let number = |name: &str| number(structure, name);
        let small = |name: &str| number(name).and_then(|number| u32::try_from(number).ok());
        let time = |name: &str| number(name).map(gst::ClockTime::from_nseconds);
        Self {
            content_location: string("content-location"),
            content_type: string("content-type"),
            content_encoding: string("content-encoding"),
            encoded: structure.get("encoded").unwrap_or(false),
            tsi: number("tsi"),
            source: string("source").and_then(|source| source.parse().ok()),
            toi: number("toi")
                .map(u128::from)
                .or_else(|| string("toi").and_then(|toi| u128::from_str(&toi).ok()))
                .and_then(Toi::new),
            content_length: number("content-length"),
            transfer_length: number("transfer-length"),
            md5: string("md5"),
            etag: string("etag"),
            cache_control: string("cache-control").and_then(|text| parse_cache_control(&text)),
            groups: match string("group") {
                Some(group) => vec![group],
                None => structure.get::<Vec<String>>("group").unwrap_or_default(),
            },
            priority: small("priority"),
            fec: string("fec"),
            repair_percent: structure.get("repair-percent").ok().or(small("repair-percent").map(f64::from)),
            repair_symbols: small("repair-symbols"),
            symbol_size: small("symbol-size"),
            source_block_length: small("source-block-length"),
            repeat_count: small("repeat-count"),
            repeat_delay: time("repeat-delay"),
            repeat_interval: time("repeat-interval"),
            deadline: time("deadline"),
            start_time: time("start-time"),
            deadline_time: time("deadline-time"),
            extensions: Extensions::from_structure(structure),
            from_file: structure.get("from-file").unwrap_or(false),
            file: string("file"),
        }
    }

    /// Writes the fields that are set into a structure.
    pub fn write_to(&self, structure: &mut gst::StructureRef) {
        let time = |time: Option<gst::ClockTime>| time.map(gst::ClockTime::nseconds);
        structure.set_if_some("content-location", self.content_location.as_ref());
        structure.set_if_some("content-type", self.content_type.as_ref());
        structure.set_if_some("content-encoding", self.content_encoding.as_ref());
        structure.set_if_some("encoded", self.encoded.then_some(true));
        structure.set_if_some("tsi", self.tsi);
        structure.set_if_some("source", self.source.map(|source| source.to_string()));
        match self.toi.map(|toi| u64::try_from(toi.get())) {
            Some(Ok(toi)) => structure.set("toi", toi),
            Some(Err(_)) => structure.set_if_some("toi", self.toi.map(|toi| toi.to_string())),
            None => (),
        }
        structure.set_if_some("content-length", self.content_length);
        structure.set_if_some("transfer-length", self.transfer_length);
        structure.set_if_some("md5", self.md5.as_ref());
        structure.set_if_some("etag", self.etag.as_ref());
        structure.set_if_some("cache-control", self.cache_control.map(cache_control_text));
        match self.groups.as_slice() {
            [] => (),
            [group] => structure.set("group", group),
            groups => {
                structure.set("group", glib::StrV::from(groups.iter().map(glib::GString::from).collect::<Vec<_>>()))
            }
        }
        structure.set_if_some("priority", self.priority);
        structure.set_if_some("fec", self.fec.as_ref());
        structure.set_if_some("repair-percent", self.repair_percent);
        structure.set_if_some("repair-symbols", self.repair_symbols);
        structure.set_if_some("symbol-size", self.symbol_size);
        structure.set_if_some("source-block-length", self.source_block_length);
        structure.set_if_some("repeat-count", self.repeat_count);
        structure.set_if_some("repeat-delay", time(self.repeat_delay));
        structure.set_if_some("repeat-interval", time(self.repeat_interval));
        structure.set_if_some("deadline", time(self.deadline));
        structure.set_if_some("start-time", time(self.start_time));
        structure.set_if_some("deadline-time", time(self.deadline_time));
        self.extensions.write_to(structure);
        structure.set_if_some("from-file", self.from_file.then_some(true));
        structure.set_if_some("file", self.file.as_ref());
    }
}

/// A number of any integer type: not every language lets its users choose one.
fn number(structure: &gst::StructureRef, name: &str) -> Option<u64> {
    use glib::Type;

    let value = structure.value(name).ok()?;
    if [Type::U32, Type::U64, Type::U_LONG].contains(&value.type_()) {
        return value.transform::<u64>().ok()?.get().ok();
    }
    let is_signed = [Type::I32, Type::I64, Type::I_LONG].contains(&value.type_());
    is_signed.then(|| value.transform::<i64>().ok()?.get::<i64>().ok()?.try_into().ok()).flatten()
}

/// A `cache-control` as users write it.
pub(crate) fn parse_cache_control(text: &str) -> Option<CacheControl> {
    match text {
        "no-cache" => Some(CacheControl::NoCache),
        "max-stale" => Some(CacheControl::MaxStale),
        _ => text.strip_prefix("expires=")?.parse().ok().map(CacheControl::Expires),
    }
}

fn cache_control_text(cache_control: CacheControl) -> String {
    match cache_control {
        CacheControl::NoCache => "no-cache".to_owned(),
        CacheControl::MaxStale => "max-stale".to_owned(),
        CacheControl::Expires(seconds) => format!("expires={seconds}"),
    }
}

/// The buffer with these fields as its meta, if there are any.
pub(crate) fn described(mut buffer: gst::Buffer, meta: Option<gst::Structure>) -> gst::Buffer {
    if let Some(meta) = meta {
        ObjectMeta::from_structure(&meta).put_on(buffer.make_mut());
    }
    buffer
}

#[cfg(test)]
mod tests {
    use flute_proto::fdt::{AlternateContentLocation, MessageDigest, Signature};
    use gst::prelude::*;

    use super::*;

    fn init() {
        gst::init().unwrap();
        register();
    }

    fn every_field() -> ObjectMeta {
        ObjectMeta {
            content_location: Some("video/seg_1.m4s".into()),
            content_type: Some("video/mp4".into()),
            content_encoding: Some("gzip".into()),
            encoded: true,
            tsi: Some(1 << 47),
            source: Some([10, 0, 0, 1].into()),
            toi: Toi::new(1 << 111),
            content_length: Some(10),
            transfer_length: Some(20),
            md5: Some("1B2M2Y8AsgTpgAmY7PhCfg==".into()),
            etag: Some("\"v1\"".into()),
            cache_control: Some(CacheControl::Expires(3_900_000_000)),
            groups: vec!["a".into(), "b".into()],
            priority: Some(7),
            fec: Some("rs8".into()),
            repair_percent: Some(12.5),
            repair_symbols: Some(3),
            symbol_size: Some(1000),
            source_block_length: Some(50),
            repeat_count: Some(0),
            repeat_delay: Some(gst::ClockTime::SECOND),
            repeat_interval: Some(gst::ClockTime::MSECOND),
            deadline: Some(gst::ClockTime::from_seconds(2)),
            start_time: Some(gst::ClockTime::from_seconds(1_900_000_000)),
            deadline_time: Some(gst::ClockTime::from_seconds(1_900_000_060)),
            extensions: Extensions {
                session_identities: vec![1, 255],
                decryption_key_uri: Some("http://a.example/key".into()),
                fec_redundancy_level: Some(30),
                alternate_content_location_1: vec![AlternateContentLocation {
                    locations: vec!["http://a.example/1".into(), "http://b.example/1".into()],
                    availability_time: Some("2030-01-01T00:00:00Z".into()),
                }],
                alternate_content_location_2: vec![AlternateContentLocation::default()],
                independent_unit_positions: vec![0, 1 << 40],
                expires: Some(gst::ClockTime::from_seconds(1_900_000_120)),
                content_digest: Some(MessageDigest { algorithm: "sha-256".into(), value: vec![1; 32] }),
                repr_digest: Some(MessageDigest { algorithm: "sha-512".into(), value: vec![2; 64] }),
                signatures: vec![Signature {
                    scope: "@@TOI".into(),
                    created: Some(5),
                    expires: Some(6),
                    algorithm: Some("ed25519".into()),
                    key_uri: Some("http://a.example/pem".into()),
                    key_id: Some(vec![3; 4]),
                    value: vec![4; 64],
                }],
            },
            from_file: true,
            file: Some("/tmp/movie.mp4".into()),
        }
    }

    #[test]
    fn fields_survive_a_copy_and_a_region() {
        init();
        let mut buffer = gst::Buffer::from_slice([1u8, 2, 3]);
        every_field().put_on(buffer.get_mut().unwrap());
        assert_eq!(ObjectMeta::of(&buffer), Some(every_field()));
        assert_eq!(ObjectMeta::of(&buffer.copy()), Some(every_field()));
        let region = buffer.copy_region(gst::BufferCopyFlags::all(), 1..).unwrap();
        assert_eq!(ObjectMeta::of(&region), Some(every_field()));
    }

    #[test]
    fn putting_replaces() {
        init();
        let mut buffer = gst::Buffer::new();
        every_field().put_on(buffer.get_mut().unwrap());
        let small = ObjectMeta { toi: Toi::new(3), groups: vec!["one".into()], ..Default::default() };
        small.put_on(buffer.get_mut().unwrap());
        assert_eq!(ObjectMeta::of(&buffer), Some(small));
    }

    #[test]
    fn structures_of_applications() {
        init();
        let structure = gst::Structure::builder(NAME)
            .field("toi", 5u64)
            .field("group", "news")
            .field("cache-control", "no-cache")
            .field("content-location", 12i32)
            .build();
        let meta = ObjectMeta::from_structure(&structure);
        assert_eq!(meta.toi, Toi::new(5));
        assert_eq!(meta.groups, ["news"]);
        assert_eq!(meta.cache_control, Some(CacheControl::NoCache));
        assert_eq!(meta.content_location, None, "a number is no name");
    }

    #[test]
    fn numbers_of_any_type() {
        init();
        let priority = |value: &dyn ToSendValue| {
            let mut structure = gst::Structure::new_empty(NAME);
            structure.set_value("priority", value.to_send_value());
            ObjectMeta::from_structure(&structure).priority
        };
        for seven in [&7i32 as &dyn ToSendValue, &7u32, &7i64, &7u64, &glib::ILong(7), &glib::ULong(7)] {
            assert_eq!(priority(seven), Some(7));
        }
        for none in [&-1i32 as &dyn ToSendValue, &-1i64, &(1u64 << 32), &"7", &7.0f64, &true] {
            assert_eq!(priority(none), None);
        }
    }
}
