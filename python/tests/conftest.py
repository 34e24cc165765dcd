# SPDX-License-Identifier: MPL-2.0
"""What the tests share: content, sessions, and the peer flute-alc."""

from __future__ import annotations

import importlib.util
import os
import random
import time
from collections.abc import Callable, Iterable
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from flute import receiver, sender


@pytest.fixture(scope="session")
def peer() -> ModuleType:
    """flute-alc, from the folder that run-tests.sh installs it into: its package has the name of ours."""
    folder = os.environ.get("FLUTE_ALC")
    if folder is None:
        pytest.skip("FLUTE_ALC names no folder with flute-alc: python/run-tests.sh makes one")
    [library] = (Path(folder) / "flute").glob("flute.*.so")
    loader = ExtensionFileLoader("flute_alc.flute", str(library))
    spec = importlib.util.spec_from_file_location("flute_alc.flute", library, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def content() -> bytes:
    """Half a megabyte that nothing compresses."""
    return random.Random(1).randbytes(500_000)


@pytest.fixture
def endpoint() -> receiver.UDPEndpoint:
    return receiver.UDPEndpoint("239.255.12.1", 3400, "192.0.2.1")


@pytest.fixture
def lose() -> Callable[[Iterable[bytes], float], list[bytes]]:
    """Loses packets of objects, a part of them at random and always the same. FDT Instances arrive."""
    numbers = random.Random(2)

    def lose(packets: Iterable[bytes], part: float) -> list[bytes]:
        return [packet for packet in packets if receiver.LCTHeader(packet).toi == 0 or numbers.random() >= part]

    return lose


def new_sender(oti: sender.Oti | None = None, config: sender.Config | None = None, tsi: int = 1) -> sender.Sender:
    """A sender with the defaults, where nothing else is given."""
    return sender.Sender(tsi, oti or sender.Oti(), config or sender.Config())


def new_receiver(endpoint: receiver.UDPEndpoint, config: receiver.Config | None = None) -> receiver.Receiver:
    """A receiver of TSI 1, of which objects come as bytes."""
    writer = receiver.ObjectWriterBuilder.new_buffer()
    return receiver.Receiver(endpoint, 1, writer, config or receiver.Config())


def due_packets(session: sender.Sender) -> list[bytes]:
    """All packets that are due now."""
    packets: list[bytes] = []
    while batch := session.read_batch():
        packets += batch
    return packets


def all_packets(session: sender.Sender) -> list[bytes]:
    """All packets of a session that ends, when they are due."""
    session.finish("run-to-end")
    packets: list[bytes] = []
    while not session.is_done:
        packets += session.read_batch()
        time.sleep(session.next_due or 0)
    return packets


def objects(events: Iterable[receiver.ReceiverEvent]) -> list[receiver.ReceivedObject]:
    """The objects among what was told."""
    return [event for event in events if isinstance(event, receiver.ReceivedObject)]
