# SPDX-License-Identifier: MPL-2.0
"""Packets in, objects out.

>>> from flute import receiver, sender
>>> session = sender.Sender(1, sender.Oti(), sender.Config())
>>> toi = session.add_object_from_buffer(bytes(5000), "video/mp4", "1.m4s")
>>> writer = receiver.ObjectWriterBuilder.new_buffer()
>>> endpoint = receiver.UDPEndpoint("239.1.1.1", 3400, "192.0.2.1")
>>> incoming = receiver.MultiReceiver(writer, receiver.Config())
>>> events = []
>>> while batch := session.read_batch():
...     events += incoming.push_batch(endpoint, batch)
>>> [type(event).__name__ for event in events]
['SessionOpened', 'FdtRead', 'ObjectStarted', 'ReceivedObject']
"""

from typing import TypeAlias

from ._flute import (
    FdtRead,
    FdtUnusable,
    KernelDropped,
    LCTHeader,
    LimitReached,
    LostObject,
    MultiReceiver,
    NotWrittenObject,
    ObjectDescription,
    ObjectProgress,
    ObjectStarted,
    ObjectWriterBuilder,
    ReceivedObject,
    Receiver,
    ReceiverConfig as Config,
    ReceiverStatistics,
    SessionClosed,
    SessionOpened,
    SessionStatistics,
    UDPEndpoint,
    WithdrawnObject,
)

ReceiverEvent: TypeAlias = (
    SessionOpened
    | SessionClosed
    | FdtRead
    | FdtUnusable
    | ObjectStarted
    | ObjectProgress
    | ReceivedObject
    | LostObject
    | NotWrittenObject
    | WithdrawnObject
    | LimitReached
    | KernelDropped
)
"""What a receiver tells."""

__all__ = [
    "Config",
    "FdtRead",
    "FdtUnusable",
    "KernelDropped",
    "LCTHeader",
    "LimitReached",
    "LostObject",
    "MultiReceiver",
    "NotWrittenObject",
    "ObjectDescription",
    "ObjectProgress",
    "ObjectStarted",
    "ObjectWriterBuilder",
    "ReceivedObject",
    "Receiver",
    "ReceiverEvent",
    "ReceiverStatistics",
    "SessionClosed",
    "SessionOpened",
    "SessionStatistics",
    "UDPEndpoint",
    "WithdrawnObject",
]
