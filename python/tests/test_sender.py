# SPDX-License-Identifier: MPL-2.0
"""What a sender does beyond flute-alc."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from pathlib import Path

import pytest
from conftest import all_packets, due_packets, new_receiver, new_sender, objects

from flute import errors, receiver, sender

EVERY_SCHEME = {
    "no-code": sender.Oti.new_no_code(1000, 64),
    "raptor": sender.Oti.new_raptor(1000, 64, 16),
    "reed-solomon-2m": sender.Oti.new_reed_solomon_rs2m(1000, 100, 30, 10, 1),
    "reed-solomon": sender.Oti.new_reed_solomon_rs28(1000, 60, 20),
    "raptorq": sender.Oti.new_raptorq(1000, 64, 16),
    "small-block": sender.Oti.new_reed_solomon_rs28_under_specified(1000, 60, 20),
}


def tois(packets: list[bytes]) -> list[int]:
    return [receiver.LCTHeader(packet).toi for packet in packets]


@pytest.mark.parametrize("scheme", EVERY_SCHEME)
def test_every_scheme(scheme: str, content: bytes, endpoint: receiver.UDPEndpoint) -> None:
    oti = EVERY_SCHEME[scheme]
    session = new_sender(oti)
    session.add_object_from_buffer(content, "video/mp4", "1.mp4")
    packets = due_packets(session)
    # One in ten is lost, where there is a code.
    arrived = [packet for number, packet in enumerate(packets) if number % 10 != 5 or oti.fec_encoding_id == 0]
    incoming = new_receiver(endpoint)
    [received] = objects(incoming.push_batch(arrived))
    assert received.read() == content
    assert (incoming.stats().totals.recovered > 0) == (oti.fec_encoding_id != 0)
    assert (session.stats().repair_packets > 0) == (oti.fec_encoding_id != 0)


def test_single_packets_are_those_of_batches(content: bytes) -> None:
    def add(session: sender.Sender) -> sender.Sender:
        session.add_object_from_buffer(content, "video/mp4", "1.mp4", toi=1)
        return session

    single, batches = add(new_sender()), add(new_sender())
    packets: list[bytes] = []
    while (packet := single.read()) is not None:
        packets.append(packet)
    # FDT Instances say when they expire.
    assert packets[1:] == due_packets(batches)[1:]


def test_a_batch_is_a_sequence(content: bytes) -> None:
    session = new_sender()
    session.add_object_from_buffer(content, "video/mp4", "1.mp4", toi=1)
    lengths = []
    while batch := session.read_batch():
        lengths.append(len(batch))
        assert b"".join(batch) == batch.data
        assert {len(packet) for packet in list(batch)[:-1]} <= {batch.packet_size}
        assert batch[-1] == batch[len(batch) - 1]
        with pytest.raises(IndexError):
            batch[len(batch)]
    assert max(lengths) == 64
    assert len(session.read_batch()) == 0


def test_a_carousel_repeats(endpoint: receiver.UDPEndpoint) -> None:
    session = new_sender()
    toi = session.add_object_from_buffer(bytes(3000), "text/plain", "1.txt", transfers=3, delay=0.01)
    forever = session.add_object_from_buffer(bytes(3000), "text/plain", "2.txt", transfers=None, interval=0.02)
    ended = Counter(tois(all_packets(session)))
    assert ended[toi] == 3 * 3
    assert ended[forever] >= 3
    assert session.stats().transfers >= 4


def test_a_carousel_can_be_triggered_and_withdrawn() -> None:
    session = new_sender()
    toi = session.add_object_from_buffer(b"hello", "text/plain", "1.txt", transfers=None, delay=3600)
    assert tois(due_packets(session)).count(toi) == 1
    assert session.trigger(toi)
    assert tois(due_packets(session)).count(toi) == 1
    assert session.nb_objects() == 1
    assert session.remove_object(toi)
    assert (session.remove_object(toi), session.trigger(toi), session.set_priority(toi, 1)) == (False,) * 3
    assert session.nb_objects() == 0


def test_a_higher_priority_goes_first() -> None:
    session = new_sender()

    def add(location: str, priority: int) -> int:
        # What need not be read first can all be sent from the start.
        return session.add_object_from_buffer(bytes(100_000), "text/plain", location, priority=priority, md5=False)

    low, high, raised = add("low", 0), add("high", 2), add("raised", 0)
    assert session.set_priority(raised, 1)
    order = list(dict.fromkeys(toi for toi in tois(due_packets(session)) if toi != 0))
    assert order == [high, raised, low]


def test_packets_are_paced() -> None:
    config = sender.Config()
    config.bitrate = 100_000
    session = new_sender(config=config)
    session.add_object_from_buffer(bytes(200_000), "text/plain", "1")
    assert len(due_packets(session)) < 20
    due = session.next_due
    assert due is not None and due < 1
    session.set_bitrate(0)
    while session.queued_bytes > 0:
        due_packets(session)
    assert session.stats().transfers == 1


def test_a_deadline_spreads_a_transfer() -> None:
    session = new_sender()
    toi = session.add_object_from_buffer(bytes(1_400_000), "text/plain", "1", deadline=3600)
    assert 1 <= tois(due_packets(session)).count(toi) < 100
    due = session.next_due
    assert due is not None and due < 10


def test_an_object_waits_for_its_start() -> None:
    session = new_sender()
    toi = session.add_object_from_buffer(b"hello", "text/plain", "1", start=1)
    assert toi not in tois(due_packets(session))
    assert toi in tois(all_packets(session))


def test_who_is_told_what_happens() -> None:
    of_session: list[sender.SenderEvent] = []
    of_object: list[sender.SenderEvent] = []
    session = sender.Sender(1, sender.Oti(), sender.Config(), on_event=of_session.append)
    first = session.add_object_from_buffer(bytes(2_000_000), "text/plain", "1", on_event=of_object.append)
    session.add_object_from_buffer(b"hello", "text/plain", "2")
    due_packets(session)
    kinds = [type(event).__name__ for event in of_object]
    assert (kinds[0], kinds[-2:]) == ("TransferStarted", ["TransferEnded", "TransferWithdrawn"])
    assert 90 <= kinds.count("TransferProgress") <= 100
    match of_object[-2]:
        case sender.TransferEnded(toi, location, transfers, length):
            assert (toi, location, transfers, length) == (first, "1", 1, 2_000_000)
        case other:
            raise AssertionError(other)
    assert of_object == [event for event in of_session if getattr(event, "location", None) == "1"]
    assert any(isinstance(event, sender.FdtPublished) for event in of_session)


def test_an_exception_of_a_callback_reaches_the_caller() -> None:
    def fail(event: sender.SenderEvent) -> None:
        raise KeyError(type(event).__name__)

    session = sender.Sender(1, sender.Oti(), sender.Config(), on_event=fail)
    session.add_object_from_buffer(b"hello", "text/plain", "1")
    with pytest.raises(KeyError, match="FdtPublished"):
        session.read()
    assert session.read_batch()


def test_a_sender_in_a_cycle_is_collected() -> None:
    class Owner:
        def __init__(self) -> None:
            self.session = sender.Sender(1, sender.Oti(), sender.Config(), on_event=self.note)

        def note(self, event: sender.SenderEvent) -> None:
            pass

    owner = Owner()
    reference = weakref.ref(owner)
    del owner
    gc.collect()
    assert reference() is None


def test_files_and_encodings(tmp_path: Path, endpoint: receiver.UDPEndpoint) -> None:
    path = tmp_path / "a page.html"
    path.write_bytes(b"<p>hello</p>" * 10_000)
    session = new_sender()
    session.add_file(path, 3, "text/html")
    session.add_file(str(path), 1, "text/html", "pages/2.html", etag="v2", groups=["pages"], md5=False)
    first, second = sorted(objects(new_receiver(endpoint).push_batch(due_packets(session))), key=lambda o: o.location)
    assert (first.location, second.location) == ("a%20page.html", "pages/2.html")
    assert first.read() == second.read() == path.read_bytes()
    assert first.description.content_encoding == "gzip" and second.description.content_encoding == "deflate"
    assert first.description.transfer_length < 10_000 and first.description.md5 is not None
    assert (second.description.etag, second.description.groups, second.description.md5) == ("v2", ["pages"], None)


def test_a_new_version_replaces_the_old_one(endpoint: receiver.UDPEndpoint) -> None:
    session = new_sender()
    session.add_object_from_buffer(b"1", "text/plain", "a", transfers=None, delay=60)
    with pytest.raises(errors.ObjectError, match="replace it"):
        session.add_object_from_buffer(b"2", "text/plain", "a")
    session.add_object_from_buffer(memoryview(bytearray(b"2")), "text/plain", "a", replace=True)
    [received] = objects(new_receiver(endpoint).push_batch(due_packets(session)))
    assert received.read() == b"2"


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match="more than 48 bits"):
        new_sender(tsi=1 << 48)
    with pytest.raises(errors.ConfigError, match="0, 1, 2, 5, 6 or 129"):
        sender.Oti().fec_encoding_id = 77
    with pytest.raises(errors.ConfigError, match="rfc6726"):
        sender.Config().profile = "route"
    with pytest.raises(errors.ConfigError, match="0, 1, 2 or 3"):
        sender.Config().fdt_cenc = 4
    config = sender.Config()
    config.profile, config.fdt_cenc = "mbms", 3
    with pytest.raises(errors.ConfigError, match="TS 26.346"):
        new_sender(config=config)
    session = new_sender()
    with pytest.raises(FileNotFoundError):
        session.add_file(tmp_path / "nothing", 0, "text/plain")
    with pytest.raises(TypeError, match="ObjectOptions"):
        session.add_object_from_buffer(b"", "text/plain", "a", prioritiy=1)  # type: ignore[call-arg]
    with pytest.raises(errors.ConfigError, match="0 or more"):
        session.add_object_from_buffer(b"", "text/plain", "a", delay=-1)
    with pytest.raises(TypeError):
        session.add_object_from_buffer("text", "text/plain", "a")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="run-to-end"):
        session.finish("now")
    session.finish()
    with pytest.raises(errors.FluteError, match="finished"):
        session.add_object_from_buffer(b"", "text/plain", "a")
    assert all(issubclass(kind, errors.FluteError) for kind in (errors.PacketError, errors.NetworkError))
