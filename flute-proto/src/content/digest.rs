// SPDX-License-Identifier: MPL-2.0

//! Digests of content, computed as it passes.

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512};

/// The algorithm of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// MD5 (RFC 1321), of `Content-MD5`: against errors of transmission, no security (RFC 6726 §3.4.2).
    Md5,
    /// SHA-256, `sha-256` in `Content-Digest` (TS 103 769 F.2.3).
    Sha256,
    /// SHA-512, `sha-512` in `Content-Digest` (TS 103 769 F.2.3).
    Sha512,
}

impl DigestAlgorithm {
    /// The algorithm of a `Content-Digest` or `Repr-Digest`; `None` for those that are not known.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sha-256" => Some(Self::Sha256),
            "sha-512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// Computes a digest of bytes that come in pieces.
#[derive(Clone, Debug)]
pub struct Digester(State);

#[derive(Clone, Debug)]
enum State {
    Md5(Md5),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Digester {
    /// Starts with no byte.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        Self(match algorithm {
            DigestAlgorithm::Md5 => State::Md5(Md5::new()),
            DigestAlgorithm::Sha256 => State::Sha256(Sha256::new()),
            DigestAlgorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Md5(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest: 16, 32 or 64 bytes.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            State::Md5(state) => state.finalize().to_vec(),
            State::Sha256(state) => state.finalize().to_vec(),
            State::Sha512(state) => state.finalize().to_vec(),
        }
    }
}

/// The MD5 digest of `bytes`, as `Content-MD5` carries it.
pub fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}
