// SPDX-License-Identifier: MPL-2.0

//! Sessions that go on while their element is in NULL. An element that is stopped and started again for each file, as
//! splitmuxsink does it, goes on with the session that it had.

use std::sync::{Arc, Mutex, Weak};

use gst::prelude::*;

use super::FluteSink;
use super::session::SenderSession;
use super::settings::Settings;

/// The sessions of this process that are kept, by what cannot change while they run.
static SHARED: Mutex<Vec<(Settings, Weak<SenderSession>)>> = Mutex::new(Vec::new());

/// Remembers a session.
pub(super) fn keep(settings: &Settings, session: &Arc<SenderSession>) {
    SHARED.lock().unwrap().push((settings.fixed(), Arc::downgrade(session)));
}

/// Has an element use the session that it had, or another element with the same settings, if it goes on.
pub(super) fn attach(settings: &Settings, element: &FluteSink) -> Option<Arc<SenderSession>> {
    let mut kept = SHARED.lock().unwrap();
    kept.retain(|(_, session)| session.strong_count() > 0);
    let fixed = settings.fixed();
    let same = kept.iter().filter(|(settings, _)| *settings == fixed).filter_map(|(_, session)| session.upgrade());
    same.into_iter().find(|session| session.attach(element))
}

/// Whether this element is in a splitmuxsink, which takes it to NULL between two files.
pub(super) fn is_in_splitmuxsink(element: &FluteSink) -> bool {
    ancestors(element).any(|ancestor| ancestor.factory().is_some_and(|factory| factory.name() == "splitmuxsink"))
}

/// Whether the element goes to NULL by itself, and not because what it is in does.
pub(super) fn leaves_alone(element: &FluteSink) -> bool {
    is_going_down(element.upcast_ref()) && !ancestors(element).any(|ancestor| is_going_down(&ancestor))
}

/// Whether the bins around the element still get something that may reach it.
pub(super) fn is_fed(element: &FluteSink) -> bool {
    // An EOS event is stored where it is sent before it is received anywhere.
    let is_at_end = |pad: &gst::Pad| pad.sticky_event::<gst::event::Eos>(0).is_some();
    let inputs = ancestors(element).flat_map(|ancestor| ancestor.sink_pads()).filter_map(|pad| pad.peer());
    inputs.into_iter().any(|source| !is_at_end(&source))
}

fn is_going_down(element: &gst::Element) -> bool {
    matches!(element.pending_state(), gst::State::Ready | gst::State::Null)
}

fn ancestors(element: &FluteSink) -> impl Iterator<Item = gst::Element> {
    let parent = |child: &gst::Object| child.parent();
    std::iter::successors(parent(element.upcast_ref()), parent).filter_map(|parent| parent.downcast().ok())
}
