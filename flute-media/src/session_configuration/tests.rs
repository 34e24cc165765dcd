// SPDX-License-Identifier: MPL-2.0

use super::*;

/// A configuration of one service with this in its only session.
fn with_session(session: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><MulticastGatewayConfiguration><MulticastSession serviceIdentifier=\"tv\">\
         <MulticastTransportSession>{session}</MulticastTransportSession></MulticastSession>\
         </MulticastGatewayConfiguration>"
    )
}

const PROTOCOL: &str =
    "<TransportProtocol protocolIdentifier=\"urn:dvb:metadata:cs:MulticastTransportProtocolCS:2019:FLUTE\"/>";

fn endpoint(group: &str, port: &str) -> String {
    format!(
        "<EndpointAddress><NetworkDestinationGroupAddress>{group}</NetworkDestinationGroupAddress>\
         <TransportDestinationPort>{port}</TransportDestinationPort></EndpointAddress>"
    )
}

fn error(document: &str) -> String {
    SessionConfiguration::from_xml(document.as_bytes()).unwrap_err().to_string()
}

#[test]
fn everything_that_is_used() {
    let document = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>
        <!-- a comment -->
        <c:MulticastGatewayConfiguration xmlns:c=\"urn:dvb:metadata:MulticastSessionConfiguration:2023\">
          <c:MulticastGatewayConfigurationTransportSession>
            <c:TransportProtocol protocolIdentifier=\"urn:dvb:metadata:cs:MulticastTransportProtocolCS:2019:FLUTE\"/>
            <c:EndpointAddress>
              <c:NetworkDestinationGroupAddress> ff3e::1 </c:NetworkDestinationGroupAddress>
              <c:TransportDestinationPort>6000</c:TransportDestinationPort>
            </c:EndpointAddress>
          </c:MulticastGatewayConfigurationTransportSession>
          <c:MulticastSession serviceIdentifier=\"urn:a&amp;b\" unknown=\"1\">
            <c:PresentationManifestLocator contentType=\"application/dash+xml\" transportObjectURI=\"tag:a/m.mpd\">
              http://h/m.mpd?a&#61;b</c:PresentationManifestLocator>
            <c:MulticastTransportSession transmissionMode=\"chunked\">
              <c:TransportProtocol protocolIdentifier=\"urn:dvb:metadata:cs:MulticastTransportProtocolCS:2019:FLUTE\"/>
              <c:EndpointAddress>
                <c:NetworkSourceAddress>192.0.2.1</c:NetworkSourceAddress>
                <c:NetworkDestinationGroupAddress>239.1.1.1</c:NetworkDestinationGroupAddress>
                <c:TransportDestinationPort>6001</c:TransportDestinationPort>
                <c:MediaTransportSessionIdentifier>10</c:MediaTransportSessionIdentifier>
              </c:EndpointAddress>
              <c:Unknown><c:MulticastSession/></c:Unknown>
              <c:UnicastRepairParameters transportObjectBaseURI=\"http://m/\" fixedBackOffPeriod=\"100\"
                  randomBackOffPeriod=\"2000\" transportObjectReceptionTimeout=\"500\">
                <c:BaseURL relativeWeight=\"3\">http://one/</c:BaseURL>
                <c:BaseURL>http://two/</c:BaseURL>
              </c:UnicastRepairParameters>
            </c:MulticastTransportSession>
            <c:MulticastTransportSession>
              <c:TransportProtocol protocolIdentifier=\"urn:dvb:metadata:cs:MulticastTransportProtocolCS:2019:ROUTE\"/>
            </c:MulticastTransportSession>
          </c:MulticastSession>
        </c:MulticastGatewayConfiguration>";
    let configuration = SessionConfiguration::from_xml(document.as_bytes()).unwrap();
    let own = &configuration.configuration_sessions[0].endpoints[0];
    assert_eq!((own.group, own.port, own.tsi), ("ff3e::1".parse().unwrap(), 6000, None));
    let service = &configuration.services[0];
    assert_eq!(service.identifier, "urn:a&b");
    let manifest = ManifestLocator {
        content_type: Some("application/dash+xml".to_owned()),
        object_uri: Some("tag:a/m.mpd".to_owned()),
        url: Some("http://h/m.mpd?a=b".to_owned()),
    };
    assert_eq!(service.manifests, [manifest]);
    let [session] = service.transport_sessions.as_slice() else { panic!("ROUTE is left out") };
    let endpoint =
        Endpoint { source: "192.0.2.1".parse().ok(), group: "239.1.1.1".parse().unwrap(), port: 6001, tsi: Some(10) };
    assert_eq!((session.is_chunked, session.endpoints.as_slice()), (true, &[endpoint][..]));
    let repair = UnicastRepair {
        object_base_uri: Some("http://m/".to_owned()),
        fixed_back_off: Duration::from_millis(100),
        random_back_off: Duration::from_secs(2),
        base_urls: vec![("http://one/".to_owned(), 3), ("http://two/".to_owned(), 1)],
    };
    assert_eq!(session.repair.as_ref(), Some(&repair));
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(
        error("<MPD/>"),
        "the root element is MPD, not MulticastGatewayConfiguration or MulticastServerConfiguration"
    );
    assert!(error("").starts_with("the XML is not well-formed at byte 0"));
    assert!(error("<MulticastGatewayConfiguration><a></b>").starts_with("the XML is not well-formed at byte "));
    assert!(error("<MulticastGatewayConfiguration>&unknown;").contains("an unknown entity"));
    assert_eq!(
        error("<MulticastGatewayConfiguration><MulticastSession/></MulticastGatewayConfiguration>"),
        "MulticastGatewayConfiguration/MulticastSession[1]: the attribute serviceIdentifier is missing"
    );
    let session = "MulticastGatewayConfiguration/MulticastSession[1]/MulticastTransportSession[1]";
    assert_eq!(error(&with_session("")), format!("{session}: the element TransportProtocol is missing"));
    assert_eq!(error(&with_session(PROTOCOL)), format!("{session}: the element EndpointAddress is missing"));
    let second = [PROTOCOL, &endpoint("239.1.1.1", "1"), &endpoint("239.1.1.1", "65536")].concat();
    assert_eq!(
        error(&with_session(&second)),
        format!(
            "{session}/EndpointAddress[2]/TransportDestinationPort[1] cannot be “65536”: \
             it must be a UDP port of 1 to 65535"
        )
    );
    let unicast = [PROTOCOL, &endpoint("192.0.2.1", "1")].concat();
    assert!(error(&with_session(&unicast)).ends_with("“192.0.2.1”: it must be the IP address of a multicast group"));
    let repair =
        format!("{PROTOCOL}{}<UnicastRepairParameters fixedBackOffPeriod=\"PT1S\"/>", endpoint("239.1.1.1", "1"));
    assert_eq!(
        error(&with_session(&repair)),
        format!(
            "{session}/UnicastRepairParameters[1]/@fixedBackOffPeriod cannot be “PT1S”: \
             it must be a number of milliseconds"
        )
    );
}

#[test]
fn bounds() {
    let deep = "<a>".repeat(100);
    assert!(error(&format!("<MulticastGatewayConfiguration>{deep}")).contains("more than 32 within each other"));
    let many = "<a/>".repeat(100_000);
    assert!(error(&format!("<MulticastGatewayConfiguration>{many}")).contains("more than 65536 elements"));
    assert!(error(&" ".repeat(5 << 20)).contains("longer than"));
    let endpoints = endpoint("239.1.1.1", "1").repeat(17);
    let error = error(&with_session(&[PROTOCOL, &endpoints].concat()));
    assert!(error.ends_with("there are more than 16 elements EndpointAddress"), "{error}");
}
