# SPDX-License-Identifier: AGPL-3.0-or-later
"""The content reader: end mark, dots, limit and memory (RFC 5321 section 4.5.2, RFC 1870)."""

import sys

import pytest

from razdar.wire.frames import BareNewline
from razdar.wire.smtp.content import ContentReader, Endless


def read(data: bytes, limit: int = 1000, chunk: int = 1000) -> tuple[bytes | None, bytes]:
    """The message and what came behind it."""
    reader = ContentReader(limit)
    for start in range(0, len(data), chunk):
        rest = reader.feed(data[start : start + chunk])
        if rest is not None:
            return reader.take(), rest + data[start + chunk :]
    raise AssertionError("no end")


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 5, 6, 1000])
@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"a\r\n..\r\n..b\r\n.\r\n", b"a\r\n.\r\n.b\r\n"),
        (b"\r\n..\r\n\r\n.\r\n", b"\r\n.\r\n\r\n"),
        ("سلام\r\n.\r\n".encode(), "سلام\r\n".encode()),
    ],
)
def test_what_is_read(sent: bytes, content: bytes, chunk: int) -> None:
    assert read(sent + b"QUIT\r\n", chunk=chunk) == (content, b"QUIT\r\n")


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize("size", [8, 9, 10, 11, 12, 13, 14, 30, 100])
def test_the_limit_is_exact(size: int, chunk: int) -> None:
    content, rest = read(b"x" * (size - 2) + b"\r\n.\r\nNOOP\r\n", limit=10, chunk=chunk)
    assert (content is not None) == (size <= 10)
    assert rest == b"NOOP\r\n"


@pytest.mark.parametrize("chunk", [1, 50, 1000])
def test_stuffed_dots_do_not_count(chunk: int) -> None:
    content, _ = read(b"..\r\n" * 100 + b".\r\n", limit=300, chunk=chunk)
    assert content == b".\r\n" * 100
    assert read(b"..\r\n" * 101 + b".\r\n", limit=300, chunk=chunk)[0] is None


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_a_message_above_the_limit_is_not_kept(chunk: int) -> None:
    reader = ContentReader(1000)
    line = b"y" * 62 + b"\r\n"
    for _ in range(1000):
        for start in range(0, len(line), chunk):
            assert reader.feed(line[start : start + chunk]) is None
        assert sys.getsizeof(reader._buffer) < 3000
    assert reader.feed(b".\r\nNOOP\r\n") == b"NOOP\r\n"
    assert reader.take() is None


@pytest.mark.parametrize("bad", [b"a\rb", b"a\nb", b"a\0b", b"\n", b"\r\r\n"])
def test_bad_bytes_are_found_at_once_and_behind_the_end_not_at_all(bad: bytes) -> None:
    with pytest.raises(BareNewline):
        ContentReader(100).feed(bad)
    assert read(b"good\r\n.\r\n" + bad) == (b"good\r\n", bad)


@pytest.mark.parametrize("chunk", [1, 7, 64, 400])
def test_a_message_far_above_the_limit_is_not_read_for_ever(chunk: int) -> None:
    reader = ContentReader(100, discard_bytes=300)
    for _ in range((100 * 4 // 3 + 300) // chunk):
        assert reader.feed(b"x" * chunk) is None
        assert reader.held_bytes <= 100 * 4 // 3 + 5 + chunk
    with pytest.raises(Endless):
        read_endlessly(reader, b"x" * chunk)


def read_endlessly(reader: ContentReader, piece: bytes) -> None:
    for _ in range(600 // len(piece)):
        assert reader.feed(piece) is None
