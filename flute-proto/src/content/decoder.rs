// SPDX-License-Identifier: MPL-2.0

//! Content decoding as a stream, bounded in what it puts out.

use std::io::{self, Write};

use flate2::{Decompress, FlushDecompress, Status};

use super::ContentEncoding;

/// Bytes that are decoded at a time.
const WINDOW: usize = 32 * 1024;
/// The first byte of a gzip member (RFC 1952 §2.3.1).
const GZIP_ID1: u8 = 0x1F;
/// Output up to here is never too much for its input: a short one may well be a long run of one byte.
const RATIO_FREE: u64 = 1 << 20;

/// Bounds on what comes out of a [`Decoder`]; none by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes put out.
    pub max_size: u64,
    /// Bytes put out per byte taken in, once more than a mebibyte has been put out. DEFLATE reaches 1032.
    pub max_ratio: u32,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { max_size: u64::MAX, max_ratio: u32::MAX }
    }
}

/// Why content cannot be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The stream breaks the rules of its format, or its checksum is wrong.
    #[error("the encoded content is damaged")]
    Damaged,
    /// The input ended before the stream did.
    #[error("the encoded content ends too early")]
    Truncated,
    /// Something else follows the stream.
    #[error("the encoded content is followed by something else")]
    Trailing,
    /// More than [`DecodeLimits::max_size`].
    #[error("the content is longer than {0} bytes")]
    TooLong(u64),
    /// More than [`DecodeLimits::max_ratio`].
    #[error("the content is more than {0} times as long as its encoding")]
    TooDense(u32),
    /// The sink did not take it.
    #[error("writing the content: {0}")]
    Sink(#[from] io::Error),
}

/// Decodes what is written to it into a sink.
///
/// - ZLIB and raw DEFLATE are told apart by their first two bytes, whichever was announced: `deflate` in an FDT is said
///   to be ZLIB (RFC 2616 §3.5), and often is raw.
/// - A gzip file may have several members (RFC 1952 §2.2).
/// - Zeros after the end are padding and ignored; anything else there is an error.
///
/// ```
/// use flute_proto::content::{ContentEncoding, DecodeLimits, Decoder, encode};
///
/// let encoded = encode(ContentEncoding::Gzip, b"many words").unwrap();
/// let limits = DecodeLimits { max_size: 1000, ..DecodeLimits::default() };
/// let mut decoder = Decoder::new("gzip".parse()?, Vec::new(), limits);
/// for packet in encoded.chunks(7) {
///     decoder.write(packet)?;
/// }
/// assert_eq!(decoder.finish()?, b"many words");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Decoder<W> {
    sink: W,
    stage: Stage,
    limits: DecodeLimits,
    taken: u64,
    put: u64,
    window: Box<[u8]>,
}

#[derive(Debug)]
enum Stage {
    /// Nothing to decode.
    Null,
    /// Waiting for the second byte of what is ZLIB or raw DEFLATE.
    Sniffing(Option<u8>),
    /// Within a stream.
    Inflating { inflater: Decompress, gzip: bool },
    /// After a gzip member, or after the only stream.
    Between { gzip: bool },
    /// Zeros have followed, and only zeros may.
    Padding,
}

impl<W: Write> Decoder<W> {
    /// A decoder that writes to `sink`.
    pub fn new(encoding: ContentEncoding, sink: W, limits: DecodeLimits) -> Self {
        let stage = match encoding {
            ContentEncoding::Null => Stage::Null,
            ContentEncoding::Zlib | ContentEncoding::Deflate => Stage::Sniffing(None),
            ContentEncoding::Gzip => gzip_member(),
        };
        let window = if encoding == ContentEncoding::Null { 0 } else { WINDOW };
        Self { sink, stage, limits, taken: 0, put: 0, window: vec![0; window].into() }
    }

    /// Takes the next bytes of the encoded content. After an error nothing more can be written.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), DecodeError> {
        while let [first, rest @ ..] = bytes {
            bytes = match &mut self.stage {
                Stage::Null => {
                    self.taken += bytes.len() as u64;
                    self.account(bytes.len())?;
                    self.sink.write_all(bytes)?;
                    &[]
                }
                Stage::Sniffing(None) => {
                    self.stage = Stage::Sniffing(Some(*first));
                    rest
                }
                Stage::Sniffing(Some(before)) => {
                    let header = [*before, *first];
                    self.stage = Stage::Inflating { inflater: Decompress::new(is_zlib(header)), gzip: false };
                    self.inflate(&header)?;
                    rest
                }
                Stage::Inflating { .. } => &bytes[self.inflate(bytes)?..],
                Stage::Between { .. } | Stage::Padding if *first == 0 => {
                    self.stage = Stage::Padding;
                    rest
                }
                Stage::Between { gzip: true } if *first == GZIP_ID1 => {
                    self.stage = gzip_member();
                    bytes
                }
                Stage::Between { .. } | Stage::Padding => return Err(DecodeError::Trailing),
            };
        }
        Ok(())
    }

    /// Ends the input, and gives the sink back.
    pub fn finish(self) -> Result<W, DecodeError> {
        match self.stage {
            Stage::Null | Stage::Between { .. } | Stage::Padding => Ok(self.sink),
            Stage::Sniffing(_) | Stage::Inflating { .. } => Err(DecodeError::Truncated),
        }
    }

    /// Where the content goes.
    pub fn sink(&self) -> &W {
        &self.sink
    }

    /// Where the content goes. What is written to it from outside goes in between what is decoded.
    pub fn sink_mut(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Bytes put out so far.
    pub fn written(&self) -> u64 {
        self.put
    }

    /// Decodes from `bytes` until they or the stream end, and says how many were taken.
    fn inflate(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut taken = 0;
        loop {
            let Stage::Inflating { inflater, gzip } = &mut self.stage else { return Ok(taken) };
            let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
            let status = inflater
                .decompress(&bytes[taken..], &mut self.window, FlushDecompress::None)
                .map_err(|_| DecodeError::Damaged)?;
            let read = (inflater.total_in() - before_in) as usize;
            let written = (inflater.total_out() - before_out) as usize;
            let gzip = *gzip;
            taken += read;
            self.taken += read as u64;
            self.account(written)?;
            self.sink.write_all(&self.window[..written])?;
            if status == Status::StreamEnd {
                self.stage = Stage::Between { gzip };
            } else if read + written == 0 && taken < bytes.len() {
                return Err(DecodeError::Damaged);
            } else if read + written == 0 || taken == bytes.len() && written < self.window.len() {
                return Ok(taken);
            }
        }
    }

    /// Counts bytes that are about to be put out.
    fn account(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.put += bytes as u64;
        if self.put > self.limits.max_size {
            return Err(DecodeError::TooLong(self.limits.max_size));
        }
        if self.put > RATIO_FREE && self.put > self.taken.saturating_mul(self.limits.max_ratio.into()) {
            return Err(DecodeError::TooDense(self.limits.max_ratio));
        }
        Ok(())
    }
}

/// Decodes bytes in memory.
pub fn decode(encoding: ContentEncoding, bytes: &[u8], limits: DecodeLimits) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::new(encoding, Vec::new(), limits);
    decoder.write(bytes)?;
    decoder.finish()
}

fn gzip_member() -> Stage {
    Stage::Inflating { inflater: Decompress::new_gzip(15), gzip: true }
}

/// Whether a stream that begins like this is ZLIB (RFC 1950 §2.2): CM 8, a window of at most 32 KiB, no preset
/// dictionary, and a check that comes out. Read as raw DEFLATE, such bytes begin a stored block with padding that is not
/// zero, which no encoder writes.
fn is_zlib([cmf, flg]: [u8; 2]) -> bool {
    cmf & 0x0F == 8 && cmf >> 4 <= 7 && flg & 0x20 == 0 && u16::from_be_bytes([cmf, flg]) % 31 == 0
}
