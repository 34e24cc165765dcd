// SPDX-License-Identifier: MPL-2.0

//! Multicasts a file, or all files of a folder: `send GROUP:PORT PATH [INTERFACE-ADDRESS]`, as in
//! `cargo run -p flute-proto --example send -- 239.255.67.1:3400 README.md`. Without the address of an interface the
//! packets stay on the loopback interface.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::SystemTime;

use flute_fec::Protection;
use flute_proto::Time;
use flute_proto::lct::Tsi;
use flute_proto::sender::{
    Batch, Event, FecConfig, FecScheme, FileSource, FinishPolicy, Object, Pacing, Poll, Sender, SenderConfig,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [group, path, interface @ ..] = &arguments[..] else {
        return Err("usage: send GROUP:PORT PATH [INTERFACE-ADDRESS]".into());
    };
    let group: SocketAddr = group.parse()?;
    let interface = interface.first().map_or(Ok(Ipv4Addr::LOCALHOST), |address| address.parse())?;
    // A socket that is bound to the address of an interface multicasts there.
    let socket = UdpSocket::bind((interface, 0))?;
    socket.connect(group)?;

    // 30 % of repair symbols, and 10 Mbit/s on the wire.
    let fec = FecConfig::default().scheme(FecScheme::ReedSolomon8).protection(Protection::Percent(30.0));
    let config = SenderConfig::default()
        .tsi(Tsi::new(1).expect("1 is a TSI"))
        .fec(fec)
        .pacing(Pacing::default().bitrate(10_000_000))
        // The first TOI is taken from it, so that receivers tell this session from an earlier one.
        .seed(now().as_unix().as_nanos() as u64);
    let mut sender = Sender::new(config, now())?;
    let path = Path::new(path);
    add(&mut sender, path, path.parent().unwrap_or(path))?;
    sender.finish(FinishPolicy::FinishTransfers, now());

    let mut batch = Batch::new(64);
    loop {
        match sender.poll(now(), &mut batch) {
            Poll::Packets => {
                for packet in batch.packets() {
                    socket.send(packet)?;
                }
            }
            Poll::Wait(until) => std::thread::sleep(until.since(now())),
            Poll::Idle | Poll::Done => return Ok(()),
        }
        while let Some(event) = sender.poll_event() {
            match event {
                Event::TransferEnded { location, transfer_length, .. } => {
                    println!("{location}: {transfer_length} bytes")
                }
                Event::Failed { location, reason, .. } => eprintln!("{location}: {reason}"),
                _ => {}
            }
        }
    }
}

/// Adds a file, or all files of a folder, under their names below `root`.
fn add(sender: &mut Sender, path: &Path, root: &Path) -> Result<(), Box<dyn Error>> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            add(sender, &entry?.path(), root)?;
        }
        return Ok(());
    }
    let name = path.strip_prefix(root)?.to_str().ok_or("a file name that is not Unicode")?;
    let mut object = Object::new(name, FileSource::open(path)?);
    object.md5 = true;
    sender.add(object, now())?;
    Ok(())
}

/// The sender reads no clock: each call gets the time.
fn now() -> Time {
    Time::from_unix(SystemTime::UNIX_EPOCH.elapsed().expect("the clock is set"))
}
