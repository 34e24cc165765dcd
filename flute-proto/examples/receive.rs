// SPDX-License-Identifier: MPL-2.0

//! Receives a session into a folder: `cargo run -p flute-proto --example receive -- 239.1.1.1:3400 127.0.0.1 received`.
//!
//! The second argument is the address of the interface that the group is joined on. Every object is written to a file of
//! its own as its blocks arrive, and gets its name when it is complete. The program ends with the session, with status 1 if
//! something was lost.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use flute_proto::Time;
use flute_proto::receiver::{Destination, Endpoints, Event, ObjectInfo, Receiver, ReceiverConfig};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Where an object is written until it is complete.
fn partial(folder: &Path, object: &ObjectInfo) -> PathBuf {
    folder.join(format!(".{}-{}.part", object.session.tsi, object.toi()))
}

/// The file name of an object: the last part of its Content-Location, which comes from the network.
fn name(object: &ObjectInfo) -> Option<&str> {
    let path = object.location().split(['?', '#']).next()?;
    path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty() && !name.starts_with('.'))
}

fn receive(group: SocketAddrV4, interface: Ipv4Addr, folder: PathBuf) -> Result<bool> {
    fs::create_dir_all(&folder)?;
    let socket = UdpSocket::bind(group)?;
    socket.join_multicast_v4(group.ip(), &interface)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;

    let destination = {
        let folder = folder.clone();
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        move |object: &_| match options.open(partial(&folder, object)) {
            Ok(file) => Destination::file(file),
            Err(error) => {
                eprintln!("{}: {error}", partial(&folder, object).display());
                Destination::nothing()
            }
        }
    };
    let mut receiver = Receiver::with_destinations(ReceiverConfig::default(), move |object| destination(object));
    let mut datagram = [0; 65_536];
    let mut lost = HashMap::new();
    loop {
        let now = Time::from_unix(SystemTime::UNIX_EPOCH.elapsed()?);
        // A datagram, if there is one ...
        if let Ok((length, source)) = socket.recv_from(&mut datagram) {
            let endpoints = Endpoints { source: Some(source), destination: Some(group.into()) };
            receiver.push(endpoints, &datagram[..length], now);
        }
        // ... what is due ...
        while receiver.next_deadline().is_some_and(|deadline| deadline <= now) {
            receiver.handle_timeout(now);
        }
        // ... and what happened.
        while let Some(event) = receiver.poll_event() {
            match event {
                Event::Completed { object, .. } => {
                    let name = name(&object).ok_or("an object without a file name")?;
                    fs::rename(partial(&folder, &object), folder.join(name))?;
                    println!("{name}: {} bytes", object.transfer_length);
                    lost.remove(object.location());
                }
                Event::Failed { object, reason, .. } => {
                    eprintln!("{}: {reason}", object.location());
                    lost.insert(object.location().to_owned(), reason);
                }
                Event::SessionClosed { .. } => return Ok(lost.is_empty()),
                _ => {}
            }
        }
    }
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [group, interface, folder] = &arguments[..] else {
        return Err("usage: receive GROUP:PORT INTERFACE-ADDRESS FOLDER".into());
    };
    let is_complete = receive(group.parse()?, interface.parse()?, folder.into())?;
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
