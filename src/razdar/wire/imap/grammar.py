# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words that commands are made of (RFC 3501 section 9), read one after the other from a framed command.

A `Cursor` stands somewhere in the texts and literals of one frame. Every method either moves it forward and returns what it read, or raises
PeerError. It never looks for the end of a command: the framer has decided that. Parentheses are counted by the callers that nest
(`GrammarLimits.nesting`), so no input can make the parser recurse deeper.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from razdar.wire.errors import PeerError

from .framing import Frame
from .mailbox_name import decode_name
from .sequence import RANGES_MAX

LIST_MAX = 256
"""Members of any list in one command, but for sequence sets."""


@dataclass(frozen=True, slots=True)
class GrammarLimits:
    """How much one command may ask for: each of these is work for every message it names."""

    nesting: int = 20
    """Levels of search keys, and numbers in a section's path."""
    search_keys: int = 500
    """Each may be tried on every message."""
    search_texts: int = 8
    """Those of them that read the message: 30 ms for one of 30 MB."""
    fetch_items: int = 40
    """Different ones; each may stand for the whole message (VECTORS "FETCH of the same body 10^4 times in one command")."""
    ranges: int = RANGES_MAX
    """In one set, as written; a line of 64 KiB cannot usefully hold more (VECTORS "sequence sets of 10^5 ranges")."""


DEFAULT_LIMITS: Final = GrammarLimits()

T = TypeVar("T")

ATOM: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
ASTRING_ATOM: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
LIST_ATOM: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){\"\\]+")
TAG: Final = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]{1,128}")
NUMBER: Final = re.compile(rb"[0-9]{1,10}")
SEQUENCE: Final = re.compile(rb"[0-9*:,]+")
_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]{1,100}")
_QUOTED = re.compile(rb"\"([^\"\\\r\n\x00]*+(?:\\[\"\\][^\"\\\r\n\x00]*+)*+)\"")
_ESCAPED = re.compile(rb"\\(.)")
_SYSTEM_FLAGS = {flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "\\Recent")}


class Cursor:
    """A place in a framed command."""

    __slots__ = ("_frame", "_index", "_position", "_text", "limits")

    def __init__(self, frame: Frame, limits: GrammarLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self._frame = frame
        self._index = 0
        self._position = 0
        self._text = frame.texts[0]

    # where it stands

    @property
    def is_at_end(self) -> bool:
        """Nothing is left."""
        return self._position == len(self._text) and self._index == len(self._frame.literals)

    @property
    def is_at_literal(self) -> bool:
        """A literal is next."""
        return self._position == len(self._text) and self._index < len(self._frame.literals)

    def is_at(self, text: bytes) -> bool:
        """These bytes are next."""
        return self._text.startswith(text, self._position)

    # moving on

    def skip(self, text: bytes) -> bool:
        """Moves over `text` if it is next."""
        if not self.is_at(text):
            return False
        self._position += len(text)
        return True

    def expect(self, text: bytes) -> None:
        """Moves over `text`."""
        if not self.skip(text):
            raise PeerError("Syntax error")

    def space(self) -> None:
        """Exactly one, as the grammar wants it."""
        self.expect(b" ")

    def end(self) -> None:
        """The command is over."""
        if not self.is_at_end:
            raise PeerError("Syntax error: more than was expected")

    def match(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """What `pattern` matches here, if it does."""
        found = pattern.match(self._text, self._position)
        if found is None:
            return None
        self._position = found.end()
        return found[0]

    def want(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        """What `pattern` matches here."""
        found = self.match(pattern)
        if found is None:
            raise PeerError(f"Syntax error: {what} expected")
        return found

    def rest(self) -> bytes | None:
        """What is left, without moving; None if it has literals in it."""
        return self._text[self._position :] if self._index == len(self._frame.literals) else None

    def skip_rest(self) -> None:
        """Moves to the end of this text."""
        self._position = len(self._text)

    # words

    def word(self) -> str:
        """An atom in capitals: names of commands, items, options."""
        return self.want(ATOM, "a word").decode("ascii").upper()

    def skip_word(self, word: str) -> bool:
        """Moves over this atom, in any case, if it is next."""
        position = self._position
        if (self.match(ATOM) or b"").upper() == word.encode("ascii"):
            return True
        self._position = position
        return False

    def number(self) -> int:
        """32 bits."""
        number = int(self.want(NUMBER, "a number"))
        if number > 2**32 - 1:
            raise PeerError("A number has 32 bits")
        return number

    def string(self) -> bytes:
        """Quoted or literal, without NUL."""
        if self.is_at_literal:
            return self._literal()
        found = _QUOTED.match(self._text, self._position)
        if found is None:
            raise PeerError("Syntax error: a string expected")
        self._position = found.end()
        return _ESCAPED.sub(rb"\1", found[1]) if b"\\" in found[1] else found[1]

    def astring(self, atom: re.Pattern[bytes] = ASTRING_ATOM) -> bytes:
        """An atom or a string."""
        found = self.match(atom)
        return self.string() if found is None else found

    def nstring(self) -> bytes | None:
        """A string, or NIL."""
        return None if self.skip_word("NIL") else self.string()

    def text(self) -> str:
        """An astring in UTF-8 (user names, passwords, entry names)."""
        return as_text(self.astring())

    def mailbox(self) -> str:
        """A mailbox name, decoded."""
        return decode_name(self.astring())

    def flag(self) -> str:
        """A flag; system flags in the spelling of the standard."""
        flag = self.want(_FLAG, "a flag").decode("ascii")
        return _SYSTEM_FLAGS.get(flag.lower(), flag)

    def members(self, member: Callable[[], T], limit: int = LIST_MAX) -> list[T]:
        """`(a b c)`, perhaps empty."""
        self.expect(b"(")
        if self.skip(b")"):
            return []
        found = [member()]
        while not self.skip(b")"):
            self.space()
            found.append(member())
            if len(found) > limit:
                raise PeerError("Too many in one list")
        return found

    def _literal(self) -> bytes:
        literal = self._frame.literals[self._index]
        if b"\0" in literal:
            raise PeerError("NUL in a literal")  # CVE-2019-11500
        self._index += 1
        self._text = self._frame.texts[self._index]
        self._position = 0
        return literal


def as_text(octets: bytes) -> str:
    """UTF-8. Raises PeerError."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise PeerError("Not UTF-8") from None


def stored_flags(flags: list[str]) -> tuple[str, ...]:
    r"""Each once, in the order given, without \Recent, which no client can set (RFC 3501 section 2.3.2)."""
    return tuple(dict.fromkeys(flag for flag in flags if flag != "\\Recent"))
