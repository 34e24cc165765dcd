# SPDX-License-Identifier: MPL-2.0
"""Objects in, packets out.

>>> from flute import sender
>>> oti = sender.Oti.new_reed_solomon_rs28(1400, 60, 12)
>>> session = sender.Sender(1, oti, sender.Config())
>>> session.add_object_from_buffer(b"hello", "text/plain", "hello.txt", toi=7)
7
>>> session.finish()
>>> packets = []
>>> while not session.is_done:
...     packets += session.read_batch()
>>> session.stats().transfers
1
"""

from typing import TypeAlias

from ._flute import (
    Batch,
    FdtPublished,
    ObjectFailed,
    Oti,
    Sender,
    SenderConfig as Config,
    SenderStatistics,
    TransferEnded,
    TransferProgress,
    TransferStarted,
    TransferWithdrawn,
)
from .options import ObjectOptions

SenderEvent: TypeAlias = (
    FdtPublished | TransferStarted | TransferProgress | TransferEnded | TransferWithdrawn | ObjectFailed
)
"""What a sender tells."""

__all__ = [
    "Batch",
    "Config",
    "FdtPublished",
    "ObjectFailed",
    "ObjectOptions",
    "Oti",
    "Sender",
    "SenderEvent",
    "SenderStatistics",
    "TransferEnded",
    "TransferProgress",
    "TransferStarted",
    "TransferWithdrawn",
]
