// SPDX-License-Identifier: MPL-2.0

use std::time::Duration;

use super::*;
use crate::lct::Tsi;

fn start() -> Time {
    Time::from_unix(Duration::from_secs(1_800_000_000))
}

/// A sender with so many objects in carousels that rest between two transfers.
fn resting(objects: u32) -> Sender {
    let config = SenderConfig { tsi: Tsi::new(1).unwrap(), ..SenderConfig::default() };
    let mut sender = Sender::new(config, start()).unwrap();
    let bytes: Arc<[u8]> = vec![0; 100].into();
    for number in 0..objects {
        let mut object = Object::new(number.to_string(), Arc::clone(&bytes));
        object.carousel = Carousel { transfers: None, interval: Interval::Start(Duration::from_secs(100_000)) };
        sender.add(object, start()).unwrap();
    }
    drain(&mut sender, start());
    assert_eq!(sender.stats().transfers, u64::from(objects));
    sender
}

fn drain(sender: &mut Sender, now: Time) -> Poll {
    let mut batch = Batch::new(64);
    loop {
        match sender.poll(now, &mut batch) {
            Poll::Packets => {}
            Poll::Wait(at) if at <= now => {}
            poll => return poll,
        }
        while sender.poll_event().is_some() {}
    }
}

#[test]
fn the_cost_of_an_object_does_not_grow_with_their_number() {
    let per_object = |objects| {
        let sender = resting(objects);
        sender.schedule.operations() as f64 / f64::from(objects)
    };
    let (few, many) = (per_object(100), per_object(50_000));
    assert!(many <= few + 1.0, "{few} and {many} operations of the heap and the queues per object");

    for objects in [100, 50_000] {
        let mut sender = resting(objects);
        let before = sender.schedule.operations();
        let now = start() + Duration::from_millis(1);
        // Nothing is due: a poll looks at the top of the heap, and says when to come back.
        assert!(matches!(drain(&mut sender, now), Poll::Wait(at) if at > now));
        assert_eq!(sender.schedule.operations(), before);
        // A new one is announced and sent, and the others are left alone.
        sender.add(Object::new("new", vec![1]), now).unwrap();
        drain(&mut sender, now);
        assert!(sender.schedule.operations() - before < 10);
    }
}

#[test]
fn timers_that_were_overtaken_are_swept() {
    let mut sender = resting(3);
    let toi = sender.toi_of("1").unwrap();
    for step in 1..2_000 {
        let now = start() + Duration::from_millis(step);
        assert!(sender.trigger(toi, now));
        drain(&mut sender, now);
    }
    assert!(sender.schedule.timers() < 100, "{} timers for three objects", sender.schedule.timers());
}
