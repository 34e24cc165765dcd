// SPDX-License-Identifier: MPL-2.0

//! Content-Encoding (null, zlib, deflate, gzip) and digests of objects.

mod decoder;
mod digest;
mod encoder;

use std::str::FromStr;

pub use decoder::{DecodeError, DecodeLimits, Decoder, decode};
pub use digest::{DigestAlgorithm, Digester, md5};
pub use encoder::{Encoder, encode};

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
    /// Raw DEFLATE (RFC 1951). An FDT has no name for it: only FDT Instances can be encoded like this.
    Deflate = 2,
    /// GZIP (RFC 1952).
    Gzip = 3,
}

impl ContentEncoding {
    /// The encoding that EXT_CENC announces (RFC 6726 §3.4.3); `None` where the code is not assigned.
    pub fn from_cenc(code: u8) -> Option<Self> {
        [Self::Null, Self::Zlib, Self::Deflate, Self::Gzip].get(usize::from(code)).copied()
    }

    /// The code for EXT_CENC (RFC 6726 §3.4.3).
    pub fn cenc(self) -> u8 {
        self as u8
    }

    /// The value of the attribute `Content-Encoding`, a content coding of RFC 2616 §3.5; `None` where the attribute is
    /// left out, and for raw DEFLATE, which HTTP does not have.
    pub fn fdt_name(self) -> Option<&'static str> {
        match self {
            Self::Zlib => Some("deflate"),
            Self::Gzip => Some("gzip"),
            Self::Null | Self::Deflate => None,
        }
    }
}

/// A content encoding that this crate does not know. An object encoded like this cannot be decoded, and is never
/// delivered as if it had been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content encoding `{0}` is not known: use `gzip`, `deflate` or `identity`")]
pub struct UnknownEncoding(pub String);

impl FromStr for ContentEncoding {
    type Err = UnknownEncoding;

    /// From the attribute `Content-Encoding`: a content coding of RFC 2616 §3.5 in any case of letters, or `zlib`, which
    /// some write for `deflate`. Nothing at all is `identity`. Whether `deflate` is ZLIB, as RFC 2616 says, or raw, as some
    /// write it, is left for the [`Decoder`] to see.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name.trim_ascii().to_ascii_lowercase().as_str() {
            "" | "identity" | "null" => Ok(Self::Null),
            "deflate" | "zlib" => Ok(Self::Zlib),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            other => Err(UnknownEncoding(other.chars().take(64).collect())),
        }
    }
}

#[cfg(test)]
mod tests;
