// SPDX-License-Identifier: MPL-2.0

//! `flute gateway`, with a sender on the one side and HTTP clients on the other.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;

use serde_json::Value;

use crate::process::{Program, free_port, group, listen, run};
use crate::relay::Relay;

pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length as u32).map(|i| (i * 7 % 251) as u8).collect()
}

/// A gateway of sources.
pub(crate) struct Gateway {
    pub(crate) address: String,
    pub(crate) program: Program,
}

/// The head of an answer, and what follows.
pub(crate) struct Answer {
    head: String,
    body: BufReader<TcpStream>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn all(mut self) -> Vec<u8> {
        let mut body = Vec::new();
        self.body.read_to_end(&mut body).unwrap();
        body
    }
}

impl Gateway {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// One with variables of the environment.
    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_at(listen(), arguments, environment)
    }

    /// One that listens there.
    pub(crate) fn start_at(address: String, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let arguments = [&["gateway", "--iface", "lo", "--listen", &address, "--json"], arguments].concat();
        let mut program = Program::start_with(&arguments, environment);
        assert_eq!(program.wait_for("serving")["url"], format!("http://{address}/"));
        Self { address, program }
    }

    fn ask(&self, method: &str, path: &str, fields: &str) -> Answer {
        self.ask_as(&self.address, method, path, fields)
    }

    fn ask_as(&self, host: &str, method: &str, path: &str, fields: &str) -> Answer {
        let stream = TcpStream::connect(&self.address).unwrap();
        write!(&stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n").unwrap();
        let mut body = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(body.read_line(&mut head).unwrap() > 0, "{head}");
        }
        Answer { head, body }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    pub(crate) fn sessions(&self) -> Value {
        serde_json::from_slice(&self.get("/api/v1/sessions").all()).unwrap()
    }
}

/// Sends a folder again and again.
pub(crate) fn carousel(folder: &Path, group: &str, arguments: &[&str]) -> Program {
    let all = ["send", folder.to_str().unwrap(), "--to", group, "--iface", "lo", "--json", "--carousel"];
    Program::start(&[&all[..], arguments].concat())
}

/// The same for as long as a test likes: the sender prints nothing, so that no test has to read it.
pub(crate) fn quiet_carousel(folder: &Path, group: &str) -> Program {
    Program::start(&[
        "send",
        folder.to_str().unwrap(),
        "--to",
        group,
        "--iface",
        "lo",
        "--carousel",
        "--quiet",
        "--bitrate",
        "100M",
    ])
}

fn presentation() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("video")).unwrap();
    fs::write(folder.path().join("video/1.m4s"), content(300_000)).unwrap();
    fs::write(folder.path().join("live.mpd"), "<MPD/>").unwrap();
    folder
}

#[test]
fn objects_are_served_as_they_were_sent() {
    let (folder, group) = (presentation(), group());
    let gateway = Gateway::start(&[&format!("tv={group}")]);
    let _sender = carousel(folder.path(), &group, &[]);
    // The requests are there before the objects are.
    let segment = gateway.get("/video/1.m4s");
    assert_eq!((segment.status(), segment.field("content-type")), (200, Some("video/mp4")));
    assert_eq!(segment.field("access-control-allow-origin"), Some("*"));
    assert_eq!(segment.field("cache-control"), Some("max-age=300"));
    assert!(segment.all() == content(300_000));
    let manifest = gateway.get("/tv/live.mpd");
    assert_eq!(manifest.field("content-type"), Some("application/dash+xml"));
    assert_eq!(manifest.field("cache-control"), Some("max-age=1"));
    let etag = manifest.field("etag").unwrap().to_owned();
    assert_eq!(manifest.all(), b"<MPD/>");
    assert_eq!(gateway.ask("GET", "/live.mpd", &format!("If-None-Match: {etag}\r\n")).status(), 304);
    let range = gateway.ask("GET", "/video/1.m4s", "Range: bytes=100-199\r\n");
    assert_eq!((range.status(), range.field("content-range")), (206, Some("bytes 100-199/300000")));
    assert_eq!(range.all(), content(300_000)[100..200]);
    let head = gateway.ask("HEAD", "/video/1.m4s", "");
    assert_eq!((head.status(), head.field("content-length")), (200, Some("300000")));
    assert!(head.all().is_empty());
    let options = gateway.ask("OPTIONS", "/video/1.m4s", "Origin: http://a\r\nAccess-Control-Request-Method: GET\r\n");
    assert_eq!((options.status(), options.field("access-control-allow-methods")), (204, Some("GET, HEAD, OPTIONS")));
    gateway.program.interrupt();
    assert_eq!(gateway.program.end().status, Some(0));
}

#[test]
fn bytes_flow_while_the_object_arrives() {
    let (folder, group) = (tempfile::tempdir().unwrap(), group());
    // The last byte comes after some seconds.
    fs::write(folder.path().join("slow.ts"), content(300_000)).unwrap();
    let gateway = Gateway::start(&[&group]);
    let mut sender = carousel(folder.path(), &group, &["--bitrate", "1M"]);
    let mut answer = gateway.get("/slow.ts");
    assert_eq!((answer.status(), answer.field("content-length")), (200, Some("300000")));
    let mut first = vec![0; 30_000];
    answer.body.read_exact(&mut first).unwrap();
    assert_eq!(gateway.sessions()["services"][0]["objects-received"], 0, "it is not complete");
    let mut rest = Vec::new();
    answer.body.read_to_end(&mut rest).unwrap();
    assert!([first, rest].concat() == content(300_000));
    sender.wait_for("object-sent");
}

#[test]
fn several_services_have_names_of_their_own() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(first.path().join("a.txt"), "one").unwrap();
    fs::write(second.path().join("a.txt"), "two").unwrap();
    let (one, two) = (group(), group());
    let gateway = Gateway::start(&[&format!("one={one}"), &format!("two=flute://{two}?iface=lo")]);
    let _senders = [carousel(first.path(), &one, &[]), carousel(second.path(), &two, &[])];
    assert_eq!(gateway.get("/one/a.txt").all(), b"one");
    assert_eq!(gateway.get("/two/a.txt").all(), b"two");
    let unknown = gateway.get("/a.txt");
    assert_eq!(unknown.status(), 404);
    assert!(String::from_utf8(unknown.all()).unwrap().contains("one, two"));
}

#[test]
fn what_cannot_come_any_more_is_not_found() {
    let (folder, group) = (presentation(), group());
    let gateway = Gateway::start(&[&group]);
    let _sender = Program::start(&["send", folder.path().to_str().unwrap(), "--to", &group, "--iface", "lo"]);
    assert_eq!(gateway.get("/live.mpd").status(), 200);
    assert_eq!(gateway.get("/video/2.m4s").status(), 404, "the session is closed without it");
    assert_eq!(gateway.get("/video/1.m4s").status(), 200);
}

/// A gateway that has all of a folder, and its URL.
pub(crate) fn origin(folder: &Path) -> (Gateway, Program, String) {
    let group = group();
    let gateway = Gateway::start(&[&group]);
    let sender = quiet_carousel(folder, &group);
    let url = format!("http://{}/", gateway.address);
    (gateway, sender, url)
}

#[test]
fn what_is_lost_comes_from_the_origin() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    fs::write(folder.path().join("movie.mp4"), content(300_000)).unwrap();
    let to = format!("127.0.0.1:{port}");
    let (_origin, _carousel, url) = origin(folder.path());
    let gateway = Gateway::start(&[&format!("tv={to}"), "--origin", &url, "--repair-delay", "50ms"]);
    let relay = Relay::start(&to, |number, _| number == 100);
    let sender = run(&["send", folder.path().to_str().unwrap(), "--to", relay.address()]);
    assert_eq!(sender.status, Some(0), "{sender:?}");
    let answer = gateway.get("/movie.mp4");
    assert_eq!(answer.status(), 200);
    assert!(answer.all() == content(300_000));
    // Figures are taken once a second.
    while gateway.sessions()["services"][0]["objects-repaired"] != 1 {
        std::thread::yield_now();
    }
    assert!(gateway.sessions()["services"][0]["repair-bytes"].as_u64() < Some(200_000), "only what was missing");
}

#[test]
fn it_tells_what_the_network_does() {
    let (folder, group) = (presentation(), group());
    let gateway = Gateway::start(&[&format!("tv={group}")]);
    let _sender = carousel(folder.path(), &group, &[]);
    assert_eq!(gateway.get("/live.mpd").status(), 200);
    assert_eq!(gateway.get("/healthz").all(), b"ok\n");
    let page = gateway.get("/");
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(String::from_utf8(page.all()).unwrap().contains("<title>FLUTE gateway</title>"));
    // Figures are taken once a second.
    let mut events = gateway.get("/_flute/events");
    assert_eq!(events.field("content-type"), Some("text/event-stream"));
    let snapshot = loop {
        let mut line = String::new();
        events.body.read_line(&mut line).unwrap();
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let snapshot: Value = serde_json::from_str(data).unwrap();
        if snapshot["services"][0]["objects-received"] == 2 {
            break snapshot;
        }
    };
    let service = &snapshot["services"][0];
    assert_eq!((&service["name"], &service["address"]), (&"tv".into(), &group.clone().into()));
    assert_eq!(service["sessions"][0]["tsi"], 1);
    assert_eq!(service["loss-before-repair"], 0.0);
    let metrics = String::from_utf8(gateway.get("/metrics").all()).unwrap();
    assert!(metrics.contains("flute_received_objects_total{service=\"tv\"} 2\n"), "{metrics}");
    assert!(metrics.contains("# UNIT flute_received_bytes bytes\n") && metrics.ends_with("# EOF\n"), "{metrics}");
    assert_eq!(gateway.sessions()["services"][0]["objects-received"], 2);
    assert_eq!(gateway.ask("POST", "/metrics", "Content-Length: 0\r\n").status(), 405);
}

#[test]
fn it_shows_the_loss_that_was_made() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    fs::write(folder.path().join("movie.mp4"), content(2_000_000)).unwrap();
    let to = format!("127.0.0.1:{port}");
    let gateway = Gateway::start(&[&to]);
    // Three packets of a hundred.
    let relay = Relay::start(&to, |number, _| matches!(number % 100, 13 | 58 | 90));
    let fec = ["--fec", "raptorq", "--repair", "10%"];
    let sender = run(&[&["send", folder.path().to_str().unwrap(), "--to", relay.address()], &fec[..]].concat());
    assert_eq!(sender.status, Some(0), "{sender:?}");
    assert!(gateway.get("/movie.mp4").all() == content(2_000_000));
    let service = loop {
        let service = gateway.sessions()["services"][0].take();
        if service["objects-received"] == 1 {
            break service;
        }
        std::thread::yield_now();
    };
    let loss = service["loss-before-repair"].as_f64().unwrap();
    assert!((loss - 0.03).abs() < 0.01, "{loss}");
    assert_eq!((&service["loss-after-repair"], &service["objects-lost"]), (&0.0.into(), &0.into()));
}

#[test]
fn the_page_plays_where_players_are_installed() {
    let (folder, group, player) = (presentation(), group(), tempfile::tempdir().unwrap());
    let gateway = Gateway::start(&[&format!("tv={group}")]);
    let _sender = carousel(folder.path(), &group, &[]);
    let page = gateway.get("/");
    let policy = page.field("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert!(String::from_utf8(page.all()).unwrap().contains("npm ci"), "it says how to install them");
    for (path, content_type) in [("page.css", "text/css"), ("page.js", "text/javascript")] {
        let file = gateway.get(&format!("/_flute/{path}"));
        assert_eq!((file.status(), file.field("content-type").map(|value| value.split(';').next())), {
            (200, Some(Some(content_type)))
        });
    }
    assert_eq!(gateway.get("/_flute/player/hls.min.js").status(), 404);
    // A manifest is known as soon as it is there, and shown with the next figures.
    assert_eq!(gateway.get("/live.mpd").all(), b"<MPD/>");
    let presentations = loop {
        let presentations = gateway.sessions()["services"][0]["presentations"].take();
        if presentations[0].is_object() {
            break presentations;
        }
        std::thread::yield_now();
    };
    assert_eq!(presentations, serde_json::json!([{ "path": "/tv/live.mpd", "format": "dash" }]));

    for (path, content) in [
        ("dashjs/dist/modern/umd/dash.all.min.js", "dash"),
        ("hls.js/dist/hls.min.js", "hls"),
        ("hls.js/dist/hls.worker.js", "worker"),
    ] {
        let path = player.path().join("node_modules").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let directory = player.path().to_str().unwrap();
    let gateway = Gateway::start(&[&group, "--player-directory", directory]);
    for (name, content) in [("dash.all.min.js", "dash"), ("hls.min.js", "hls"), ("hls.worker.js", "worker")] {
        let file = gateway.get(&format!("/_flute/player/{name}"));
        assert_eq!(file.field("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(file.all(), content.as_bytes());
    }
    assert_eq!(gateway.ask("POST", "/_flute/player/hls.min.js", "Content-Length: 0\r\n").status(), 405);
    for other in ["../package.json", "..%2Fpackage.json", "package.json", "node_modules/hls.js/dist/hls.min.js", ""] {
        assert_eq!(gateway.get(&format!("/_flute/player/{other}")).status(), 404, "{other}");
    }
}

#[test]
fn a_service_may_have_the_paths_of_the_program() {
    let (folder, group) = (tempfile::tempdir().unwrap(), group());
    fs::write(folder.path().join("metrics"), "a file").unwrap();
    let gateway = Gateway::start(&[&group]);
    let mut sender = carousel(folder.path(), &group, &[]);
    assert_eq!(gateway.get(&format!("/{group}/metrics")).all(), b"a file");
    sender.wait_for("object-sent");
    assert_eq!(gateway.get("/metrics").all(), b"a file");
    assert!(gateway.get("/_flute/metrics").all().ends_with(b"# EOF\n"));
}

#[test]
fn other_names_are_refused() {
    let group = group();
    let gateway = Gateway::start(&[&group, "--allow-host", "tv.example"]);
    let status = |host: &str| gateway.ask_as(host, "GET", "/healthz", "").status();
    assert_eq!((status("localhost"), status("tv.example:8080"), status("evil.example")), (200, 200, 421));
    let url = format!("http://evil.example{}", "/healthz");
    assert_eq!(gateway.ask("GET", &url, "").status(), 421, "the URI goes before the field Host");
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |arguments: &[&str]| {
        let ended = crate::process::run(&[&["gateway"], arguments].concat());
        assert_eq!(ended.status, Some(2), "{ended:?}");
        ended.stderr
    };
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string();
    let listener = TcpListener::bind(&taken).unwrap();
    assert!(wrong(&["239.1.1.1:3400", "--iface", "lo", "--listen", &taken]).contains("is another program listening"));
    drop(listener);
    let twice = ["239.1.1.1:3400", "239.1.1.1:3400", "--iface", "lo", "--listen", "127.0.0.1:0"];
    assert!(wrong(&twice).contains("give one of them another, as in news=239.1.1.1:3400"));
    let no_player = ["239.1.1.1:3400", "--iface", "lo", "--player-directory", "/nowhere"];
    assert!(wrong(&no_player).contains("run npm ci --omit=dev --ignore-scripts"));
    assert!(wrong(&["no/name=239.1.1.1:3400"]).contains("is no name for a service"));
}
