# SPDX-License-Identifier: MPL-2.0
"""The keyword arguments of ``Sender.add_file`` and ``Sender.add_object_from_buffer``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from .sender import SenderEvent

__all__ = ["ObjectOptions"]


class ObjectOptions(TypedDict, total=False):
    """How an object is sent. All are left out where the defaults will do."""

    priority: int
    """A higher one goes first; 0."""
    transfers: int | None
    """How often it is sent, None for ever; 1."""
    delay: float
    """Seconds from the end of a transfer to the start of the next; 0."""
    interval: float
    """Seconds from start to start, instead of ``delay``."""
    start: float
    """Seconds from now, before which it is not sent; 0."""
    deadline: float
    """Seconds over which each transfer is spread; none."""
    md5: bool
    """Say its Content-MD5; True."""
    etag: str | None
    """File-ETag; none."""
    groups: Sequence[str]
    """Groups; none."""
    toi: int | None
    """Its TOI; the next that is free."""
    replace: bool
    """Take the place of the object with the same Content-Location, if there is one; False."""
    on_event: Callable[[SenderEvent], object] | None
    """Who is told what happens to it; nobody."""
