# SPDX-License-Identifier: MPL-2.0
"""FLUTE (RFC 6726, RFC 3926): files to any number of receivers by multicast, with no way back.

``flute.sender`` makes packets of objects, ``flute.receiver`` makes objects of packets, and ``flute.network`` has sockets
for both, also for asyncio. ``flute.errors`` has the exceptions.
"""

from . import errors, network, receiver, sender

__all__ = ["errors", "network", "receiver", "sender"]
