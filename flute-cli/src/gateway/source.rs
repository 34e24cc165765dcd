// SPDX-License-Identifier: MPL-2.0

//! What a service is made of, as a user names it.

use std::str::FromStr;

use crate::network::{Endpoint, EndpointError};

/// A session or several on one port, and the name under which they are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    name: String,
    endpoint: Endpoint,
}

impl Source {
    /// The first segment of its URLs.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Why a text names no source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("“{0}” is no name for a service: it must have letters, digits, dots, dashes and underscores only")]
    Name(String),
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        // The options of a URI have equals signs, too.
        let (name, endpoint) = match text.split_once('=') {
            Some((name, endpoint)) if !name.contains("://") => (Some(name), endpoint),
            _ => (None, text),
        };
        let endpoint: Endpoint = endpoint.parse()?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => endpoint.address.to_string(),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-:[]%".contains(c);
        // `_flute` is where the program's own pages are.
        let is_name = !matches!(name.as_str(), "" | "." | ".." | "_flute") && name.chars().all(is_plain);
        if is_name { Ok(Self { name, endpoint }) } else { Err(SourceError::Name(name)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = |text: &str| text.parse::<Source>().unwrap().name;
        assert_eq!(name("239.1.1.1:3400"), "239.1.1.1:3400");
        assert_eq!(name("news=239.1.1.1:3400"), "news");
        assert_eq!(name("flute://239.1.1.1:3400?tsi=1"), "239.1.1.1:3400");
        assert_eq!(name("tv-1=flute://239.1.1.1:3400?tsi=1"), "tv-1");
        for wrong in ["a/b=239.1.1.1:3400", "=239.1.1.1:3400", "_flute=239.1.1.1:3400", "..=239.1.1.1:3400", "news="] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }
}
