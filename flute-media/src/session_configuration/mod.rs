// SPDX-License-Identifier: MPL-2.0

//! The configuration of a DVB-MABR multicast gateway (TS 103 769 clause 10.2): which services there are, where their
//! sessions are multicast, and where what is lost of them can be fetched.

mod document;

use std::net::IpAddr;
use std::time::Duration;

use document::Element;

/// The media type of a configuration.
pub const MEDIA_TYPE: &str = "application/xml+dvb-mabr-session-configuration";

/// The Content-Location of a configuration that is multicast (TS 103 769 clause 10.2.5).
pub const OBJECT_URI: &str = "urn:dvb:metadata:cs:MulticastTransportObjectTypeCS:2021:gateway-configuration";

/// Bytes of a configuration.
pub const MAX_SIZE: u64 = 4 << 20;

/// The protocol identifiers of FLUTE end with this term, whatever the year of their classification scheme.
const FLUTE_TERM: &str = ":FLUTE";

/// Services, and sessions of one, of a configuration.
const MAX_SERVICES: usize = 256;
const MAX_SESSIONS: usize = 64;

/// Endpoints of a session, and servers for its repair.
const MAX_ENDPOINTS: usize = 16;
const MAX_BASE_URLS: usize = 16;

/// What a gateway is to receive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionConfiguration {
    /// The sessions that carry the configuration itself, and what belongs to all services.
    pub configuration_sessions: Vec<TransportSession>,
    /// The services.
    pub services: Vec<MulticastSession>,
}

/// A service: an element `MulticastSession`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MulticastSession {
    /// `serviceIdentifier`.
    pub identifier: String,
    /// Its presentation manifests.
    pub manifests: Vec<ManifestLocator>,
    /// Where it is multicast.
    pub transport_sessions: Vec<TransportSession>,
}

/// An element `PresentationManifestLocator`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestLocator {
    /// `contentType`.
    pub content_type: Option<String>,
    /// `transportObjectURI`: its Content-Location in a session.
    pub object_uri: Option<String>,
    /// Where it can be fetched.
    pub url: Option<String>,
}

/// A transport session of FLUTE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportSession {
    /// Where it is multicast.
    pub endpoints: Vec<Endpoint>,
    /// Objects come in chunks, each of them an object (`transmissionMode`).
    pub is_chunked: bool,
    /// How what is lost can be repaired.
    pub repair: Option<UnicastRepair>,
}

/// An element `EndpointAddress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The one sender.
    pub source: Option<IpAddr>,
    /// The multicast group.
    pub group: IpAddr,
    /// The UDP port.
    pub port: u16,
    /// The Transport Session Identifier.
    pub tsi: Option<u64>,
}

/// An element `UnicastRepairParameters` (TS 103 769 clause 10.2.3.12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnicastRepair {
    /// `transportObjectBaseURI`: what Content-Locations have in place of a base URL.
    pub object_base_uri: Option<String>,
    /// `fixedBackOffPeriod`.
    pub fixed_back_off: Duration,
    /// `randomBackOffPeriod`.
    pub random_back_off: Duration,
    /// Servers with their `relativeWeight`.
    pub base_urls: Vec<(String, u32)>,
}

/// Why a document is no configuration that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// Longer than any that makes sense.
    #[error("the configuration is longer than {0} bytes")]
    TooLong(u64),
    /// More elements than make sense.
    #[error("the configuration has more than {elements} elements, or more than {depth} within each other")]
    TooManyElements {
        /// Elements that are read.
        elements: usize,
        /// Elements within elements that are read.
        depth: usize,
    },
    /// Not well-formed.
    #[error("the XML is not well-formed at byte {offset}: {reason}")]
    Xml {
        /// Where.
        offset: u64,
        /// What the XML reader said.
        reason: String,
    },
    /// Another kind of document.
    #[error("the root element is {0}, not MulticastGatewayConfiguration or MulticastServerConfiguration")]
    Root(String),
    /// Something that must be there is not.
    #[error("{element}: the {what} is missing")]
    Missing {
        /// The element.
        element: String,
        /// What it lacks.
        what: String,
    },
    /// A value that makes no sense.
    #[error("{element} cannot be “{value}”: it must be {expected}")]
    Value {
        /// The element or attribute.
        element: String,
        /// Its value, or the beginning of it.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// More of something than this gateway takes.
    #[error("{element}: there are more than {max} elements {child}")]
    TooMany {
        /// The element.
        element: String,
        /// What it has too many of.
        child: &'static str,
        /// How many it may have.
        max: usize,
    },
}

impl SessionConfiguration {
    /// Reads a configuration. Sessions of other protocols than FLUTE are left out.
    ///
    /// ```
    /// use flute_media::session_configuration::SessionConfiguration;
    ///
    /// let document = br#"<MulticastGatewayConfiguration xmlns="urn:dvb:metadata:MulticastSessionConfiguration:2024">
    ///   <MulticastSession serviceIdentifier="urn:example:tv">
    ///     <MulticastTransportSession>
    ///       <TransportProtocol protocolIdentifier="urn:dvb:metadata:cs:MulticastTransportProtocolCS:2019:FLUTE"/>
    ///       <EndpointAddress>
    ///         <NetworkDestinationGroupAddress>239.1.1.1</NetworkDestinationGroupAddress>
    ///         <TransportDestinationPort>3400</TransportDestinationPort>
    ///       </EndpointAddress>
    ///     </MulticastTransportSession>
    ///   </MulticastSession>
    /// </MulticastGatewayConfiguration>"#;
    /// let configuration = SessionConfiguration::from_xml(document)?;
    /// assert_eq!(configuration.services[0].transport_sessions[0].endpoints[0].port, 3400);
    /// # Ok::<(), flute_media::session_configuration::ConfigurationError>(())
    /// ```
    ///
    /// # Errors
    /// What [`ConfigurationError`] says, with the element that is wrong.
    pub fn from_xml(document: &[u8]) -> Result<Self, ConfigurationError> {
        let root = Element::root_of(document)?;
        if !matches!(root.name(), "MulticastGatewayConfiguration" | "MulticastServerConfiguration") {
            return Err(ConfigurationError::Root(root.name().chars().take(64).collect()));
        }
        let services = all(&root, "MulticastSession", MAX_SERVICES, MulticastSession::read)?;
        let kind = "MulticastGatewayConfigurationTransportSession";
        let configuration_sessions = all(&root, kind, MAX_SESSIONS, TransportSession::read)?;
        Ok(Self { configuration_sessions: configuration_sessions.into_iter().flatten().collect(), services })
    }
}

impl MulticastSession {
    fn read(element: &Element) -> Result<Self, ConfigurationError> {
        let sessions = all(element, "MulticastTransportSession", MAX_SESSIONS, TransportSession::read)?;
        Ok(Self {
            identifier: element.required_attribute("serviceIdentifier")?.to_owned(),
            manifests: all(element, "PresentationManifestLocator", MAX_SESSIONS, |locator| {
                Ok(ManifestLocator {
                    content_type: locator.attribute("contentType").map(str::to_owned),
                    object_uri: locator.attribute("transportObjectURI").map(str::to_owned),
                    url: Some(locator.text().to_owned()).filter(|url| !url.is_empty()),
                })
            })?,
            transport_sessions: sessions.into_iter().flatten().collect(),
        })
    }
}

impl TransportSession {
    /// A session; `None` if it is not one of FLUTE.
    fn read(element: &Element) -> Result<Option<Self>, ConfigurationError> {
        let protocol = element.required_child("TransportProtocol")?.required_attribute("protocolIdentifier")?;
        if !protocol.ends_with(FLUTE_TERM) {
            return Ok(None);
        }
        element.required_child("EndpointAddress")?;
        let mode = element.parsed_attribute("transmissionMode", "resource or chunked", |mode| match mode {
            "resource" => Some(false),
            "chunked" => Some(true),
            _ => None,
        })?;
        Ok(Some(Self {
            endpoints: all(element, "EndpointAddress", MAX_ENDPOINTS, Endpoint::read)?,
            is_chunked: mode.unwrap_or(false),
            repair: element.child("UnicastRepairParameters").map(UnicastRepair::read).transpose()?,
        }))
    }
}

impl Endpoint {
    fn read(element: &Element) -> Result<Self, ConfigurationError> {
        let address = |text: &str| text.parse::<IpAddr>().ok();
        let source = element.child("NetworkSourceAddress");
        let group = element.required_child("NetworkDestinationGroupAddress")?;
        let port = element.required_child("TransportDestinationPort")?;
        let tsi = element.child("MediaTransportSessionIdentifier");
        let tsi_of = |text: &str| text.parse().ok().filter(|tsi: &u64| *tsi < 1 << 48);
        Ok(Self {
            source: source.map(|source| source.parsed_text("an IP address", address)).transpose()?,
            group: group.parsed_text("the IP address of a multicast group", |text| {
                address(text).filter(IpAddr::is_multicast)
            })?,
            port: port.parsed_text("a UDP port of 1 to 65535", |text| text.parse().ok().filter(|port| *port > 0))?,
            tsi: tsi.map(|tsi| tsi.parsed_text("a TSI of at most 48 bits", tsi_of)).transpose()?,
        })
    }
}

impl UnicastRepair {
    fn read(element: &Element) -> Result<Self, ConfigurationError> {
        let milliseconds = |name: &str| {
            let parse = |text: &str| text.parse().ok().map(Duration::from_millis);
            element.parsed_attribute(name, "a number of milliseconds", parse).map(Option::unwrap_or_default)
        };
        Ok(Self {
            object_base_uri: element.attribute("transportObjectBaseURI").map(str::to_owned),
            fixed_back_off: milliseconds("fixedBackOffPeriod")?,
            random_back_off: milliseconds("randomBackOffPeriod")?,
            base_urls: all(element, "BaseURL", MAX_BASE_URLS, |base| {
                let weight = base.parsed_attribute("relativeWeight", "a number", |text| text.parse().ok())?;
                Ok((base.text().to_owned(), weight.unwrap_or(1)))
            })?,
        })
    }
}

/// What is read from all children of a name, of which there may be so many.
fn all<T>(
    element: &Element,
    child: &'static str,
    max: usize,
    read: impl Fn(&Element) -> Result<T, ConfigurationError>,
) -> Result<Vec<T>, ConfigurationError> {
    if element.children(child).nth(max).is_some() {
        return Err(ConfigurationError::TooMany { element: element.path(), child, max });
    }
    element.children(child).map(read).collect()
}

#[cfg(test)]
mod tests;
