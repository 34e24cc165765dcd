// SPDX-License-Identifier: MPL-2.0

//! What a `File` takes of the memory: the size of every allocation, and what an allocation costs besides.

use std::mem::size_of;

use super::{AlternateContentLocation, File, MessageDigest, Signature};

/// What an allocator adds to an allocation, about.
const ALLOCATION: usize = 16;

/// Bytes of memory that something holds besides itself.
trait Heap {
    fn heap_bytes(&self) -> usize;
}

impl Heap for String {
    fn heap_bytes(&self) -> usize {
        if self.capacity() == 0 { 0 } else { ALLOCATION + self.capacity() }
    }
}

impl<T: Heap> Heap for Option<T> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }
}

impl<T: Heap> Heap for Vec<T> {
    fn heap_bytes(&self) -> usize {
        let own = if self.capacity() == 0 { 0 } else { ALLOCATION + self.capacity() * size_of::<T>() };
        own + self.iter().map(T::heap_bytes).sum::<usize>()
    }
}

impl Heap for u8 {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Heap for u64 {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Heap for MessageDigest {
    fn heap_bytes(&self) -> usize {
        self.algorithm.heap_bytes() + self.value.heap_bytes()
    }
}

impl Heap for AlternateContentLocation {
    fn heap_bytes(&self) -> usize {
        self.locations.heap_bytes() + self.availability_time.heap_bytes()
    }
}

impl Heap for Signature {
    fn heap_bytes(&self) -> usize {
        let texts = self.scope.heap_bytes() + self.algorithm.heap_bytes() + self.key_uri.heap_bytes();
        texts + self.key_id.heap_bytes() + self.value.heap_bytes()
    }
}

impl File {
    /// Bytes of memory that it holds besides itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        let Self {
            content_location,
            content_type,
            content_encoding,
            oti,
            etag,
            groups,
            session_identities,
            decryption_key_uri,
            alternate_content_location_1,
            alternate_content_location_2,
            independent_unit_positions,
            content_digest,
            repr_digest,
            signatures,
            toi: _,
            content_length: _,
            transfer_length: _,
            content_md5: _,
            cache_control: _,
            fec_redundancy_level: _,
            expires: _,
        } = self;
        let texts = [content_type, content_encoding, etag, decryption_key_uri];
        let digests = [content_digest, repr_digest];
        let alternates = [alternate_content_location_1, alternate_content_location_2];
        content_location.heap_bytes()
            + texts.iter().map(|text| text.heap_bytes()).sum::<usize>()
            + oti.scheme_specific_info.heap_bytes()
            + groups.heap_bytes()
            + session_identities.heap_bytes()
            + alternates.iter().map(|locations| locations.heap_bytes()).sum::<usize>()
            + independent_unit_positions.heap_bytes()
            + digests.iter().map(|digest| digest.heap_bytes()).sum::<usize>()
            + signatures.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allocation_counts() {
        assert_eq!(File::default().heap_bytes(), 0);
        let mut groups = Vec::with_capacity(4);
        groups.push("group".to_owned());
        let file = File {
            content_location: "location".to_owned(),
            groups,
            independent_unit_positions: vec![1, 2, 3],
            ..File::default()
        };
        let expected = [8, 4 * size_of::<String>(), 5, 24];
        assert_eq!(file.heap_bytes(), expected.iter().map(|bytes| ALLOCATION + bytes).sum::<usize>());
    }
}
