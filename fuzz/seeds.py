#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Puts inputs that the fuzz targets begin with into fuzz/corpus, or into the folder that is named.

Packets of real senders are taken from the captures in $FLUTE_SHARED/captures, or ../shared/captures beside the
repository. Where that folder is absent only the inputs that are written here are made.
"""

import gzip
import hashlib
import os
import struct
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CORPUS = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "corpus"
CAPTURES = Path(os.environ.get("FLUTE_SHARED", ROOT.parent.parent / "shared")) / "captures"

EXT_FTI, EXT_FDT, EXT_CENC = 64, 192, 193
# Packets of a capture that one input of the target `receiver` has.
PACKETS_OF_A_PLAY = 5


def add(target, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{hashlib.sha1(data).hexdigest()[:16]}").write_bytes(data)


def datagrams(capture):
    """The UDP payloads of a capture with Ethernet and IPv4."""
    data = capture.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    position = 24
    while position + 16 <= len(data):
        (length,) = struct.unpack_from(order + "I", data, position + 8)
        frame = data[position + 16 : position + 16 + length]
        position += 16 + length
        if frame[12:14] == b"\x08\x00" and frame[23] == 17:
            yield frame[14 + 4 * (frame[14] & 15) + 8 : 14 + struct.unpack_from(">H", frame, 16)[0]]


def header(datagram):
    """Header extensions of an LCT header by their types, the codepoint, and what follows the header."""
    length = 4 * datagram[2]
    flags = struct.unpack_from(">H", datagram)[0]
    position = 4 + 4 * ((flags >> 10 & 3) + 1)
    position += 4 * (flags >> 7 & 1) + 4 * (flags >> 5 & 3) + 4 * (flags >> 4 & 1)
    extensions = {}
    while position + 4 <= length:
        kind = datagram[position]
        size = 4 if kind >= 128 else 4 * datagram[position + 1]
        if size == 0:
            break
        extensions[kind] = datagram[position + (1 if kind >= 128 else 2) : position + size]
        position += size
    return extensions, datagram[3], datagram[length:]


def variant(index, count):
    """A variant of an enum, as the crate `arbitrary` reads it."""
    return struct.pack("<I", ((index << 32) // count) + 1)


def small(number):
    return variant(0, 3) + bytes([number])


def medium(number):
    return variant(1, 3) + struct.pack("<H", number)


def play(tsi, scheme, steps, profile=0, flags=0):
    """A play of two objects, with symbols of 64 bytes in blocks of 16 with 4 repair symbols."""
    configuration = bytes([scheme, 4, 15, 4, profile, 0, flags, 0, 0, 0, 0])
    objects = bytes([1]) + struct.pack(">HB", 1500, 77) + struct.pack(">HB", 3000, 91)
    return bytes([0, tsi]) + configuration + objects + steps


def captured():
    for capture in sorted(CAPTURES.glob("*.pcap")):
        shapes, play_steps, tsi = set(), b"", 0
        for number, datagram in enumerate(datagrams(capture)):
            extensions, codepoint, payload = header(datagram)
            shape = (datagram[:4], *((kind, len(value)) for kind, value in extensions.items()))
            if shape not in shapes:
                shapes.add(shape)
                add("alc", datagram)
            if EXT_FTI in extensions:
                add("oti", bytes([codepoint]) + extensions[EXT_FTI])
            if EXT_FDT in extensions:
                document = payload[4:]
                if EXT_CENC in extensions and document[:1] == b"\x78":
                    document = zlib.decompressobj().decompress(document)
                add("fdt", document)
            if number < PACKETS_OF_A_PLAY:
                play_steps += bytes([9]) + struct.pack("<H", len(datagram)) + datagram
        add("receiver", play(tsi, 0, play_steps))


def written():
    text = b"".join(b"line %d of some text\n" % line for line in range(200))
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    for encoding, data in [
        (1, zlib.compress(text)),
        (2, raw.compress(text) + raw.flush()),
        (3, gzip.compress(text, mtime=0)),
        (3, gzip.compress(text, mtime=0) + gzip.compress(b"", mtime=0)),
    ]:
        for piece in (1, 200):
            add("content", bytes([encoding, piece]) + data)

    for namespace in (b"urn:ietf:params:xml:ns:fdt", b"urn:IETF:metadata:2005:FLUTE:FDT"):
        add(
            "fdt",
            b'<?xml version="1.0" encoding="UTF-8"?><f:FDT-Instance xmlns:f="' + namespace + b'" Expires="3900000000"'
            b' Complete="true" FEC-OTI-FEC-Encoding-ID="6" FEC-OTI-Encoding-Symbol-Length="64"'
            b' FEC-OTI-Scheme-Specific-Info="AQABBA=="><f:File TOI="1" Content-Location="a/b?c#d" Content-Length="5"'
            b' Transfer-Length="25" Content-Encoding="gzip" Content-MD5="1B2M2Y8AsgTpgAmy7PhCfg=="><f:Group>one</f:Group>'
            b"<Cache-Control><max-stale>true</max-stale></Cache-Control></f:File></f:FDT-Instance>",
        )

    # EXT_FTI of each scheme: RFC 5445, RFC 5510 (m and G after the lengths; and without), RFC 5053, RFC 6330.
    for encoding_id, fti in [
        (0, "000000000bb8 0000 0040 00000010"),
        (1, "000000000bb8 0000 0040 0001 01 04"),
        (2, "000000000bb8 08 01 0040 0010 0014"),
        (5, "000000000bb8 0040 10 14"),
        (6, "0000000bb8 00 0040 01 0001 04"),
        (129, "000000000bb8 0000 0040 0010 0014"),
    ]:
        add("oti", bytes([encoding_id]) + bytes.fromhex(fti))

    # A block of each code that has lost symbols 0 and 3 of ten, with repair symbols; and two codes more.
    lost = b"\x01\x00\x00\x01\x03\x00\x00"
    rest = medium(640) + small(64) + struct.pack("<I", 0) + b"\x04" + lost + b"\x01" + struct.pack("<I", 11) + b"\x00"
    add("fec", variant(0, 4) + small(10) + rest)
    for m in (4, 8, 16):
        add("fec", variant(1, 4) + bytes([m, 0, 0]) + small(10) + small(14) + rest)
    add("fec", variant(2, 4) + small(1) + b"\x01\x04" + rest)
    add("fec", variant(3, 4) + small(1) + small(1) + b"\x04" + rest)

    # Plays of every scheme and profile: all arrives; a packet is lost, one comes twice, some change places; the sender
    # begins anew; an FDT Instance and a packet are altered.
    everything = bytes([0, 255]) * 2
    losses = bytes([0, 9, 3, 1, 0, 20, 4, 1, 5, 7]) + everything
    again = bytes([0, 30, 15]) + play(0, 4, b"")[2:] + everything
    altered = bytes([0, 3, 12, 0, 9, 9, 2, 1, 0, 128, 6, 20, 0, 255]) + everything
    for scheme in range(8):
        for steps in (everything, losses, again, altered):
            add("receiver", play(1, scheme, steps, flags=scheme))
    for profile in range(5):
        add("receiver", play(1, 0, losses, profile=profile))

    # LCT headers of FLUTE version 2: an FDT Instance, a symbol of an object, and one that closes the session.
    for packet in (
        "1010 0800 00000000 00010000 c0200001 4004 00000000001c 0000 0040 00000010 00000000 3c61",
        "1010 0300 00000000 00010001 00000000 0102030405060708",
        "1082 0300 00000000 00000001",
    ):
        add("alc", bytes.fromhex(packet))


def main():
    written()
    if CAPTURES.is_dir():
        captured()
    else:
        print(f"there is no folder {CAPTURES}: no packets of other senders", file=sys.stderr)


if __name__ == "__main__":
    main()
