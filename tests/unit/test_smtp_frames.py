# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bytes into lines (wire/frames.py): only CRLF ends a line, the limit bounds it, and packets do not matter."""

import pytest

from razdar.wire.errors import PeerError
from razdar.wire.frames import BareNewline, LineFramer, LineTooLong


def framer(data: bytes, limit: int = 100) -> LineFramer:
    made = LineFramer(limit)
    made.feed(data)
    return made


def test_lines_come_one_by_one() -> None:
    lines = framer(b"one\r\n\r\nth")
    assert [lines.next_line(), lines.next_line(), lines.next_line()] == [b"one", b"", None]
    lines.feed(b"ree\r\n")
    assert lines.next_line() == b"three"
    assert len(lines) == 0


@pytest.mark.parametrize("data", [b"a\n", b"a\rb\r\n", b"\r\r\n", b"\n", b"a\0b\r\n", b"\0\r\n", b"a\nb\r\n"])
def test_bare_newlines_and_nul(data: bytes) -> None:
    with pytest.raises(BareNewline):
        framer(data).next_line()


def test_a_bare_cr_at_the_end_of_a_packet_may_still_become_crlf() -> None:
    lines = framer(b"a\r")
    assert lines.next_line() is None
    lines.feed(b"\n")
    assert lines.next_line() == b"a"


def test_the_limit_counts_crlf() -> None:
    assert framer(b"12345678\r\n", limit=10).next_line() == b"12345678"
    with pytest.raises(LineTooLong):
        framer(b"123456789\r\n", limit=10).next_line()


def test_an_endless_line_ends_at_the_limit() -> None:
    assert framer(b"x" * 9, limit=10).next_line() is None
    with pytest.raises(LineTooLong):
        framer(b"x" * 10, limit=10).next_line()


def test_the_length_is_looked_at_first_so_packets_do_not_matter() -> None:
    with pytest.raises(LineTooLong):
        framer(b"x" * 10 + b"\n", limit=10).next_line()


def test_the_rest_can_be_taken_as_bytes() -> None:
    lines = framer(b"DATA\r\nhello\n")
    assert lines.next_line() == b"DATA"
    assert lines.take_rest() == b"hello\n"
    assert len(lines) == 0


def test_the_text_of_an_error_is_public() -> None:
    assert LineTooLong().text == "line too long"
    with pytest.raises(ValueError, match="printable"):
        PeerError("two\nlines")
