// SPDX-License-Identifier: MPL-2.0

//! Source blocks that can be decoded are, in the order in which they could, in slices where they are large.

use super::{Context, Session};
use crate::receiver::early::Key;
use crate::receiver::event::{Failure, Limit};
use crate::receiver::solving::Solved;
use crate::receiver::tracked::{Reception, Tracked};

impl Session {
    /// Lines up a source block to be decoded, and begins with it if nothing else is in front.
    pub(super) fn begin_solving(&mut self, key: Key, source_block: u32, cx: &mut Context<'_>) {
        self.solving.push_back((key, source_block));
        self.solve(cx);
    }

    /// Decodes source blocks.
    pub(super) fn solve(&mut self, cx: &mut Context<'_>) {
        while !cx.work.is_exhausted()
            && let Some(&(key, source_block)) = self.solving.front()
        {
            let object = match key {
                Key::Instance(id) => self.instances.incoming(id).map(|incoming| &mut incoming.object),
                Key::Object(toi) => match self.objects.get_mut(&toi) {
                    Some(Tracked { reception: Reception::Receiving(receiving), .. }) => Some(&mut receiving.object),
                    _ => None,
                },
            };
            // It may be gone meanwhile.
            let solved = object.map_or(Ok((Solved::Not, 0)), |object| {
                object.solve(source_block, cx.config.limits.max_decoding_work, &mut self.budget, &mut cx.work)
            });
            if matches!(solved, Ok((Solved::NotYet, _))) {
                continue;
            }
            self.solving.pop_front();
            match (solved, key) {
                (Ok((Solved::All, recovered)), _) => {
                    self.stats.recovered += u64::from(recovered);
                    match key {
                        Key::Instance(id) => self.read_if_complete(id, cx),
                        Key::Object(toi) => self.complete_if_all_there(toi, cx),
                    }
                }
                (Ok((Solved::TooExpensive, _)), _) => self.drop_for(Limit::DecodingWork, 0, cx),
                (Ok((Solved::OverBudget, _)), _) => self.drop_for(Limit::Memory, 0, cx),
                (Ok((Solved::Not | Solved::NotYet, _)), _) => {}
                (Err(error), Key::Object(toi)) => self.fail(toi, Failure::Spool(error.into()), cx),
                (Err(_), Key::Instance(id)) => self.drop_incoming(id),
            }
        }
    }
}
