# SPDX-License-Identifier: MPL-2.0
"""Against flute-alc, in both directions, with losses where the code repairs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import due_packets, new_receiver, new_sender, objects

from flute import receiver, sender

Lose = Callable[[Iterable[bytes], float], list[bytes]]

OURS = {
    "no-code": (sender.Oti.new_no_code(1400, 64), 0.0),
    "reed-solomon": (sender.Oti.new_reed_solomon_rs28(1400, 60, 20), 0.1),
    "small-block": (sender.Oti.new_reed_solomon_rs28_under_specified(1400, 60, 20), 0.1),
    "raptorq": (sender.Oti.new_raptorq(1400, 64, 20), 0.1),
}


@pytest.mark.parametrize("scheme", OURS)
def test_the_peer_receives(
    scheme: str, peer: ModuleType, content: bytes, tmp_path: Path, lose: Lose
) -> None:
    oti, part_lost = OURS[scheme]
    session = new_sender(oti)
    session.add_object_from_buffer(content, "video/mp4", "file:///video/1.mp4")
    endpoint = peer.receiver.UDPEndpoint("239.255.12.1", 3400)
    writer = peer.receiver.ObjectWriterBuilder(str(tmp_path))
    incoming = peer.receiver.Receiver(endpoint, 1, writer, peer.receiver.Config())
    packets = due_packets(session)
    arrived = lose(packets, part_lost)
    assert (len(arrived) < len(packets)) == (part_lost > 0)
    for packet in arrived:
        incoming.push(packet)
    assert (tmp_path / "video" / "1.mp4").read_bytes() == content


def oti_of_peer(peer: ModuleType, scheme: str) -> Any:
    oti = peer.sender.Oti
    match scheme:
        case "no-code":
            return oti.new_no_code(1400, 64)
        case "reed-solomon":
            return oti.new_reed_solomon_rs28(1400, 60, 20)
        case _:
            return oti.new_reed_solomon_rs28_under_specified(1400, 60, 20)


@pytest.mark.parametrize(("scheme", "part_lost"), [("no-code", 0.0), ("reed-solomon", 0.1), ("small-block", 0.1)])
def test_the_peer_sends(
    scheme: str,
    part_lost: float,
    peer: ModuleType,
    content: bytes,
    endpoint: receiver.UDPEndpoint,
    lose: Lose,
) -> None:
    session = peer.sender.Sender(1, oti_of_peer(peer, scheme), peer.sender.Config())
    session.add_object_from_buffer(content, "video/mp4", "file:///video/1.mp4", None)
    session.publish()
    packets: list[bytes] = []
    while (packet := session.read()) is not None:
        packets.append(bytes(packet))
    arrived = lose(packets, part_lost)
    assert (len(arrived) < len(packets)) == (part_lost > 0)
    [received] = objects(new_receiver(endpoint).push_batch(arrived))
    assert (received.location, received.content_type) == ("file:///video/1.mp4", "video/mp4")
    assert received.read() == content


def test_all_names_of_the_peer_are_there(peer: ModuleType) -> None:
    """Programs that are written for flute-alc find what they use."""
    for ours, theirs in ((sender, peer.sender), (receiver, peer.receiver)):
        for name in (name for name in dir(theirs) if not name.startswith("_")):
            members = {member for member in dir(getattr(theirs, name)) if not member.startswith("_")}
            assert members <= set(dir(getattr(ours, name))), name


def test_attributes_of_the_peer_can_be_set() -> None:
    config = sender.Config()
    config.fdt_duration_ms, config.fdt_start_id, config.fdt_cenc, config.fdt_inband_sct = 10_000, 0, 3, True
    config.fdt_xml_profile, config.multiplex_files, config.interleave_blocks = "extended", 3, 4
    oti = sender.Oti()
    oti.fec_encoding_id, oti.fec_instance_id, oti.inband_fti, oti.parity_symbols_percentage = 5, 0, True, 25.0
    oti.encoding_symbol_length, oti.maximum_source_block_length, oti.max_number_of_parity_symbols = 1000, 50, 10
    assert oti.max_transfer_length > 1 << 30
    session = new_sender(oti, config)
    session.add_object_from_buffer(bytes(10_000), "text/plain", "file:///zeros")
    headers = [receiver.LCTHeader(packet) for packet in due_packets(session)]
    # Ten source symbols, and a quarter more that are repair symbols.
    assert len([header for header in headers if header.toi != 0]) == 10 + 3
    assert {header.fec_encoding_id for header in headers if header.toi != 0} == {5}
