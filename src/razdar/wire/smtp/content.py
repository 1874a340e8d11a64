# SPDX-License-Identifier: AGPL-3.0-or-later
r"""The bytes between DATA's 354 and the end mark: found, checked and unstuffed without looking at single lines.

The end is CRLF.CRLF and nothing that looks like it (CVE-2023-51764, -51765, -51766, CVE-2024-27305). A single CR or LF or a NUL is
an error as soon as it is here, not only at the end: a client that ends with `\n.\n` waits for us and would wait for ever. A message
above the limit is read to its end without being kept, so that its sender gets a clean answer, but not for ever. How the bytes were cut
into packets makes no difference.
"""

from razdar.wire.errors import PeerError
from razdar.wire.frames import BareNewline

DISCARD_BYTES = 31_457_280
"""Default for the settings' `discard_bytes`."""

_END = b"\r\n.\r\n"
_BORDER = len(_END) - 1  # so many bytes from before must be looked at again, because the end mark may lie across the border


class Endless(PeerError):  # noqa: N818 - named for what the peer did
    """Far above the limit, and no end mark."""

    def __init__(self) -> None:
        super().__init__("message too big and without an end")


class ContentReader:
    """Collects one message. Memory: at most 4/3 of the limit, because dots may have been stuffed."""

    __slots__ = ("_buffer", "_checked", "_discard_bytes", "_is_kept", "_limit_bytes")

    def __init__(self, limit_bytes: int, discard_bytes: int = DISCARD_BYTES) -> None:
        """`discard_bytes`: so much above the limit is read, for the sake of the answer, before `Endless`."""
        # Begins with the CRLF of the DATA line, so that the end mark and stuffed dots are found on the first line, too.
        self._buffer = bytearray(b"\r\n")
        self._checked = 2
        self._limit_bytes = limit_bytes
        self._discard_bytes = discard_bytes
        self._is_kept = True

    @property
    def held_bytes(self) -> int:
        """What is kept of the message so far."""
        return len(self._buffer)

    def feed(self, data: bytes) -> bytes | None:
        """None while the message goes on, else what came behind its end mark. BareNewline and Endless close the connection."""
        start = max(len(self._buffer) - _BORDER, 0)
        self._buffer += data
        end = self._buffer.find(_END, start)
        if end < 0:
            self._check(len(self._buffer))
            self._shed()
            return None
        self._check(end + len(_END))
        rest = bytes(self._buffer[end + len(_END) :])
        del self._buffer[end + 2 :]
        return rest

    def take(self) -> bytes | None:
        """The message, once `feed` has found the end; None if it is above the limit (RFC 1870 section 6.3: stuffed dots do not count)."""
        if not self._is_kept:
            return None
        if b"\r\n." in self._buffer:
            content = bytes(self._buffer.replace(b"\r\n.", b"\r\n")[2:])  # RFC 5321 section 4.5.2
        else:
            with memoryview(self._buffer) as whole:
                content = bytes(whole[2:])
        self._buffer = bytearray()
        return content if len(content) <= self._limit_bytes else None

    def _check(self, end: int) -> None:
        """Every CR and LF up to `end` is part of a CRLF; a CR right before `end` waits for the next packet."""
        if self._buffer.endswith(b"\r", 0, end):
            end -= 1
        count, start = self._buffer.count, self._checked
        pairs = count(b"\r\n", start, end)
        if count(b"\n", start, end) != pairs or count(b"\r", start, end) != pairs or self._buffer.find(0, start, end) >= 0:
            raise BareNewline
        self._checked = end

    def _shed(self) -> None:
        """Only the border is kept of a message that is surely too big: a stuffed line has at least 4 bytes, one of them the dot."""
        most_kept = self._limit_bytes + self._limit_bytes // 3 + len(_END)
        if self._is_kept and len(self._buffer) <= most_kept:
            return
        gone = max(len(self._buffer) - _BORDER, 0)
        del self._buffer[:gone]
        self._checked -= gone
        self._discard_bytes -= gone - most_kept if self._is_kept else gone
        self._is_kept = False
        if self._discard_bytes < 0:
            raise Endless
