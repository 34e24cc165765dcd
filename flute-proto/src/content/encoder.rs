// SPDX-License-Identifier: MPL-2.0

//! Content encoding as a stream.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::ContentEncoding;

/// Encodes what is written to it into a sink. [`finish`](Self::finish) must be called for the end of the stream. The same
/// input gives the same output: the gzip header has no time and no name.
#[derive(Debug)]
pub struct Encoder<W: Write>(State<W>);

#[derive(Debug)]
enum State<W: Write> {
    Null(W),
    Zlib(ZlibEncoder<W>),
    Deflate(DeflateEncoder<W>),
    Gzip(GzEncoder<W>),
}

impl<W: Write> Encoder<W> {
    /// An encoder that writes to `sink`.
    pub fn new(encoding: ContentEncoding, sink: W) -> Self {
        let level = Compression::default();
        Self(match encoding {
            ContentEncoding::Null => State::Null(sink),
            ContentEncoding::Zlib => State::Zlib(ZlibEncoder::new(sink, level)),
            ContentEncoding::Deflate => State::Deflate(DeflateEncoder::new(sink, level)),
            ContentEncoding::Gzip => State::Gzip(GzEncoder::new(sink, level)),
        })
    }

    /// Ends the stream, and gives the sink back.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            State::Null(sink) => Ok(sink),
            State::Zlib(encoder) => encoder.finish(),
            State::Deflate(encoder) => encoder.finish(),
            State::Gzip(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            State::Null(sink) => sink.write(bytes),
            State::Zlib(encoder) => encoder.write(bytes),
            State::Deflate(encoder) => encoder.write(bytes),
            State::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            State::Null(sink) => sink.flush(),
            State::Zlib(encoder) => encoder.flush(),
            State::Deflate(encoder) => encoder.flush(),
            State::Gzip(encoder) => encoder.flush(),
        }
    }
}

/// Encodes bytes in memory.
pub fn encode(encoding: ContentEncoding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(encoding, Vec::new());
    encoder.write_all(bytes)?;
    encoder.finish()
}
