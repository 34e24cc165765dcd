// SPDX-License-Identifier: MPL-2.0

//! What an FDT Instance says, file by file: an instance may have many, which are described in slices.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use super::budget::Budget;
use super::description::{self, Description};
use super::event::{BaseUrls, SessionId};
use super::sender_clock::{SenderClock, Validity};
use crate::Time;
use crate::fdt::{FdtInstance, File};
use crate::lct::Toi;
use crate::work::Work;

/// Work of describing an object, besides what is copied for it.
const DESCRIBE: u64 = 2000;

/// An instance that has been read, and whose files are being described.
#[derive(Debug)]
pub(super) struct FileDescriptions {
    session: SessionId,
    id: u32,
    /// The instance without its files.
    instance: FdtInstance,
    /// Its base URLs, which all files share.
    base_urls: Arc<BaseUrls>,
    /// Its place in the order of all instances.
    order: u64,
    validity: Validity,
    /// Objects of the time before a closed session began anew: they are to be forgotten first.
    past: Vec<Toi>,
    files: VecDeque<std::vec::IntoIter<File>>,
    /// Bytes of memory that are charged for the files.
    charged: u64,
}

impl FileDescriptions {
    /// The files of an instance, for which `charged` bytes are charged.
    pub(super) fn new(
        (session, id, order): (SessionId, u32, u64),
        mut instance: FdtInstance,
        validity: Validity,
        past: Vec<Toi>,
        (files, charged): (VecDeque<Vec<File>>, u64),
    ) -> Self {
        let files = files.into_iter().map(Vec::into_iter).collect();
        let (first, second) = (std::mem::take(&mut instance.base_url_1), std::mem::take(&mut instance.base_url_2));
        let base_urls = Arc::new(BaseUrls::new(first, second));
        Self { session, id, instance, base_urls, order, validity, past, files, charged }
    }

    /// The next object that is to be forgotten, before the first file is described.
    pub(super) fn next_of_past(&mut self) -> Option<Toi> {
        self.past.pop()
    }

    /// What the instance says of the next file; `Some(None)` if that has expired, or concerns no object.
    pub(super) fn next(
        &mut self,
        clock: SenderClock,
        now: Time,
        budget: &mut Budget,
        work: &mut Work,
    ) -> Option<Option<Description>> {
        let file = loop {
            match self.files.front_mut()?.next() {
                Some(file) => break file,
                None => self.files.pop_front(),
            };
        };
        let bytes = ((size_of::<File>() + file.heap_bytes()) as u64).min(self.charged);
        budget.release(bytes);
        self.charged -= bytes;
        work.spend(DESCRIBE + bytes);
        // A clock that cannot be right says nothing of one file either.
        let own = if self.validity.is_assumed { None } else { file.expires };
        let validity = own.map_or(Some(self.validity), |expires| clock.validity(expires, now));
        Some(validity.map(|Validity { expires, .. }| {
            let (session, instance, instance_id, order) = (self.session, &self.instance, self.id, self.order);
            let base_urls = &self.base_urls;
            Description::new(file, &description::Context { session, instance, base_urls, instance_id, order, expires })
        }))
    }

    /// Whether all files that are not in the instance have been withdrawn (`FullFDT`, TS 26.346 7.2.10).
    pub(super) fn is_full(&self) -> bool {
        self.instance.full_fdt
    }

    /// The place of the instance in the order of all.
    pub(super) fn order(&self) -> u64 {
        self.order
    }

    /// Gives back what is charged.
    pub(super) fn discard(self, budget: &mut Budget) {
        budget.release(self.charged);
    }
}
