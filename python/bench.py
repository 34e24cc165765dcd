# SPDX-License-Identifier: MPL-2.0
"""How fast packets are made and taken, beside flute-alc.

    python bench.py [FOLDER OF FLUTE-ALC]

The content is in memory, nothing is sent, and nothing is lost. Each figure is the best of several runs, the two packages by
turns. Without a folder only this package is measured; ``pip install --no-deps --target FOLDER flute-alc==1.11.7`` makes one.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Any

from flute import receiver, sender

LENGTHS = (2_000_000, 20_000_000)
"""A media segment, and a longer file, of which a receiver touches new memory all the time."""
ROUNDS = 25


def load_peer(folder: Path) -> Any:
    """flute-alc, whose package has the name of ours."""
    [library] = (folder / "flute").glob("flute.*.so")
    loader = ExtensionFileLoader("flute_alc.flute", str(library))
    spec = importlib.util.spec_from_file_location("flute_alc.flute", library, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def new_sender(module: Any, oti: Callable[[Any], Any], content: bytes) -> Any:
    session = module.Sender(1, oti(module.Oti), module.Config())
    session.add_object_from_buffer(content, "video/mp4", "file:///movie.mp4", None)
    session.publish()
    # What is done once for the object, such as its digest, is not the cost of a packet.
    assert session.read() is not None
    return session


def read_single(session: Any) -> int:
    packets = 1
    while session.read() is not None:
        packets += 1
    return packets


def read_batches(session: sender.Sender) -> int:
    packets = 1
    while batch := session.read_batch():
        packets += len(batch)
    return packets


def new_receiver(module: Any) -> Any:
    endpoint = module.UDPEndpoint("239.255.12.1", 3400)
    return module.Receiver(endpoint, 1, module.ObjectWriterBuilder.new_buffer(), module.Config())


def push_single(incoming: Any, packets: list[bytes]) -> int:
    for packet in packets:
        incoming.push(packet)
    return len(packets)


def push_batches(incoming: receiver.Receiver, batches: list[sender.Batch]) -> int:
    for batch in batches:
        incoming.push_batch(batch)
    return sum(len(batch) for batch in batches)


def push_lists(incoming: receiver.Receiver, lists: list[list[bytes]]) -> int:
    for packets in lists:
        incoming.push_batch(packets)
    return sum(len(packets) for packets in lists)


def timed(run: Callable[[], int]) -> float:
    """Nanoseconds per packet."""
    started = time.perf_counter_ns()
    packets = run()
    return (time.perf_counter_ns() - started) / packets


def best(prepared: dict[str, Callable[[], Callable[[], int]]]) -> dict[str, float]:
    """The best time of each, all of them by turns."""
    times: dict[str, list[float]] = {name: [] for name in prepared}
    for _ in range(ROUNDS):
        for name, prepare in prepared.items():
            times[name].append(timed(prepare()))
    return {name: min(each) for name, each in times.items()}


def measure(title: str, oti: Callable[[Any], Any], content: bytes, peer: Any) -> None:
    # The digest of the content costs more than all packets, and says nothing of either package.
    batches: list[sender.Batch] = []
    session = sender.Sender(1, oti(sender.Oti), sender.Config())
    session.add_object_from_buffer(content, "video/mp4", "file:///movie.mp4", md5=False)
    while batch := session.read_batch():
        batches.append(batch)
    lists = [list(batch) for batch in batches]
    packets = [packet for each in lists for packet in each]

    def sending(module: Any, read: Callable[[Any], int]) -> Callable[[], Callable[[], int]]:
        def prepare() -> Callable[[], int]:
            session = new_sender(module, oti, content)
            return lambda: read(session)

        return prepare

    def receiving(module: Any, push: Callable[[Any, Any], int], packets: Any) -> Callable[[], Callable[[], int]]:
        def prepare() -> Callable[[], int]:
            incoming = new_receiver(module)
            return lambda: push(incoming, packets)

        return prepare

    cases = {
        "read()": sending(sender, read_single),
        "read_batch()": sending(sender, read_batches),
        "push()": receiving(receiver, push_single, packets),
        "push_batch() of lists": receiving(receiver, push_lists, lists),
        "push_batch() of batches": receiving(receiver, push_batches, batches),
    }
    if peer is not None:
        cases |= {
            "flute-alc read()": sending(peer.sender, read_single),
            "flute-alc push()": receiving(peer.receiver, push_single, packets),
        }
    times = best(cases)
    for call in ("read", "push"):
        theirs = times.get(f"flute-alc {call}()")
        for name, nanoseconds in times.items():
            if name.removeprefix("flute-alc ").startswith(call):
                factor = f"{theirs / nanoseconds:.1f}" if theirs else ""
                print(f"| {title} | {len(content) // 1_000_000} MB | {name} | {nanoseconds:.0f} | {factor} |")


def main() -> None:
    peer = load_peer(Path(sys.argv[1])) if len(sys.argv) > 1 else None
    print("| scheme | object | call | ns per packet | times as fast as flute-alc |")
    print("|---|---|---|---|---|")
    for content in map(bytes, LENGTHS):
        measure("no-code", lambda oti: oti.new_no_code(1400, 64), content, peer)
        measure("Reed-Solomon, 60 + 12", lambda oti: oti.new_reed_solomon_rs28(1400, 60, 12), content, peer)


if __name__ == "__main__":
    main()
