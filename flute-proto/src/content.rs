// SPDX-License-Identifier: MPL-2.0

//! Content-Encoding (null, zlib, deflate, gzip) and digests of objects.

/// How an object or an FDT Instance is encoded before transport. The discriminants are those of EXT_CENC (RFC 6726
/// §3.4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ContentEncoding {
    /// As it is.
    #[default]
    Null = 0,
    /// ZLIB (RFC 1950); `deflate` in an FDT means the same (RFC 2616 §3.5).
    Zlib = 1,
    /// Raw DEFLATE (RFC 1951).
    Deflate = 2,
    /// GZIP (RFC 1952).
    Gzip = 3,
}
