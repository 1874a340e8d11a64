# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a session has to say, in pieces, until the server sends it."""

from collections import deque
from collections.abc import Iterable

from .responses import Part


class Outbox:
    """First in, first out. After `close` nothing more gets in; what is in it can still be taken."""

    __slots__ = ("_is_closed", "_parts", "size_bytes")

    def __init__(self) -> None:
        self._parts: deque[Part] | None = None  # most sessions are idle and have nothing to say
        self._is_closed = False
        self.size_bytes = 0

    def put(self, parts: Iterable[Part]) -> None:
        """The pieces are queued as they are."""
        if self._is_closed:
            return
        if self._parts is None:
            self._parts = deque()
        for part in parts:
            self._parts.append(part)
            self.size_bytes += len(part)

    def line(self, text: str) -> None:
        """One line. No line end can get in: codes may carry what a peer once chose."""
        self.put((text.replace("\r", " ").replace("\n", " ").encode("utf-8"), b"\r\n"))

    def tagged(self, tag: str, condition: str, text: str, code: str | None = None) -> None:
        """`tag OK [code] text`."""
        self.line(f"{tag} {condition} [{code}] {text}" if code else f"{tag} {condition} {text}")

    def close(self) -> None:
        """Nothing more is said."""
        self._is_closed = True

    def take(self, at_most: int | None = None) -> bytes:
        """The next bytes: all, or `at_most` so many, so that a large answer need not exist twice in memory."""
        if self._parts is None:
            return b""
        if at_most is None or self.size_bytes <= at_most:
            taken = b"".join(self._parts)
            self._parts = None
            self.size_bytes = 0
            return taken
        return self._take_some(self._parts, at_most)

    def _take_some(self, parts: deque[Part], at_most: int) -> bytes:
        taken: list[Part] = []
        room = at_most
        while room > 0:
            part = parts.popleft()
            if len(part) > room:
                parts.appendleft(memoryview(part)[room:])
                part = memoryview(part)[:room]
            taken.append(part)
            room -= len(part)
        self.size_bytes -= at_most
        return b"".join(taken)
