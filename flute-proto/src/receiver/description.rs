// SPDX-License-Identifier: MPL-2.0

//! What the FDT says of one object, resolved: inheritance, lengths, FEC OTI, encoding, validity.

use std::mem::size_of;
use std::sync::Arc;

use flute_fec::{Code, Parameters};

use super::event::{BaseUrls, ObjectInfo, SessionId};
use crate::Time;
use crate::content::{ContentEncoding, UnknownEncoding};
use crate::fdt::{FdtInstance, File};
use crate::oti::{FecEncodingId, Oti, OtiError};

/// What an allocator adds to the two allocations of a description, about, and the counters of one of them.
const ALLOCATIONS: usize = 48;

/// The description of an object by one or more FDT Instances.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) info: Arc<ObjectInfo>,
    /// FEC OTI as the FDT has it; an error where it lacks something that only EXT_FTI can say then.
    pub(super) oti: Result<Oti, OtiError>,
    pub(super) encoding: Result<ContentEncoding, UnknownEncoding>,
    /// The highest expiry of the instances that describe it (RFC 6726 §3.3), by the clock of this receiver.
    pub(super) expires: Time,
    /// Place of the first instance that describes it in the order of instances.
    pub(super) first_instance: u64,
    /// Place of the last one.
    pub(super) last_instance: u64,
    /// FDT Instance ID of the last one.
    pub(super) last_instance_id: u32,
}

/// What a File element inherits, and where it stands.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) session: SessionId,
    pub(super) instance: &'a FdtInstance,
    pub(super) base_urls: &'a Arc<BaseUrls>,
    pub(super) instance_id: u32,
    pub(super) order: u64,
    pub(super) expires: Time,
}

impl Description {
    /// The description that a File element gives, with what it inherits from its FDT-Instance.
    pub(super) fn new(mut file: File, context: &Context<'_>) -> Self {
        let instance = context.instance;
        file.oti = std::mem::take(&mut file.oti).or(&instance.oti);
        file.content_type = file.content_type.take().or_else(|| instance.content_type.clone());
        file.content_encoding = file.content_encoding.take().or_else(|| instance.content_encoding.clone());
        for group in &instance.groups {
            if !file.groups.contains(group) {
                file.groups.push(group.clone());
            }
        }
        // Without a Transfer-Length the transfer length is the Content-Length (TS 26.346 L.4).
        let transfer_length = file.transfer_length.or(file.content_length);
        let oti = match transfer_length {
            Some(length) => Oti::from_attributes(&file.oti, length),
            None => Err(OtiError::Missing("Transfer-Length")),
        };
        let encoding = file.content_encoding.as_deref().map_or(Ok(ContentEncoding::Null), str::parse);
        let info = ObjectInfo {
            session: context.session,
            file,
            fdt_instance_id: context.instance_id,
            transfer_length: transfer_length.unwrap_or(0),
            base_urls: context.base_urls.clone(),
        };
        Self {
            info: Arc::new(info),
            oti,
            encoding,
            expires: context.expires,
            first_instance: context.order,
            last_instance: context.order,
            last_instance_id: context.instance_id,
        }
    }

    /// Whether the object is known to be empty: then no packet will come (RFC 5052 §9.1 has no block for it).
    pub(super) fn is_empty(&self) -> bool {
        let file = &self.info.file;
        file.transfer_length.or(file.content_length) == Some(0)
    }

    /// The FEC OTI of an object of no byte, which needs none.
    pub(super) fn empty_oti(&self) -> Option<Oti> {
        self.is_empty().then_some(Oti {
            encoding_id: FecEncodingId::NO_CODE,
            instance_id: 0,
            symbols_per_packet: 1,
            parameters: Parameters {
                code: Code::NoCode { max_source_block_length: 1 },
                transfer_length: 0,
                symbol_size: 1,
            },
        })
    }

    /// Whether `other`, of the same TOI, describes another object. That is against the rules while both are valid
    /// (RFC 6726 §3.3), so that it shows a sender that has been restarted. What only one of them says is no contradiction.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            matches!((one, other), (Some(one), Some(other)) if one != other)
        }
        let (one, two) = (&self.info.file, &other.info.file);
        one.content_location != two.content_location
            || differ(&one.content_length, &two.content_length)
            || differ(&one.transfer_length, &two.transfer_length)
            || differ(&one.content_md5, &two.content_md5)
            || differ(&one.content_digest, &two.content_digest)
            || differ(&one.etag, &two.etag)
            || one.content_encoding != two.content_encoding
            || matches!((&self.oti, &other.oti), (Ok(one), Ok(two)) if one != two)
    }

    /// Another instance says the same.
    pub(super) fn renew(&mut self, other: &Self) {
        self.expires = self.expires.max(other.expires);
        self.first_instance = self.first_instance.min(other.first_instance);
        if other.last_instance > self.last_instance {
            (self.last_instance, self.last_instance_id) = (other.last_instance, other.last_instance_id);
        }
    }

    /// Sets the transfer length that EXT_FTI says.
    pub(super) fn set_transfer_length(&mut self, length: u64) {
        if self.info.transfer_length != length {
            Arc::make_mut(&mut self.info).transfer_length = length;
        }
    }

    /// Bytes of memory: itself, what is known of the object, and what that holds.
    pub(super) fn memory_use(&self) -> u64 {
        let own = size_of::<Self>() + size_of::<ObjectInfo>() + ALLOCATIONS;
        (own + self.info.file.heap_bytes() + self.info.base_urls.heap_bytes()) as u64
    }
}
