# SPDX-License-Identifier: AGPL-3.0-or-later
"""The walk over OpenPGP packets (RFC 9580 section 4.2) and the armor around them (section 6.2)."""

import base64
import random

import pytest
from tests.mail import make

from razdar.wire import openpgp
from razdar.wire.openpgp import dearmor, is_encrypted

RNG = random.Random(0)
KEY = make.pkesk(RNG)
SHARED = make.skesk(RNG)
DATA = make.seipd(RNG, 300)


@pytest.mark.parametrize(
    "packets",
    [
        KEY + DATA,
        SHARED + DATA,
        KEY + SHARED + KEY + DATA,
        KEY * 1001 + DATA,
        KEY + make.packet(make.SEIPD, b"\x01" + bytes(60)),  # version 1, as for older keys
        make.packet(make.PKESK, b"\x03" + bytes(100)) + DATA,
        make.packet(make.SKESK, b"\x04\x07\x00" + bytes(10)) + DATA,
        make.old_packet(make.PKESK, b"\x03" + bytes(100), length_octets=1) + DATA,
        make.old_packet(make.PKESK, b"\x03" + bytes(300), length_octets=2) + DATA,
        make.old_packet(make.PKESK, b"\x03" + bytes(300), length_octets=4) + DATA,
        KEY + make.seipd(RNG, 2000, partial_bytes=512),
        KEY + make.seipd(RNG, 20_000, partial_bytes=8192),
        KEY + make.seipd(RNG, 2**20),
    ],
)
def test_keys_then_encrypted_data(packets: bytes) -> None:
    assert is_encrypted(packets)


def partial(first: int, *rest: int, last: int = 5) -> bytes:
    """A SEIPD packet with these partial lengths, as powers of two."""
    pieces = [b"".join([bytes([0xE0 | power]), bytes([2]) * (1 << power)]) for power in (first, *rest)]
    return b"\xd2" + b"".join(pieces) + bytes([last]) + b"\2" * last


@pytest.mark.parametrize(
    ("reason", "packets"),
    [
        ("nothing", b""),
        ("no key", DATA),
        ("no data", KEY),
        ("order", DATA + KEY),
        ("two data packets", KEY + DATA + DATA),
        ("one byte after the data", KEY + DATA + b"\0"),
        ("another packet after the data", KEY + DATA + make.packet(make.LITERAL, b"b\0hello")),
        ("another packet before the data", KEY + make.packet(make.LITERAL, b"b\0hello") + DATA),
        ("literal instead of encrypted", KEY + make.packet(make.LITERAL, b"b\0hello")),
        ("compressed", KEY + make.packet(8, b"\0" + bytes(100))),
        ("signature", make.packet(2, b"\4" + bytes(100)) + DATA),
        ("data without integrity protection (packet type 9)", KEY + make.packet(9, bytes(100))),
        ("padding packet (type 21)", KEY + make.packet(21, bytes(10)) + DATA),
        ("first bit not set", b"\x01" + KEY[1:] + DATA),
        ("indeterminate length", make.old_packet(make.PKESK, b"\3" + bytes(20), length_octets=0) + DATA),
        ("key that says it is longer than all", b"\xc1\xff\xff\xff\xff\xff\x06" + DATA),
        ("key without content", b"\xc1\x00" + DATA),
        ("key with an unknown version", make.packet(make.PKESK, b"\x09" + bytes(50)) + DATA),
        ("key as large as a book", make.packet(make.PKESK, b"\x06" + bytes(openpgp.KEY_BYTES_MAX)) + DATA),
        ("key in partial lengths", make.packet(make.PKESK, b"\6" + bytes(1023), partial_bytes=512) + DATA),
        ("data with an unknown version", KEY + make.packet(make.SEIPD, b"\3" + bytes(100))),
        ("data too short for its own checksum", KEY + make.packet(make.SEIPD, b"\2" + bytes(10))),
        ("data cut off", KEY + DATA[:-1]),
        ("cut off in a length", KEY + b"\xd2\xff\x00\x00"),
        ("cut off before a length", KEY + b"\xd2"),
        ("first partial length below 512", KEY + partial(8, 10)),
        ("partial length beyond the end", KEY + b"\xd2\xfe\x02" + bytes(100)),
        ("partial length that is never closed", KEY + b"\xd2\xe9" + b"\2" * 512),
    ],
)
def test_anything_else(reason: str, packets: bytes) -> None:
    assert not is_encrypted(packets), reason


def test_partial_lengths_are_bounded() -> None:
    """A million lengths of one byte each would keep the processor busy."""
    assert is_encrypted(KEY + partial(9, *[0] * 1000))
    assert not is_encrypted(KEY + b"\xd2\xe9" + b"\2" * 512 + b"\xe0\2" * openpgp.PARTIALS_MAX + b"\1\2")


def test_keys_are_bounded() -> None:
    key = make.packet(make.PKESK, b"\x06")
    assert is_encrypted(key * openpgp.KEYS_MAX + DATA)
    assert not is_encrypted(key * (openpgp.KEYS_MAX + 1) + DATA)


def block(content: bytes) -> bytes:
    return make.ARMOR_BEGIN + b"\r\n" + content + make.ARMOR_END


def opened(armored: bytes, *, skip_version: bool = False) -> bytes | None:
    return dearmor(armored, 0, len(armored), skip_version=skip_version)


@pytest.mark.parametrize("checksum", [b"", b"=YKqo\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 47, 48, 49, 1000])
def test_armor_comes_off(size: int, checksum: bytes) -> None:
    data = RNG.randbytes(size)
    assert opened(make.armor(data, checksum=checksum).rstrip()) == data


def test_armor_is_found_inside_of_a_message() -> None:
    armored = make.armor(b"data").rstrip()
    message = b"before " + armored + b" after"
    end = openpgp.find_armor(message, 7)
    assert end == 7 + len(armored)
    assert dearmor(message, 7, end) == b"data"
    assert openpgp.find_armor(message, 6) is None


@pytest.mark.parametrize(
    ("reason", "armored"),
    [
        ("no empty line after the first", block(b"QUJD\r\n")),
        ("plain words", block(b"\r\nThis is no base64.\r\n")),
        ("a foreign character", block(b"\r\nQU!JD\r\n")),
        ("a space inside", block(b"\r\nQU JD\r\n")),
        ("a line of spaces", block(b"\r\nQUJD\r\n    \r\nQUJD\r\n")),
        ("a space at the end of a line", block(b"\r\nQUJD \r\nQUJD\r\n")),
        ("an empty line inside", block(b"\r\nQUJD\r\n\r\nQUJD\r\n")),
        ("text after the padding", block(b"\r\nQUI=\r\nQUJD\r\n")),
        ("padding too long", block(b"\r\nQUI==\r\n")),
        ("padding missing", block(b"\r\nQUI\r\n")),
        ("bare LF", block(b"\r\nQUJD\nQUJD\r\n")),
        ("bare CR", block(b"\r\nQUJD\rQUJD\r\n")),
        ("no line end before the last line", block(b"\r\nQUJD")),
        ("two checksums", block(b"\r\nQUJD\r\n=AAAA\r\n=AAAA\r\n")),
        ("checksum too long", block(b"\r\nQUJD\r\n=AAAAA\r\n")),
        ("URL alphabet", block(b"\r\nQU-_\r\n")),
        ("a comment", block(b"Comment: hello\r\n\r\nQUJD\r\n")),
        ("another kind of block", make.armor(b"data").rstrip().replace(b"MESSAGE", b"SIGNATURE")),
        ("a block inside", block(b"\r\n" + make.ARMOR_BEGIN + b"\r\n\r\nQUJD\r\n")),
        ("NUL", block(b"\r\nQU\0JD\r\n")),
    ],
)
def test_armor_with_anything_else_in_it(reason: str, armored: bytes) -> None:
    assert opened(armored) is None, reason
    assert opened(armored, skip_version=True) is None, reason


def test_a_version_line_is_passed_over_only_on_request() -> None:
    armored = block(b"Version: Old 1.0\r\n\r\n" + base64.b64encode(b"data") + b"\r\n")
    assert opened(armored) is None
    assert opened(armored, skip_version=True) == b"data"


@pytest.mark.parametrize("line", [b"Version: a\r\nVersion: b", b"Version: " + b"long " * 100, b"Version: \xd8\xb1", b"Comment: a"])
def test_a_version_line_is_one_short_line_of_ascii(line: bytes) -> None:
    assert opened(block(line + b"\r\n\r\nQUJD\r\n"), skip_version=True) is None
