# SPDX-License-Identifier: MPL-2.0
"""Sockets for senders and receivers.

>>> from flute import network, sender
>>> session = sender.Sender(1, sender.Oti(), sender.Config())
>>> toi = session.add_object_from_buffer(b"hello", "text/plain", "hello.txt")
>>> session.finish()
>>> with network.Listener("127.0.0.1", 0, until_closed=True) as listener:
...     socket = network.SendSocket(*listener.address)
...     assert session.send(socket, timeout=30)
...     for received in listener:
...         print(received.location, received.read())
hello.txt b'hello'
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from ._flute import EventListener, ReceiverConfig, SendSocket
from .receiver import (
    ObjectWriterBuilder,
    ReceivedObject,
    ReceiverEvent,
    ReceiverStatistics,
    SessionClosed,
    SessionOpened,
)
from .sender import Sender

__all__ = ["EventListener", "Listener", "SendSocket", "send"]

SLICE = 0.1
"""Seconds after which a thread that sends looks whether its task was cancelled."""


class Listener:
    """The objects that arrive at a group, or at an address of this machine, one by one: ``for`` and ``async for``.

    Everything else that happens, losses too, is told to ``on_event``. With ``until_closed`` there are no more objects when
    the senders have closed their sessions; ``close`` ends the iteration in any case. While nobody asks for an object a
    bounded number of events waits, and then nothing more is received. A listener belongs to one iteration at a time.
    """

    def __init__(
        self,
        address: str,
        port: int,
        *,
        interface: str | None = None,
        source: str | None = None,
        tsis: Sequence[int] = (),
        writer: ObjectWriterBuilder | None = None,
        config: ReceiverConfig | None = None,
        buffer_size: int = 0,
        on_event: Callable[[ReceiverEvent], object] | None = None,
        until_closed: bool = False,
    ) -> None:
        self._events = EventListener(
            address,
            port,
            interface=interface,
            source=source,
            tsis=tsis,
            writer=writer,
            config=config,
            buffer_size=buffer_size,
            on_event=on_event,
        )
        self._until_closed = until_closed
        self._open: set[tuple[int, str | None]] = set()
        self._was_opened = False
        self._objects: deque[ReceivedObject] = deque()

    @property
    def address(self) -> tuple[str, int]:
        """Address and port that it listens to."""
        return self._events.address

    def stats(self) -> ReceiverStatistics:
        """Counters, and what each session does at present."""
        return self._events.stats()

    def close(self) -> None:
        """Receives no more."""
        self._events.close()

    @property
    def _is_over(self) -> bool:
        return self._events.is_closed or (self._until_closed and self._was_opened and not self._open)

    def _note(self, events: Iterable[ReceiverEvent]) -> None:
        for event in events:
            match event:
                case ReceivedObject():
                    self._objects.append(event)
                case SessionOpened():
                    self._was_opened = True
                    self._open.add((event.tsi, event.source))
                case SessionClosed():
                    self._open.discard((event.tsi, event.source))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[ReceivedObject]:
        return self

    def __next__(self) -> ReceivedObject:
        while not self._objects:
            if self._is_over:
                raise StopIteration
            self._note(self._events.take())
        return self._objects.popleft()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[ReceivedObject]:
        return self

    async def __anext__(self) -> ReceivedObject:
        while not self._objects:
            if self._is_over:
                raise StopAsyncIteration
            await self._readable()
            self._note(self._events.take(0))
        return self._objects.popleft()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        loop.add_reader(self._events.fileno(), came.set)
        try:
            await came.wait()
        finally:
            loop.remove_reader(self._events.fileno())


async def send(session: Sender, socket: SendSocket) -> None:
    """Sends all packets of a session when they are due, in another thread. ``on_event`` is called by that thread."""
    while not await asyncio.to_thread(session.send, socket, SLICE):
        pass
