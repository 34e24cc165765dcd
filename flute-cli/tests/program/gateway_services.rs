// SPDX-License-Identifier: MPL-2.0

//! What `flute gateway` serves: captures, the services of configurations, and services that move and restart.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use flute_proto::Time;
use flute_proto::sender::{Batch, Object, Poll, Sender, SenderConfig};
use serde_json::Value;

use crate::gateway::{Gateway, content, origin, quiet_carousel};
use crate::inspect::{packets, write_pcap};
use crate::process::{free_port, group, run};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with one file.
fn folder(name: &str, content: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    folder
}

#[test]
fn captures_are_served_as_if_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pcap");
    write_pcap(&path, &packets());
    for pace in [&["--unpaced"][..], &[]] {
        let gateway = Gateway::start(&[&[text(&path)], pace].concat());
        assert!(gateway.get("/a.bin").all() == [7; 100_000]);
        assert!(gateway.get("/session/b.bin").all() == [7; 1000]);
        assert_eq!(gateway.get("/c.bin").status(), 404, "the capture has no more");
    }
}

#[test]
fn captures_of_others() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures/gpac-mabr-dash-flute.pcap");
    if !path.is_file() {
        eprintln!("skipped: there is no {}", path.display());
        return;
    }
    let gateway = Gateway::start(&[&format!("tv={}", text(&path)), "--unpaced"]);
    let manifest = gateway.get("/tv/manifest.mpd");
    assert_eq!(manifest.status(), 200);
    assert!(String::from_utf8(manifest.all()).unwrap().contains("<MPD"));
}

#[test]
fn captures_that_are_broken_end_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pcap");
    write_pcap(&path, &packets());
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(1000);
    fs::write(&path, bytes).unwrap();
    let ended = run(&["gateway", text(&path), "--unpaced", "--listen", "127.0.0.1:0"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.stderr.contains("session.pcap: a frame is broken"), "{}", ended.stderr);
}

/// A configuration of services, each with its identifier, its group and port, and where it is repaired.
fn configuration(services: &[(&str, &str, Option<&str>)]) -> String {
    let services: String = services
        .iter()
        .map(|(identifier, address, repair)| {
            let (group, port) = address.split_once(':').unwrap();
            let repair = repair.map_or_else(String::new, |url| {
                format!(
                    "<UnicastRepairParameters transportObjectReceptionTimeout=\"500\" randomBackOffPeriod=\"50\">\
                     <BaseURL>{url}</BaseURL></UnicastRepairParameters>"
                )
            });
            format!(
                "<MulticastSession serviceIdentifier=\"{identifier}\"><MulticastTransportSession id=\"1\">\
                 <TransportProtocol protocolVersion=\"1\" \
                 protocolIdentifier=\"urn:dvb:metadata:cs:MulticastTransportProtocolCS:2019:FLUTE\"/>\
                 <EndpointAddress><NetworkDestinationGroupAddress>{group}</NetworkDestinationGroupAddress>\
                 <TransportDestinationPort>{port}</TransportDestinationPort>\
                 <MediaTransportSessionIdentifier>1</MediaTransportSessionIdentifier></EndpointAddress>\
                 <BitRate maximum=\"1000000\"/>{repair}</MulticastTransportSession></MulticastSession>"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><MulticastGatewayConfiguration \
         xmlns=\"urn:dvb:metadata:MulticastSessionConfiguration:2024\">{services}</MulticastGatewayConfiguration>"
    )
}

/// Sends a configuration.
fn announce(configuration: &str, to: &str) {
    let now = || Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().unwrap());
    let mut sender = Sender::new(SenderConfig::default(), now()).unwrap();
    let name = "urn:dvb:metadata:cs:MulticastTransportObjectTypeCS:2021:gateway-configuration";
    let mut object = Object::new(name, configuration.as_bytes().to_vec());
    object.content_type = Some("application/xml+dvb-mabr-session-configuration".to_owned());
    sender.add(object, now()).unwrap();
    let (socket, mut batch) = (UdpSocket::bind("127.0.0.1:0").unwrap(), Batch::new(8));
    while let Poll::Packets = sender.poll(now(), &mut batch) {
        batch.packets().for_each(|packet| assert!(socket.send_to(packet, to).is_ok()));
    }
}

/// Waits until there are these services at these addresses, in any order.
fn wait_for_services(gateway: &Gateway, expected: &[(&str, &str)]) {
    let is_there = |services: &[Value], (name, address): &(&str, &str)| {
        services.iter().any(|service| service["name"] == *name && service["address"] == *address)
    };
    loop {
        let sessions = gateway.sessions();
        let services = sessions["services"].as_array().unwrap();
        if services.len() == expected.len() && expected.iter().all(|service| is_there(services, service)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asks until the answer is this.
fn wait_for(gateway: &Gateway, path: &str, expected: &[u8]) {
    while gateway.get(path).all() != expected {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn services_of_a_configuration_move_come_and_go() {
    let (one, two) = (folder("a.txt", b"one"), folder("a.txt", b"two"));
    let moved = folder("b.txt", b"moved");
    let (first, second, third) = (group(), group(), group());
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("services.xml");
    fs::write(&path, configuration(&[("urn:one", &first, None)])).unwrap();
    let gateway = Gateway::start(&[text(&path)]);
    let _senders =
        [(&one, &first), (&two, &second), (&moved, &third)].map(|(folder, group)| quiet_carousel(folder.path(), group));
    assert_eq!(gateway.get("/urn:one/a.txt").all(), b"one");
    // One moves, another one comes.
    fs::write(&path, configuration(&[("urn:one", &third, None), ("urn:two", &second, None)])).unwrap();
    wait_for_services(&gateway, &[("urn:one", &third), ("urn:two", &second)]);
    assert_eq!(gateway.get("/urn:two/a.txt").all(), b"two");
    assert_eq!(gateway.get("/urn:one/b.txt").all(), b"moved");
    assert_eq!(gateway.get("/urn:one/a.txt").all(), b"one", "what has come is kept");
    // What is wrong changes nothing.
    fs::write(&path, configuration(&[("urn:one", "192.0.2.1:1", None)])).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(gateway.get("/urn:two/a.txt").all(), b"two");
    fs::write(&path, configuration(&[("urn:two", &second, None)])).unwrap();
    wait_for_services(&gateway, &[("urn:two", &second)]);
    assert_eq!(gateway.get("/a.txt").all(), b"two", "it is the only service now");
    gateway.program.interrupt();
    let ended = gateway.program.end();
    assert!(ended.stderr.contains("NetworkDestinationGroupAddress[1] cannot be “192.0.2.1”"), "{}", ended.stderr);
}

#[test]
fn configurations_that_are_wrong_are_named() {
    let files = folder("services.xml", configuration(&[("tv", "239.1.1.1:0", None)]).as_bytes());
    let path = files.path().join("services.xml");
    let ended = run(&["gateway", text(&path), "--listen", "127.0.0.1:0"]);
    assert_eq!(ended.status, Some(2));
    let expected = "services.xml: MulticastGatewayConfiguration/MulticastSession[1]/MulticastTransportSession[1]/\
                    EndpointAddress[1]/TransportDestinationPort[1] cannot be “0”: it must be a UDP port of 1 to 65535";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}

#[test]
fn configurations_are_received_and_name_where_to_repair() {
    let movie = folder("movie.mp4", &content(300_000));
    let (_origin, _carousel, url) = origin(movie.path());
    let announcing = format!("127.0.0.1:{}", free_port());
    let gateway = Gateway::start(&[&format!("start={announcing}"), "--follow-configuration"]);
    let silent = group();
    announce(&configuration(&[("tv", &silent, Some(&url))]), &announcing);
    wait_for_services(&gateway, &[("start", &announcing), ("tv", &silent)]);
    // Nothing is sent: it comes from the server that the configuration names.
    let movie = gateway.get("/tv/movie.mp4");
    assert_eq!(movie.status(), 200, "{}", gateway.sessions());
    assert!(movie.all() == content(300_000));
}

#[test]
fn a_sender_that_is_killed_and_restarted_is_followed() {
    let group = group();
    let gateway = Gateway::start(&[&format!("tv={group}")]);
    let (before, after) = (folder("a.txt", b"before"), folder("a.txt", b"after"));
    let sender = quiet_carousel(before.path(), &group);
    assert_eq!(gateway.get("/tv/a.txt").all(), b"before");
    // It leaves without a word, and the next one begins with the same TOIs.
    drop(sender);
    let _sender = quiet_carousel(after.path(), &group);
    wait_for(&gateway, "/tv/a.txt", b"after");
}

/// Serves a folder over HTTPS.
const HTTPS_SERVER: &str = "
import http.server, ssl
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('cert.pem', 'key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
";

#[test]
fn origins_with_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj";
    let authority = "/CN=authority -keyout authority.key -out authority.pem";
    let own = "/CN=localhost -keyout key.pem -out cert.pem -CA authority.pem -CAkey authority.key \
               -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost";
    for subject in [authority, own] {
        let arguments: Vec<&str> = request.split(' ').chain(subject.split(' ')).collect();
        if !openssl(&arguments).status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no openssl of version 3");
            return;
        }
    }
    fs::write(folder.join("movie.mp4"), content(300_000)).unwrap();
    let mut server = Command::new("python3");
    let server = server.args(["-c", HTTPS_SERVER]).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = server.spawn().unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let origin = format!("https://localhost:{}/", port.trim());
    let certificates = folder.join("authority.pem");
    let asking = [&group(), "--origin", &origin, "--fast-start", "50ms", "--timeout", "3s"];
    let trusting = Gateway::start_with(&asking, &[("SSL_CERT_FILE", text(&certificates))]);
    let answer = trusting.get("/movie.mp4").all();
    let doubting = Gateway::start(&asking);
    let refused = doubting.get("/movie.mp4").status();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(answer == content(300_000));
    assert_eq!(refused, 504, "nobody has signed the certificate");
}
