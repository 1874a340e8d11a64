# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bytes into lines, with a hard limit, before anything is parsed.

A line ends with CRLF and with nothing else: a single CR, a single LF or a NUL anywhere in it is the peer's error (SMTP smuggling,
CVE-2023-51764 and its family), as is a line above the limit. How the bytes were cut into packets makes no difference to what comes out.
The framer knows no protocol. What was received and not yet asked for waits here, so the caller must stop reading from the socket when that
becomes too much; the limit bounds one line, not the number of waiting lines.
"""

from razdar.wire.errors import PeerError


class LineTooLong(PeerError):  # noqa: N818 - named for what the peer did
    """No CRLF within the limit."""

    def __init__(self) -> None:
        super().__init__("line too long")


class BareNewline(PeerError):  # noqa: N818 - named for what the peer did
    """A CR or LF that is not part of CRLF, or a NUL."""

    def __init__(self) -> None:
        super().__init__("bare CR, bare LF or NUL")


class LineFramer:
    """A queue of bytes that gives out whole lines. After a PeerError it must not be used any more."""

    __slots__ = ("_buffer", "_limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._buffer = bytearray()
        self._limit_bytes = limit_bytes

    def __len__(self) -> int:
        """Bytes that wait."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """`data` waits behind what was fed before."""
        self._buffer += data

    def next_line(self) -> bytes | None:
        """The next line without its CRLF, or None if it is not complete yet. LineTooLong counts the CRLF."""
        end = self._buffer.find(b"\n", 0, self._limit_bytes)
        if end < 0:
            if len(self._buffer) >= self._limit_bytes:
                raise LineTooLong
            return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            raise BareNewline
        return line[:-2]

    def take_rest(self) -> bytes:
        """Everything that waits, for a reader that does not go by lines. The framer is empty then."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest
