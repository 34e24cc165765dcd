# SPDX-License-Identifier: MPL-2.0
"""The sockets of the project, on the loopback interface."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import new_sender

from flute import errors, network, receiver, sender

LIMIT = 60
"""Seconds after which a test that hangs fails."""


def finished_sender(contents: dict[str, bytes]) -> sender.Sender:
    """A session of these objects that ends."""
    config = sender.Config()
    config.bitrate = 20_000_000
    session = new_sender(config=config)
    for location, content in contents.items():
        session.add_object_from_buffer(content, "video/mp4", location)
    session.finish()
    return session


@pytest.fixture
def contents() -> dict[str, bytes]:
    """So little that the buffer of a socket takes it, however long a receiver has to wait for a processor."""
    numbers = random.Random(3)
    return {f"{number}.mp4": numbers.randbytes(2000) for number in range(20)}


def random_group() -> tuple[str, int]:
    numbers = random.SystemRandom()
    return f"239.255.{numbers.randrange(1, 255)}.{numbers.randrange(1, 255)}", numbers.randrange(20_000, 60_000)


def test_a_thread_sends_and_another_receives(contents: dict[str, bytes]) -> None:
    group = random_group()
    with network.Listener(*group, interface="lo", tsis=[1], until_closed=True) as listener:
        socket = network.SendSocket(*group, interface="lo")
        assert socket.destination == listener.address == group
        session = finished_sender(contents)
        thread = threading.Thread(target=session.send, args=(socket, LIMIT))
        thread.start()
        assert {received.location: received.read() for received in listener} == contents
        thread.join(LIMIT)
        assert session.is_done
        totals = listener.stats().totals
        assert (totals.completed, totals.failed) == (len(contents), 0)


def test_asyncio(contents: dict[str, bytes], tmp_path: Path) -> None:
    events: list[receiver.ReceiverEvent] = []

    async def receive(listener: network.Listener) -> dict[str, bytes]:
        return {received.location: received.read() async for received in listener}

    async def main() -> None:
        async with network.Listener(
            "127.0.0.1",
            0,
            writer=receiver.ObjectWriterBuilder(tmp_path),
            until_closed=True,
            on_event=events.append,
        ) as listener:
            socket = network.SendSocket(*listener.address)
            _, arrived = await asyncio.gather(network.send(finished_sender(contents), socket), receive(listener))
            assert arrived == contents

    asyncio.run(asyncio.wait_for(main(), LIMIT))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents
    assert isinstance(events[0], receiver.SessionOpened) and isinstance(events[-1], receiver.SessionClosed)


def test_a_task_that_waits_can_be_cancelled() -> None:
    async def main() -> None:
        async with network.Listener("127.0.0.1", 0) as listener:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(listener), 0.1)
            task = asyncio.create_task(anext(listener))
            await asyncio.sleep(0.05)
            listener.close()
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(task, LIMIT)
        carousel = new_sender()
        carousel.add_object_from_buffer(b"hello", "text/plain", "1", transfers=None, delay=0.01)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(network.send(carousel, network.SendSocket("127.0.0.1", 9)), 0.3)
        assert carousel.stats().transfers > 1

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_a_listener_is_closed_by_another_thread() -> None:
    listener = network.Listener("127.0.0.1", 0)
    timer = threading.Timer(0.1, listener.close)
    timer.start()
    assert list(listener) == []
    timer.join(LIMIT)


def test_what_nobody_takes_is_bounded_and_no_thread_hangs(contents: dict[str, bytes]) -> None:
    listener = network.EventListener("127.0.0.1", 0)
    session = finished_sender({f"{number}": b"hello" for number in range(500)})
    assert session.send(network.SendSocket(*listener.address), timeout=LIMIT)
    taken = listener.take(LIMIT)
    assert 0 < len(taken) <= 64
    listener.close()
    assert listener.is_closed and listener.take(0) == []
    # One that is dropped without being closed ends its thread, too.
    del listener


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_batches_of_packets(contents: dict[str, bytes]) -> None:
    with network.Listener("127.0.0.1", 0, buffer_size=1 << 20) as listener:
        session = finished_sender(contents)
        socket = network.SendSocket(*listener.address)
        while not session.is_done:
            socket.send(session.read_batch())
        wait_for(lambda: listener.stats().totals.completed == len(contents) or listener.stats().kernel_dropped > 0)
        assert listener.stats().kernel_dropped == 0


def test_objects_are_added_while_others_are_sent() -> None:
    session = new_sender()
    session.add_object_from_buffer(b"1", "text/plain", "1", transfers=None, delay=3600)
    with network.Listener("127.0.0.1", 0, until_closed=True) as listener:
        socket = network.SendSocket(*listener.address)
        thread = threading.Thread(target=session.send, args=(socket, LIMIT))
        thread.start()
        assert next(listener).location == "1"
        session.add_object_from_buffer(b"2", "text/plain", "2")
        assert next(listener).location == "2"
        session.finish()
        assert list(listener) == []
        thread.join(LIMIT)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(errors.NetworkError, match="no network interface"):
        network.SendSocket("239.255.1.1", 1, interface="nonesuch0")
    with pytest.raises(errors.NetworkError, match="neither a multicast group"):
        network.Listener("192.0.2.1", 1)
    with pytest.raises(OSError):
        network.SendSocket("no host", 1)
