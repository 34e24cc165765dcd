// SPDX-License-Identifier: MPL-2.0

//! From packets of TOI 0 to descriptions of objects (RFC 6726 §3.3, §3.4).

use super::block_decoder::Solved;
use super::context::Context;
use super::description::Description;
use super::event::{Event, Limit};
use super::fdt_database::{FdtDatabase, KNOWN_OVERHEAD, Relation};
use super::fdt_reader::{FdtReader, IncomingInstance, Read, Unreadable};
use super::file_descriptions::FileDescriptions;
use super::ledger::Ledger;
use super::reassembly::{Placement, Reassembly, Unreceivable};
use super::sender_clock::{ASSUMED_LIFETIME, SenderClock, Validity};
use crate::Time;
use crate::alc::{Packet, Payload};
use crate::content::ContentEncoding;
use crate::fdt::{FdtInstance, Rejected};
use crate::lct::{FdtExtension, Toi};
use crate::oti::Oti;

/// `File` entries of an instance that are told to be unusable, at most.
const TOLD_FILES: usize = 8;

/// The FDT Instances of a session, and what they say.
#[derive(Debug, Default)]
pub(super) struct FdtReception {
    database: FdtDatabase,
    /// The instance whose files are being described.
    describing: Option<FileDescriptions>,
    clock: SenderClock,
    /// Version of FLUTE, from EXT_FDT.
    flute_version: Option<u8>,
}

/// What is to be done with a packet of an FDT Instance.
#[derive(Debug)]
pub(super) enum FdtPacket {
    /// Nothing more.
    Done,
    /// It is to be kept until it is known how to read it.
    Pending(u32),
    /// A new instance begins with it. The packet is to be [inserted](FdtReception::insert) when there is
    /// [memory](FdtReception::begin) for the instance.
    First(Box<FirstPacket>),
    /// It is to be [inserted](FdtReception::insert) into the instance with this ID.
    Next(u32),
}

/// The first packet of an FDT Instance.
#[derive(Debug)]
pub(super) struct FirstPacket {
    pub(super) id: u32,
    oti: Oti,
    encoding: ContentEncoding,
    /// The place of another instance, which has not expired, that had its ID.
    replaces: Option<u64>,
}

/// What the FDT says next.
#[derive(Debug)]
pub(super) enum FdtStatement {
    /// A new instance has been read, and its files are about to be described.
    Instance(Box<NewInstance>),
    /// Something of its objects.
    Object(ObjectStatement),
}

/// What the FDT says of objects.
#[derive(Debug)]
pub(super) enum ObjectStatement {
    /// What was received under this TOI is to be forgotten.
    Forget(Toi),
    /// A file is described.
    File(Description),
    /// All files of an instance have been described. It is the newest one and lists all there is (`FullFDT`).
    Full {
        /// Its place in the order of all.
        order: u64,
    },
}

/// An FDT Instance that has been read.
#[derive(Debug)]
pub(super) struct NewInstance {
    id: u32,
    order: u64,
    instance: FdtInstance,
    validity: Validity,
    files: Files,
}

type Files = (std::collections::VecDeque<Vec<crate::fdt::File>>, u64);

impl FdtReception {
    /// Version of FLUTE, as far as it is known: it decides how the header is read (RFC 6726 §11.1).
    pub(super) fn flute_version(&self) -> Option<u8> {
        self.flute_version
    }

    /// Whether the sender has told the time.
    pub(super) fn knows_time(&self) -> bool {
        self.clock.is_known()
    }

    /// The instances that have been read.
    pub(super) fn database(&self) -> &FdtDatabase {
        &self.database
    }

    /// The instances, for what is dropped of them when memory is short.
    pub(super) fn database_mut(&mut self) -> &mut FdtDatabase {
        &mut self.database
    }

    /// Whether instances are to be read, or files to be described.
    pub(super) fn has_work(&self) -> bool {
        self.describing.is_some() || self.database.is_reading()
    }

    /// Looks at a packet of TOI 0.
    pub(super) fn look_at(&mut self, packet: &Packet<'_>, ledger: &mut Ledger, cx: &mut Context<'_>) -> FdtPacket {
        if let Some(sct) = packet.time.and_then(|time| time.sender_current_time) {
            self.clock.set(sct.to_time(cx.now), cx.now);
        }
        let (Some(FdtExtension { flute_version, instance_id: id }), Some(payload)) = (packet.fdt, packet.payload)
        else {
            // A packet of an FDT Instance must have EXT_FDT (RFC 6726 §3.3); one without a payload is a sign of life.
            ledger.stats.unusable += u64::from(packet.payload.is_some());
            return FdtPacket::Done;
        };
        self.flute_version = Some(flute_version);
        let from_packet = match packet.oti() {
            Some(Ok(oti)) => Some(oti),
            // An instance of an unknown FEC scheme must not be decoded (RFC 6726 §3.3).
            Some(Err(error)) => {
                ledger.note_unusable_fdt(id, &error.to_string(), cx.events);
                return FdtPacket::Done;
            }
            None => None,
        };
        let Some(oti) = from_packet.clone().or_else(|| self.database.oti(id).cloned()) else {
            return FdtPacket::Pending(id);
        };
        let replaces = match self.database.relation(id, from_packet.as_ref(), payload) {
            Relation::Repeated => {
                ledger.stats.duplicates += 1;
                self.database.note_repetition(id, payload, cx.now);
                return FdtPacket::Done;
            }
            // An ID is used again before its instance expired: an error (RFC 6726 §3.4.1), or a restarted sender.
            Relation::Other => self.database.forget(id, &mut ledger.budget),
            Relation::Unknown => None,
        };
        if let Some(incoming) = self.database.incoming(id) {
            let object = &incoming.object;
            if *object.oti() == oti && !object.differs(payload) {
                return FdtPacket::Next(id);
            }
            self.database.drop_incoming(id, &mut ledger.budget);
        }
        // EXT_CENC of an encoding that is not known: the instance cannot be read.
        let algorithm = packet.content_encoding.unwrap_or(0);
        let Some(encoding) = ContentEncoding::from_cenc(algorithm) else {
            ledger.note_unusable_fdt(id, &format!("its content encoding {algorithm} is not known"), cx.events);
            return FdtPacket::Done;
        };
        if oti.parameters.transfer_length > cx.config.limits.max_fdt_size {
            ledger.drop_for(Limit::FdtSize, 1, cx.events);
            return FdtPacket::Done;
        }
        FdtPacket::First(Box::new(FirstPacket { id, oti, encoding, replaces }))
    }

    /// Begins to receive an instance. The bytes that it needs, if there is no memory for it at present.
    pub(super) fn begin(
        &mut self,
        first: &FirstPacket,
        ledger: &mut Ledger,
        cx: &mut Context<'_>,
    ) -> Result<bool, u64> {
        let FirstPacket { id, oti, encoding, replaces } = first;
        match Reassembly::new(oti.clone(), Placement::Memory, &mut ledger.budget) {
            Ok(object) => {
                let instance = IncomingInstance { object, encoding: *encoding, replaces: *replaces };
                if self.database.begin(*id, instance, &mut ledger.budget) {
                    ledger.drop_for(Limit::FdtInstances, 1, cx.events);
                }
                Ok(true)
            }
            Err(Unreceivable::OverBudget { needed }) => Err(needed),
            Err(Unreceivable::TooLong) => {
                ledger.drop_for(Limit::Memory, 1, cx.events);
                Ok(false)
            }
            Err(Unreceivable::Oti(error)) => {
                ledger.note_unusable_fdt(*id, &error.to_string(), cx.events);
                Ok(false)
            }
            Err(Unreceivable::Store(_)) => {
                ledger.stats.unusable += 1;
                Ok(false)
            }
        }
    }

    /// Gives symbols to an instance, which goes on to be read when it is complete. A source block that can be decoded.
    pub(super) fn insert(
        &mut self,
        id: u32,
        payload: Payload<'_>,
        ledger: &mut Ledger,
        cx: &mut Context<'_>,
    ) -> Option<u32> {
        let incoming = self.database.incoming(id)?;
        // It is in memory, where writing does not fail.
        let Ok(outcome) = incoming.object.insert(payload, &mut ledger.budget) else {
            self.database.drop_incoming(id, &mut ledger.budget);
            return None;
        };
        ledger.count(&outcome, &mut cx.work, cx.events);
        if outcome.solvable.is_none() {
            self.read_if_complete(id, ledger, cx);
        }
        outcome.solvable
    }

    /// Goes on with decoding a source block of an instance.
    pub(super) fn solve(
        &mut self,
        id: u32,
        source_block: u32,
        ledger: &mut Ledger,
        cx: &mut Context<'_>,
    ) -> (Solved, u32) {
        let Some(incoming) = self.database.incoming(id) else { return (Solved::Not, 0) };
        let max_work = cx.config.limits.max_decoding_work;
        let solved = incoming.object.solve(source_block, max_work, &mut ledger.budget, &mut cx.work);
        if solved.is_err() {
            self.database.drop_incoming(id, &mut ledger.budget);
        } else if matches!(solved, Ok((Solved::All, _))) {
            self.read_if_complete(id, ledger, cx);
        }
        solved.unwrap_or((Solved::Not, 0))
    }

    /// Takes an instance on to be read, if all symbols are there.
    fn read_if_complete(&mut self, id: u32, ledger: &mut Ledger, cx: &mut Context<'_>) {
        if self.database.incoming(id).is_some_and(|incoming| incoming.object.is_complete())
            && let Some(incoming) = self.database.take_incoming(id)
        {
            let reader = FdtReader::new(id, incoming, &cx.config.limits);
            if !self.database.begin_reading(reader, &mut ledger.budget) {
                ledger.drop_for(Limit::FdtInstances, 1, cx.events);
            }
        }
    }

    /// Goes on with reading instances and describing their files. What the FDT says next; `None` if that is all, or the
    /// work is done.
    pub(super) fn next_statement(&mut self, ledger: &mut Ledger, cx: &mut Context<'_>) -> Option<FdtStatement> {
        while !cx.work.is_exhausted() {
            if let Some(describing) = &mut self.describing {
                if let Some(toi) = describing.next_of_past() {
                    return Some(FdtStatement::Object(ObjectStatement::Forget(toi)));
                }
                match describing.next(self.clock, cx.now, &mut ledger.budget, &mut cx.work) {
                    Some(Some(description)) => {
                        let statement = ObjectStatement::File(description);
                        return Some(FdtStatement::Object(statement));
                    }
                    Some(None) => continue,
                    None => {}
                }
                let order = describing.order();
                let is_full = describing.is_full() && self.database.is_newest(order);
                if let Some(done) = self.describing.take() {
                    done.discard(&mut ledger.budget);
                }
                if is_full {
                    return Some(FdtStatement::Object(ObjectStatement::Full { order }));
                }
                continue;
            }
            let mut reader = self.database.take_reader()?;
            match reader.proceed(cx.config, &mut ledger.budget, &mut cx.work) {
                None => self.database.put_reader_back(reader),
                Some(Ok(read)) => {
                    if let Some(new) = self.interpret(reader, read, ledger, cx) {
                        return Some(FdtStatement::Instance(Box::new(new)));
                    }
                }
                Some(Err(error)) => self.note_unreadable(reader, error, ledger, cx),
            }
        }
        None
    }

    fn note_unreadable(&mut self, reader: FdtReader, error: Unreadable, ledger: &mut Ledger, cx: &mut Context<'_>) {
        match &error {
            Unreadable::Limit(limit) => {
                ledger.drop_for(*limit, 1, cx.events);
                ledger.stats.unusable += 1;
            }
            Unreadable::Wrong(reason) => ledger.note_unusable_fdt(reader.id(), reason, cx.events),
        }
        // Its repetitions need not be read to know that it is wrong.
        self.remember(reader, None, cx.now + ASSUMED_LIFETIME, ledger, cx);
    }

    /// Begins to draw the conclusions of an instance.
    fn interpret(
        &mut self,
        reader: FdtReader,
        read: Read,
        ledger: &mut Ledger,
        cx: &mut Context<'_>,
    ) -> Option<NewInstance> {
        let Read { parsed, files, charged, document } = read;
        let (id, instance) = (reader.id(), parsed.instance);
        if let Some(document) = document {
            cx.events.push_back(Event::FdtDocument { session: ledger.session(), instance_id: id, document });
        }
        let Some(validity) = self.clock.validity(instance.expires, cx.now) else {
            // Expired when it was sent: nothing may be interpreted by it (RFC 6726 §3.3).
            ledger.note_unusable_fdt(id, "it had expired when it was sent", cx.events);
            reader.discard(&mut ledger.budget);
            ledger.budget.release(charged);
            return None;
        };
        let order = self.database.place(id, validity.expires, reader.replaces());
        self.remember(reader, Some(order), validity.expires, ledger, cx);
        ledger.stats.fdt_instances += 1;
        for Rejected { toi, reason } in parsed.rejected.iter().take(TOLD_FILES) {
            let file = toi.map_or_else(String::new, |toi| format!(" of TOI {toi}"));
            ledger.note_unusable_fdt(id, &format!("a File{file}: {reason}"), cx.events);
        }
        cx.events.push_back(Event::Fdt {
            session: ledger.session(),
            instance_id: id,
            files: files.iter().map(Vec::len).sum(),
            rejected: parsed.rejected.len(),
            complete: instance.complete,
        });
        Some(NewInstance { id, order, instance, validity, files: (files, charged) })
    }

    fn remember(
        &mut self,
        reader: FdtReader,
        order: Option<u64>,
        expires: Time,
        ledger: &mut Ledger,
        cx: &mut Context<'_>,
    ) {
        let (id, object) = (reader.id(), reader.into_object());
        if ledger.budget.charge(KNOWN_OVERHEAD).is_err() {
            object.discard(&mut ledger.budget);
            return;
        }
        let max = cx.config.limits.max_fdt_instances;
        if self.database.remember(id, object, order, (cx.now, expires), max, &mut ledger.budget) {
            ledger.drop_for(Limit::FdtInstances, 0, cx.events);
        }
    }

    /// Begins to describe the files of an instance, after the objects in `past` have been forgotten.
    pub(super) fn describe_files(&mut self, new: NewInstance, past: Vec<Toi>, ledger: &Ledger) {
        let NewInstance { id, order, instance, validity, files } = new;
        let identity = (ledger.session(), id, order);
        self.describing = Some(FileDescriptions::new(identity, instance, validity, past, files));
    }
}

impl NewInstance {
    /// Whether no new file will follow (`Complete`, RFC 6726 §3.4.1).
    pub(super) fn is_complete(&self) -> bool {
        self.instance.complete
    }
}
