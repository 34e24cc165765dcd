// SPDX-License-Identifier: MPL-2.0

//! What attacks cost, one row each: how much memory at the peak, of the 256 MiB that a session may use, and how long the longest
//! call took, in processor time of the thread; how much work was counted for it; and how long all calls took. An honest
//! session beside each of them is complete in the end.

#[path = "../tests/receiver_bounds/attacks.rs"]
#[allow(dead_code)]
mod attacks;
#[path = "../tests/receiver/crafted.rs"]
#[allow(dead_code)]
mod crafted;

use std::time::Duration;

use allocation_counter::measure;
use attacks::{Attack, uncounted, wide};
use crafted::{Style, content, file, instance, no_code};
use flute_proto::Time;
use flute_proto::receiver::{Content, Endpoints, Event, Receiver, ReceiverConfig};

/// What this thread has taken of a processor: a busy machine disturbs it less than the wall clock.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

struct Bench {
    receiver: Receiver,
    honest: Option<Vec<u8>>,
    longest: Duration,
    all: Duration,
}

impl Bench {
    fn call(&mut self, call: impl FnOnce(&mut Receiver, Time)) {
        let now = Time::from_unix(Duration::from_secs(crafted::START));
        let start = cpu_time();
        call(&mut self.receiver, now);
        let time = cpu_time() - start;
        self.longest = self.longest.max(time);
        self.all += time;
        while let Some(event) = self.receiver.poll_event() {
            if let Event::Completed { object, content: Content::Memory(bytes) } = event
                && object.location() == "honest"
            {
                self.honest = Some(bytes.to_vec());
            }
        }
    }

    fn push(&mut self, source: &str, packet: Vec<u8>) {
        let endpoints = Endpoints { source: source.parse().ok(), destination: "239.1.1.1:3400".parse().ok() };
        self.call(|receiver, now| receiver.push(endpoints, &packet, now));
        let now = Time::from_unix(Duration::from_secs(crafted::START));
        while self.receiver.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.call(|receiver, now| receiver.handle_timeout(now));
        }
        uncounted(|| drop(packet));
    }
}

fn row(attack: Attack) {
    let receiver = Receiver::new(ReceiverConfig::default());
    let mut bench = Bench { receiver, honest: None, longest: Duration::ZERO, all: Duration::ZERO };
    let object = content(50_000, 1);
    let oti = no_code(50_000, 1000, 16);
    let honest = Style { tsi: 1, ..wide() };
    let mut packets = honest.fdt(0, &instance("", &[file(1, "honest", &oti, "")]));
    packets.extend(honest.object(1, &oti, &object));
    let mut packets = packets.into_iter();
    let mut of_attack = attack.packets;
    let mut index = 0;
    let info = measure(|| {
        while let Some(packet) = uncounted(|| of_attack.next()) {
            bench.push("198.51.100.1:9", packet);
            if index % 100 == 0
                && let Some(packet) = uncounted(|| packets.next())
            {
                bench.push("192.0.2.1:5000", packet);
            }
            index += 1;
        }
    });
    packets.for_each(|packet| bench.push("192.0.2.1:5000", packet));
    println!(
        "| {} | {:.1} | {:.1} | {:.1} | {:.0} | {} |",
        attack.name,
        info.bytes_max as f64 / f64::from(1 << 20),
        bench.longest.as_secs_f64() * 1e3,
        bench.receiver.stats().most_work as f64 / 1e6,
        bench.all.as_secs_f64() * 1e3,
        if bench.honest.as_ref() == Some(&object) { "yes" } else { "no" }
    );
}

fn main() {
    println!(
        "| attack | peak, MiB | longest call, ms | most work, millions | all calls, ms | honest object complete |"
    );
    println!("|---|---|---|---|---|---|");
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for attack in attacks::ALL {
        let attack = attack();
        if wanted.as_ref().is_none_or(|wanted| attack.name.contains(wanted.as_str())) {
            row(attack);
        }
    }
}
