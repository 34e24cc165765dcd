# SPDX-License-Identifier: MPL-2.0
"""What a receiver does beyond flute-alc."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from conftest import all_packets, due_packets, new_receiver, new_sender, objects

from flute import errors, receiver, sender

Lose = Callable[[Iterable[bytes], float], list[bytes]]


def test_what_happens_is_returned_and_told(endpoint: receiver.UDPEndpoint) -> None:
    session = new_sender()
    session.add_object_from_buffer(b"hello", "text/plain", "hello.txt", etag="v1", toi=5)
    told: list[receiver.ReceiverEvent] = []
    writer = receiver.ObjectWriterBuilder.new_buffer()
    incoming = receiver.Receiver(endpoint, 1, writer, receiver.Config(), on_event=told.append)
    events = [event for packet in all_packets(session) for event in incoming.push(packet)]
    assert events == told
    opened, fdt, started, received, *_, closed = events
    assert (type(opened), repr(opened)) == (receiver.SessionOpened, "SessionOpened(tsi=1, source='192.0.2.1')")
    assert isinstance(fdt, receiver.FdtRead) and fdt.files == 1
    assert isinstance(started, receiver.ObjectStarted) and started.description.transfer_length == 5
    assert isinstance(received, receiver.ReceivedObject) and received.read() == b"hello"
    assert (received.toi, received.content_type, received.path) == (5, "text/plain", None)
    assert (received.description.tsi, received.description.source) == (1, "192.0.2.1")
    assert (received.description.etag, received.description.content_length) == ("v1", 5)
    match closed:
        case receiver.SessionClosed(1, "192.0.2.1", by_sender, complete):
            assert by_sender and complete
        case other:
            raise AssertionError(other)


def test_a_loss_is_told(content: bytes, endpoint: receiver.UDPEndpoint) -> None:
    session = new_sender()
    session.add_object_from_buffer(content, "video/mp4", "1.mp4")
    packets = due_packets(session)
    incoming = new_receiver(endpoint)
    assert not objects(incoming.push_batch(packets[:100] + packets[103:]))
    lost, _ = incoming.finish()
    assert isinstance(lost, receiver.LostObject) and lost.description.location == "1.mp4"
    assert sum(missing for _, missing in lost.missing) == 3
    assert incoming.stats().totals.lost_symbols == 3


def test_objects_become_files_below_the_folder_only(tmp_path: Path, endpoint: receiver.UDPEndpoint) -> None:
    session = new_sender()
    session.add_object_from_buffer(b"1", "text/plain", "http://example.com/a/b.txt")
    session.add_object_from_buffer(b"2", "text/plain", "../../c.txt")
    config = receiver.Config()
    incoming = receiver.Receiver(endpoint, 1, receiver.ObjectWriterBuilder(tmp_path), config)
    events = incoming.push_batch(due_packets(session))
    [received] = objects(events)
    assert received.path == tmp_path / "a" / "b.txt" and received.path.read_bytes() == received.read() == b"1"
    [refused] = [event for event in events if isinstance(event, receiver.NotWrittenObject)]
    assert "leaves the folder" in refused.reason
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["b.txt"]
    with pytest.raises(errors.ConfigError):
        receiver.ObjectWriterBuilder(tmp_path / "a" / "b.txt")


def test_long_objects_need_no_memory(tmp_path: Path, endpoint: receiver.UDPEndpoint) -> None:
    content = bytes(range(256)) * 40_000
    config = receiver.Config()
    config.max_memory, config.spool_directory, config.spool_threshold = 2 << 20, tmp_path, 1 << 20
    session = new_sender()
    session.add_object_from_buffer(content, "video/mp4", "long.mp4")
    incoming = new_receiver(endpoint, config)
    received = []
    while batch := session.read_batch():
        received += objects(incoming.push_batch(batch))
        assert incoming.stats().totals.memory <= config.max_memory
    assert received[0].read() == received[0].read() == content
    assert not list(tmp_path.iterdir())


def test_whatever_has_bytes_is_taken(content: bytes, endpoint: receiver.UDPEndpoint) -> None:
    session = new_sender()
    session.add_object_from_buffer(content, "video/mp4", "1.mp4")
    kinds = (bytes, bytearray, memoryview, lambda packet: memoryview(bytearray(packet)))
    incoming = new_receiver(endpoint)
    packets = [kinds[number % 4](packet) for number, packet in enumerate(due_packets(session))]
    assert objects(incoming.push_batch(packets))[0].read() == content
    with pytest.raises(TypeError):
        incoming.push("text")  # type: ignore[arg-type]


def test_what_is_no_packet_is_counted(endpoint: receiver.UDPEndpoint) -> None:
    incoming = new_receiver(endpoint)
    assert incoming.push_batch([b"", b"nonsense", bytes(2000)]) == []
    assert incoming.push_batch(due_packets_of_tsi(2)) == []
    stats = incoming.stats()
    assert (stats.malformed, stats.totals.packets, stats.sessions) == (3, 0, [])
    assert stats.filtered == stats.packets - 3 > 0
    with pytest.raises(errors.PacketError):
        receiver.LCTHeader(b"nonsense")
    with pytest.raises(errors.ConfigError, match="no IP address"):
        receiver.UDPEndpoint("group", 1)


def due_packets_of_tsi(tsi: int) -> list[bytes]:
    session = new_sender(tsi=tsi)
    session.add_object_from_buffer(b"hello", "text/plain", f"{tsi}.txt")
    return due_packets(session)


def test_several_sessions() -> None:
    incoming = receiver.MultiReceiver(receiver.ObjectWriterBuilder.new_buffer(), receiver.Config())
    some = receiver.MultiReceiver(receiver.ObjectWriterBuilder.new_buffer(), receiver.Config(), tsis=[2, 3])
    locations = []
    for tsi in (1, 2, 3):
        endpoint = receiver.UDPEndpoint("ff3e::1", 3400, f"2001:db8::{tsi}")
        packets = due_packets_of_tsi(tsi)
        locations += [received.location for received in objects(incoming.push_batch(endpoint, packets))]
        for packet in packets:
            some.push(endpoint, packet)
    assert locations == ["1.txt", "2.txt", "3.txt"]
    assert [(session.tsi, session.source) for session in incoming.stats().sessions] == [
        (tsi, f"2001:db8::{tsi}") for tsi in (1, 2, 3)
    ]
    assert (incoming.stats().totals.completed, some.stats().totals.completed) == (3, 2)
    assert len([event for event in incoming.finish() if isinstance(event, receiver.SessionClosed)]) == 3


def test_a_silent_session_ends(endpoint: receiver.UDPEndpoint) -> None:
    config = receiver.Config()
    config.session_timeout_ms = 50
    incoming = new_receiver(endpoint, config)
    assert incoming.next_timeout is None
    incoming.push_batch(due_packets_of_tsi(1))
    closed: list[receiver.ReceiverEvent] = []
    while (timeout := incoming.next_timeout) is not None:
        time.sleep(timeout)
        closed += incoming.handle_timeout()
    assert any(isinstance(event, receiver.SessionClosed) and not event.by_sender for event in closed)


def test_modes(endpoint: receiver.UDPEndpoint) -> None:
    config = receiver.Config()
    config.mode = "once-per-location"
    incoming = new_receiver(endpoint, config)
    session = new_sender()
    for version in (b"1", b"2"):
        session.add_object_from_buffer(version, "text/plain", "a", replace=True)
        received = objects(incoming.push_batch(due_packets(session)))
        assert [each.read() for each in received] == ([b"1"] if version == b"1" else [])
    with pytest.raises(errors.ConfigError, match="keep-updated"):
        config.mode = "sometimes"


def test_other_threads_run_while_packets_are_made_and_decoded(
    endpoint: receiver.UDPEndpoint, lose: Lose
) -> None:
    """Nobody takes the GIL away from a thread here, so another one runs only if it is released."""
    content = bytes(5_000_000)
    session = new_sender(sender.Oti.new_raptorq(1000, 5000, 1000))
    session.add_object_from_buffer(content, "video/mp4", "1.mp4")
    counter, ended = 0, False

    def count() -> None:
        nonlocal counter
        while not ended:
            counter += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    sys.setswitchinterval(1000)
    try:
        thread.start()
        before = counter
        packets = due_packets(session)
        made = counter
        [received] = objects(new_receiver(endpoint).push_batch(lose(packets, 0.1)))
        decoded = counter
    finally:
        ended = True
        thread.join(60)
        sys.setswitchinterval(interval)
    assert received.read() == content
    assert before < made < decoded


def test_threads_share_a_session(endpoint: receiver.UDPEndpoint) -> None:
    content = bytes(range(256)) * 20_000
    session = new_sender()
    session.add_object_from_buffer(content, "video/mp4", "1.mp4")
    incoming = new_receiver(endpoint)
    received: list[receiver.ReceivedObject] = []

    def work(single: bool) -> None:
        if single:
            while packet := session.read():
                received.extend(objects(incoming.push(packet)))
        else:
            while batch := session.read_batch():
                received.extend(objects(incoming.push_batch(batch)))

    threads = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [each.read() for each in received] == [content]
