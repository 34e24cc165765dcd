// SPDX-License-Identifier: MPL-2.0

//! Whole sessions. The input is a play: a well-meant sender, of any profile and FEC scheme, whose packets arrive, are
//! lost, come twice, change places, wait, and are tampered with; and an attacker beside it who sends anything.
//!
//! The receiver keeps within its memory whatever comes, does what is due in a bounded number of slices, and delivers
//! nothing under a digest that it does not have. If no attacker interfered, every object of which all packets arrived comes
//! out.

mod honest;
mod hostile;

use std::collections::BTreeSet;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use flute_proto::Time;
use flute_proto::conformance::Validator;
use flute_proto::lct::Tsi;
use flute_proto::receiver::{Content, Endpoints, Event, Limits, Mode, Receiver, ReceiverConfig};
use honest::Session;

const MAX_MEMORY: u64 = 1 << 20;

/// Slices of work that one packet can cause: more would be a loop that does not end.
const MAX_SLICES: usize = 10_000;

/// Ends of plays that are too long to be found anything in.
const MAX_STEPS: usize = 256;

struct Play {
    receiver: Receiver,
    /// It looks at everything that the receiver does.
    validator: Validator,
    now: Time,
    tsi: Tsi,
    sessions: Vec<Session>,
    /// Packets of the last session in the order in which they are to arrive.
    order: Vec<usize>,
    next: usize,
    arrived: BTreeSet<usize>,
    completed: BTreeSet<String>,
    /// The receiver has seen nothing but packets of the sender, unaltered, and time that is soon over.
    is_honest: bool,
    waited: Duration,
}

impl Play {
    fn new(input: &mut Unstructured<'_>) -> Result<Self> {
        let limits = Limits::default().max_memory(MAX_MEMORY).max_objects(64).max_fdt_instances(16);
        let mode = *input.choose(&[Mode::Everything, Mode::OncePerLocation, Mode::KeepUpdated])?;
        let tsi = Tsi::new(u64::from(input.arbitrary::<u8>()?)).unwrap_or_default();
        Ok(Self {
            receiver: Receiver::new(ReceiverConfig::default().limits(limits).mode(mode).fdt_documents(true)),
            validator: Validator::new(None),
            now: honest::start(),
            tsi,
            sessions: Vec::new(),
            order: Vec::new(),
            next: 0,
            arrived: BTreeSet::new(),
            completed: BTreeSet::new(),
            is_honest: true,
            waited: Duration::ZERO,
        })
    }

    /// A sender begins, or begins anew with other objects under the TOIs it had.
    fn enter(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        if let Some(session) = Session::new(input, self.tsi, self.now)? {
            self.order = (0..session.packets.len()).collect();
            self.next = 0;
            self.arrived.clear();
            self.sessions.push(session);
        }
        Ok(())
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.int_in_range(0..=15u8)? {
            0..=2 => {
                for _ in 0..=input.arbitrary::<u8>()? {
                    self.deliver(|_| ());
                }
            }
            3 => self.next += usize::from(input.arbitrary::<u8>()?),
            4 => {
                let back = usize::from(input.arbitrary::<u8>()?);
                self.next = self.next.saturating_sub(back);
            }
            5 => {
                let (one, other) = (self.next + usize::from(input.arbitrary::<u8>()?), self.next);
                if one < self.order.len() {
                    self.order.swap(one, other);
                }
            }
            6 => {
                let (place, change) = (usize::from(input.arbitrary::<u16>()?), input.arbitrary::<u8>()?);
                self.tamper(|packet| {
                    if let Some(byte) = packet.get_mut(place) {
                        *byte ^= change;
                    }
                });
            }
            7 => {
                let length = usize::from(input.arbitrary::<u16>()?);
                self.tamper(|packet| packet.truncate(length));
            }
            8 => {
                let (place, more) = (usize::from(input.arbitrary::<u8>()?), input.arbitrary::<[u8; 4]>()?);
                self.tamper(|packet| drop(packet.splice(place.min(packet.len())..place.min(packet.len()), more)));
            }
            9 | 10 => {
                let length = usize::from(input.arbitrary::<u16>()?).min(input.len());
                let datagram = input.bytes(length)?;
                self.interfere(datagram);
            }
            11 => {
                let fdt = hostile::fdt(input, self.tsi)?;
                self.interfere(&fdt);
            }
            12 => {
                let packets = self.sessions.last().map_or(&[][..], |session| &session.packets);
                let fdt = hostile::altered_fdt(input, self.tsi, packets)?;
                self.interfere(&fdt);
            }
            13 => {
                let symbols = hostile::symbols(input, self.tsi)?;
                self.interfere(&symbols);
            }
            14 => {
                let unit = *input.choose(&[1, 1000, 60_000])?;
                self.pause(Duration::from_millis(unit * u64::from(input.arbitrary::<u8>()?)));
            }
            _ => self.enter(input)?,
        }
        Ok(())
    }

    /// The next packet of the session arrives, as it was sent or not.
    fn deliver(&mut self, alter: impl FnOnce(&mut Vec<u8>)) {
        let Some(&index) = self.order.get(self.next) else { return };
        self.next += 1;
        let mut packet = self.sessions.last().expect("it has packets").packets[index].clone();
        alter(&mut packet);
        self.arrived.insert(index);
        self.push(&packet);
    }

    fn tamper(&mut self, alter: impl FnOnce(&mut Vec<u8>)) {
        self.is_honest = false;
        self.deliver(alter);
    }

    fn interfere(&mut self, datagram: &[u8]) {
        self.is_honest = false;
        self.push(datagram);
    }

    fn push(&mut self, datagram: &[u8]) {
        let endpoints = Endpoints { source: None, destination: None };
        self.validator.push(endpoints, datagram);
        self.receiver.push(endpoints, datagram, self.now);
        self.work();
    }

    fn pause(&mut self, duration: Duration) {
        self.waited += duration;
        self.now = self.now + duration;
        self.work();
    }

    /// Does what is due, and looks at what came of it.
    fn work(&mut self) {
        let mut slices = 0;
        self.look();
        while self.receiver.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            self.receiver.handle_timeout(self.now);
            self.look();
            slices += 1;
            assert!(slices < MAX_SLICES, "work that does not end");
        }
    }

    fn look(&mut self) {
        while let Some(event) = self.receiver.poll_event() {
            self.validator.note(&event, self.now);
            let Event::Completed { object, content } = event else { continue };
            let Content::Memory(content) = content else { panic!("there is no folder for spool files") };
            assert!(content.len() as u64 <= MAX_MEMORY);
            if self.is_honest {
                let sent = |session: &Session| {
                    session.objects.iter().any(|(location, sent)| location == object.location() && *sent == content)
                };
                assert!(self.sessions.iter().any(sent), "{} is not what was sent", object.location());
                self.completed.insert(object.location().to_owned());
            }
        }
        for (session, stats) in self.receiver.stats().sessions {
            assert!(stats.memory <= MAX_MEMORY, "{session:?} keeps {} bytes", stats.memory);
        }
    }

    fn end(mut self) {
        if let [session] = &self.sessions[..]
            && self.is_honest
            && !session.closes
            && self.waited < Duration::from_secs(60)
            && self.arrived.len() == session.packets.len()
        {
            for (location, _) in &session.objects {
                assert!(self.completed.contains(location), "all packets arrived, but {location} did not come out");
            }
        }
        self.receiver.finish(self.now);
        self.look();
        assert_eq!(self.receiver.next_deadline(), None);
    }
}

fn play(input: &mut Unstructured<'_>) -> Result<()> {
    let mut play = Play::new(input)?;
    play.enter(input)?;
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        play.step(input)?;
    }
    play.end();
    Ok(())
}

/// Tries an input.
pub fn run(bytes: &[u8]) {
    // An input that ends in the middle of a step is no play.
    let _ = play(&mut Unstructured::new(bytes));
}
