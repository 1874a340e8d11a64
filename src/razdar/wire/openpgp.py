# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether bytes have the structure of one encrypted OpenPGP message (RFC 9580 section 10.3), and how they come out of their ASCII armor.

Structure only: nothing is decrypted, nothing is verified, and a sender who takes the trouble can fill an encrypted packet with anything.
What this promises is that every byte is accounted for: there is no place beside the packets where text could stand that people would take
for encrypted. Linear time; the memory is that of the decoded data and once more for a moment.
"""

import binascii
import re

PKESK, SKESK, SEIPD = 1, 3, 18
"""Packet types: session key for a public key, for a passphrase, and the encrypted data itself (RFC 9580 section 5)."""

KEYS_MAX = 10_000
"""Keys in one message: a thousand recipients with several devices each."""

KEY_BYTES_MAX = 8_192
"""RSA with 16384 bits needs 2 kB, the post-quantum algorithms in preparation as much."""

PARTIALS_MAX = 65_536
"""Partial lengths in one packet: 512 bytes each, the least for the first one, make 32 MiB."""

FIRST_PARTIAL_BYTES = 512  # RFC 9580 section 4.2.1.4

_VERSIONS = {PKESK: (3, 6), SKESK: (4, 5, 6), SEIPD: (1, 2)}
_SEIPD_BYTES_MIN = 40  # version 1: 1 + 18 + 22 and some content; version 2: 4 + 32 + 16 + 16

_BEGIN = b"-----BEGIN PGP MESSAGE-----\r\n"
_END = b"-----END PGP MESSAGE-----"
_VERSION_LINE = re.compile(rb"Version: [ -~]{0,100}\r\n")
_EMPTY_LINES = re.compile(rb"(?:\r\n)++")
_CHECKSUM = re.compile(rb"\r\n=[A-Za-z0-9+/]{4}\r\n\Z")


def find_armor(data: bytes, start: int) -> int | None:
    """Where the armored block that begins exactly at `start` ends; None if there is none."""
    end = data.find(_END, start) if data.startswith(_BEGIN, start) else -1
    return None if end < 0 else end + len(_END)


def dearmor(data: bytes, start: int, end: int, *, skip_version: bool = False) -> bytes | None:
    """The bytes inside of the armored block `data[start:end]` (RFC 9580 section 6.2); None if anything else is in it.

    CRLF only, no armor header (with `skip_version` one `Version:` line is passed over: old software wrote it), lines of base64 without a
    single foreign character or empty line, and at the end perhaps a checksum, which is not looked at (RFC 9580 section 6.1).
    """
    if find_armor(data, start) != end:
        return None
    start, end = start + len(_BEGIN), end - len(_END)
    if skip_version and (version := _VERSION_LINE.match(data, start, end)):
        start = version.end()
    gap = _EMPTY_LINES.match(data, start, end)
    return None if gap is None else _decode(data, gap.end(), end)


def _decode(data: bytes, start: int, end: int) -> bytes | None:
    if checksum := _CHECKSUM.search(data, max(start, end - 9), end):
        end = checksum.start() + 2
    lines = data.count(b"\r\n", start, end)
    if data.count(b"\r", start, end) != lines or data.count(b"\n", start, end) != lines:
        return None
    if not data.endswith(b"\r\n", start, end) or data.find(b"\r\n\r\n", start, end) >= 0:
        return None
    try:
        return binascii.a2b_base64(data[start:end].translate(None, b"\r\n"), strict_mode=True)
    except binascii.Error:
        return None


def is_encrypted(data: bytes) -> bool:
    """Whether `data` is session keys, at least one, then one packet of encrypted data that ends where `data` ends, and nothing else."""
    at = 0
    try:
        for keys in range(KEYS_MAX + 1):
            packet_type, first, size_bytes, end = _read_packet(data, at)
            if first not in _VERSIONS.get(packet_type, ()):
                return False
            if packet_type == SEIPD:
                return keys > 0 and end == len(data) and size_bytes >= _SEIPD_BYTES_MIN
            if not 0 < size_bytes <= KEY_BYTES_MAX:
                return False
            at = end
    except (IndexError, ValueError):
        return False
    return False


def _read_packet(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Type, first octet, size in bytes and end of the packet at `at`. Raises IndexError past the end, ValueError if it is malformed."""
    tag = data[at]
    if tag & 0xC0 == 0xC0:
        return _read_new(data, tag & 0x3F, at + 1)
    if tag & 0xC0 == 0x80 and tag & 3 != 3:  # 3: indeterminate length, the packet would end wherever the data ends
        body = at + 1 + (1 << (tag & 3))
        size_bytes = int.from_bytes(data[at + 1 : body], "big")
        return tag >> 2 & 0x0F, data[body], size_bytes, body + size_bytes
    raise ValueError("no packet")


def _read_new(data: bytes, packet_type: int, at: int) -> tuple[int, int, int, int]:
    length, body, is_partial = _read_length(data, at)
    first, end, total = data[body], body + length, length
    if is_partial and (packet_type != SEIPD or length < FIRST_PARTIAL_BYTES):
        raise ValueError("a partial length where none may be")
    for _ in range(PARTIALS_MAX):
        if not is_partial:
            return packet_type, first, total, end
        length, body, is_partial = _read_length(data, end)
        total, end = total + length, body + length
    raise ValueError("too many partial lengths")


def _read_length(data: bytes, at: int) -> tuple[int, int, bool]:
    """Length, where the octets that it counts begin, and whether more lengths follow (RFC 9580 section 4.2.1)."""
    first = data[at]
    if first < 192:
        return first, at + 1, False
    if first < 224:
        return (first - 192 << 8) + data[at + 1] + 192, at + 2, False
    if first < 255:
        return 1 << (first & 0x1F), at + 1, True
    return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5, False
