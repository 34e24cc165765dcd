# SPDX-License-Identifier: MPL-2.0
"""The exceptions of this package.

>>> from flute import errors, receiver
>>> try:
...     receiver.LCTHeader(b"no packet")
... except errors.PacketError as error:
...     print(error)
LCT version 6: only 1 is known
"""

__all__ = ["ConfigError", "FluteError", "NetworkError", "ObjectError", "PacketError"]


class FluteError(Exception):
    """What this package raises, besides what Python raises for arguments of wrong types."""


class ConfigError(FluteError, ValueError):
    """Settings that do not exist, do not go together, or that the profile forbids."""


class ObjectError(FluteError, ValueError):
    """An object that cannot be sent like this. The session goes on without it."""


class PacketError(FluteError, ValueError):
    """Bytes that are no ALC packet."""


class NetworkError(FluteError, OSError):
    """A socket that cannot be opened, or that failed."""
