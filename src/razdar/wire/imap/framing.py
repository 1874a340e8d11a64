# SPDX-License-Identifier: AGPL-3.0-or-later
"""Splits the byte stream into whole commands before anything is parsed.

A command is lines and literals (RFC 3501 section 4.3); this module is the only place that decides where one ends, so a literal can
never be read as a command, nor a command as a literal. What a peer can make us keep is bounded: the text of a command (all its lines), its
literals, and the message of an APPEND. Whoever owns the framer sets the bounds before each command; refusals are values that say whether
the stream is still in step.

Only CRLF ends a line. A line with a bare CR or LF or with NUL in it is refused as a whole: its end is not in doubt, so the connection stays
usable, and no part of it is ever taken for a command of its own (VECTORS "command injection").

It knows neither states nor commands, but for one thing: the last literal of an APPEND may be large.
"""

import re
from dataclasses import dataclass
from io import BytesIO

NONSYNC_MAX = 4096  # LITERAL- (RFC 7888 section 5): larger ones must wait for our "+"

_LITERAL = re.compile(rb"(~?)\{([0-9]+)(\+?)\}$")
_APPEND = re.compile(rb"\S+ APPEND \S", re.IGNORECASE)
_FORBIDDEN = re.compile(rb"[\x00\r\n]")
_TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]{1,128}(?= |$)")
CONTINUE = b"+ OK\r\n"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sizes in bytes for the next command."""

    text_bytes: int
    """All lines of a command together, without literals."""
    literal_bytes: int
    """All literals of a command together, but for the message of an APPEND. 0: no literal at all."""
    message_bytes: int = 0
    """The message of an APPEND. 0: not now, it is a literal like any other."""
    total_bytes: int | None = None
    """If given: lines and literals together, but for the message of an APPEND."""

    def text_room(self, text_used: int, literal_used: int) -> int:
        """How long the next line may be."""
        room = self.text_bytes - text_used
        return room if self.total_bytes is None else min(room, self.total_bytes - text_used - literal_used)

    def literal_room(self, text_used: int, literal_used: int) -> int:
        """How long the next literal may be."""
        room = self.literal_bytes - literal_used
        return room if self.total_bytes is None else min(room, self.total_bytes - text_used - literal_used)


@dataclass(frozen=True, slots=True)
class Frame:
    """One command: `texts[0] literals[0] texts[1] …`, without line ends and without the `{n}` that announced a literal."""

    texts: tuple[bytes, ...]
    literals: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """One command that was not taken. `is_fatal`: what follows cannot be told from its rest, so nothing more may be read."""

    tag: str | None
    text: str
    is_too_big: bool = False
    is_literal: bool = False
    is_fatal: bool = False


class Framer:
    """Bytes in, frames out. After a fatal refusal it drops everything."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._buffer = bytearray()
        self._scanned = 0
        self._is_dead = False
        self._start_command()

    @property
    def buffered_bytes(self) -> int:
        """What is kept: bytes not looked at yet and the command under way."""
        return len(self._buffer) + self._held

    def receive(self, data: bytes) -> None:
        """The bytes are in the buffer."""
        if not self._is_dead:
            self._buffer += data

    def drop(self) -> None:
        """Nothing received so far counts (STARTTLS)."""
        self._buffer.clear()
        self._scanned = 0
        self._start_command()

    def stop(self) -> None:
        """Nothing received counts any more."""
        self.drop()
        self._is_dead = True

    def next_frame(self) -> Frame | Refused | bytes | None:
        """The next whole command; or bytes to send now, as the peer waits for them (call again); None: more bytes are needed."""
        while True:
            if self._literal is not None:
                if not self._fill_literal(self._literal):
                    return None
                continue
            line = self.next_line(self.bounds.text_room(self._text_used, self._literal_used))
            if line is None or isinstance(line, Refused):
                return line
            step = self._take_line(line)
            if step is not None:
                return step

    def next_line(self, limit: int) -> bytes | Refused | None:
        """One line without CRLF, at most `limit` bytes; the way SASL answers and DONE are read."""
        end = self._buffer.find(b"\r\n", self._scanned)
        length = end if end >= 0 else len(self._buffer) - self._buffer.endswith(b"\r")  # half of a line's end is no part of it
        if length > limit:
            return self._refuse("Command line too long", is_too_big=True, is_fatal=True)
        if end < 0:
            self._scanned = max(0, len(self._buffer) - 1)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self._scanned = 0
        return line

    def _start_command(self) -> None:
        self._texts: list[bytes] = []
        self._literals: list[bytes] = []
        self._text_used = self._literal_used = self._held = 0
        self._literal: BytesIO | None = None
        self._missing = 0

    def _take_line(self, line: bytes) -> Frame | Refused | bytes | None:
        announced = _LITERAL.search(line)
        self._text_used += len(line)
        self._held += len(line)
        self._texts.append(line[: announced.start()] if announced else line)
        if _FORBIDDEN.search(line):
            follows = announced is not None and announced[3] == b"+"
            return self._refuse("NUL, CR and LF do not belong into a command", is_fatal=follows)
        if announced is None:
            frame = Frame(tuple(self._texts), tuple(self._literals))
            self._start_command()
            return frame
        return self._begin_literal(announced[2], is_waiting=not announced[3])

    def _begin_literal(self, digits: bytes, *, is_waiting: bool) -> Refused | bytes | None:
        size = int(digits) if len(digits) <= 10 else None
        is_message = self.bounds.message_bytes > 0 and self._is_message()
        room = self.bounds.message_bytes if is_message else self.bounds.literal_room(self._text_used, self._literal_used)
        if size is None or size > room or (not is_waiting and size > NONSYNC_MAX):
            # A peer that was to wait and already sent more did not wait: those bytes are its literal, not commands.
            is_lost = not is_waiting or bool(self._buffer)
            return self._refuse("Literal too large", is_too_big=True, is_literal=True, is_fatal=is_lost)
        if not is_message:
            self._literal_used += size
        self._literal, self._missing = BytesIO(), size
        return CONTINUE if is_waiting else None

    def _is_message(self) -> bool:
        """The first literal behind `tag APPEND mailbox`, be the mailbox an atom, quoted or itself a literal."""
        if _APPEND.match(self._texts[0]):
            return not self._literals
        return len(self._literals) == 1 and re.fullmatch(rb"\S+ APPEND ", self._texts[0], re.IGNORECASE) is not None

    def _fill_literal(self, literal: BytesIO) -> bool:
        """Moves what is there; True if the literal is whole. BytesIO hands its buffer over without a copy and grows only as bytes come."""
        with memoryview(self._buffer) as view:
            taken = literal.write(view[: self._missing])
        del self._buffer[:taken]
        self._missing -= taken
        self._held += taken
        if self._missing:
            return False
        self._literals.append(literal.getvalue())
        self._literal = None
        return True

    def _refuse(self, text: str, *, is_too_big: bool = False, is_literal: bool = False, is_fatal: bool = False) -> Refused:
        first = self._texts[0] if self._texts else bytes(self._buffer[:130])
        tag = _TAG.match(first)
        self._start_command()
        if is_fatal:
            self.stop()
        return Refused(tag[0].decode("ascii") if tag else None, text, is_too_big, is_literal, is_fatal)
