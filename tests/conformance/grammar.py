# SPDX-License-Identifier: AGPL-3.0-or-later
"""A strict reader of what an IMAP server says, by the formal syntax of RFC 3501 section 9 and of the extensions that the relay announces.

Written from the standards alone; it shares no code with the relay. It pulls bytes from a stream as the grammar wants them, so a literal
is a literal only where the syntax allows one. Whatever does not fit raises `Violation` with the rule that was broken. It keeps no state
between responses and checks no meaning: that is `client.py`.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

NZ_MAX = 2**32 - 1


class Violation(AssertionError):  # noqa: N818 - a word of the standards
    """The server broke a rule."""


@dataclass(frozen=True)
class Code:
    """What stands in square brackets; `value` is parsed where the grammar is known."""

    name: str
    value: Any = None


@dataclass(frozen=True)
class Response:
    """`kind` is `+`, a condition (`OK`, `NO`, `BAD`, `BYE`, `PREAUTH`) or the name of the data. `tag` is `*`, `+` or the command's."""

    tag: str
    kind: str
    value: Any = None
    code: Code | None = None
    number: int | None = None
    text: str = ""

    @property
    def status(self) -> str:
        """Of a condition: `OK`, or `NO [CODE]`."""
        return self.kind + (f" [{self.code.name}]" if self.code else "")


@dataclass
class Listed:
    attributes: list[str]
    delimiter: str | None
    name: str
    extended: dict[str, Any] = field(default_factory=dict)


ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]+")
DIGITS = re.compile(rb"[0-9]+")
NAME = re.compile(rb"[A-Za-z0-9.-]+")
TEXT = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]+")
QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]+")
CODE_TEXT = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x5c\x5e-\x7f]+")
SET = re.compile(rb"[0-9:,]+")

SECTION = re.compile(r"|([1-9]\d*)(\.[1-9]\d*)*(\.(MIME|HEADER|TEXT|HEADER\.FIELDS(\.NOT)?))?|HEADER|TEXT|HEADER\.FIELDS(\.NOT)?")
CODES_OF_RFC_3501 = ("ALERT", "PARSE", "READ-ONLY", "READ-WRITE", "TRYCREATE")
CODES_OF_RFC_5530 = (
    *("UNAVAILABLE", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN", "NOPERM", "INUSE"),
    *("EXPUNGEISSUED", "CORRUPTION", "SERVERBUG", "CLIENTBUG", "CANNOT", "LIMIT", "OVERQUOTA", "ALREADYEXISTS", "NONEXISTENT"),
)
PLAIN_CODES = frozenset({*CODES_OF_RFC_3501, *CODES_OF_RFC_5530, "UIDNOTSTICKY", "CLOSED", "HASCHILDREN", "TOOBIG", "USEATTR"})
SYSTEM_FLAGS = frozenset({"\\answered", "\\flagged", "\\deleted", "\\seen", "\\draft"})
STATUS_ITEMS = frozenset({"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE", "DELETED"})
LIST_ATTRIBUTES = frozenset(
    {
        *("\\noinferiors", "\\noselect", "\\marked", "\\unmarked", "\\haschildren", "\\hasnochildren"),
        *("\\nonexistent", "\\subscribed", "\\remote"),
        *("\\all", "\\archive", "\\drafts", "\\flagged", "\\junk", "\\sent", "\\trash"),
    }
)


class Reader:
    """Reads one response after the other."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        """`receive` waits for bytes; none mean that the server has closed."""
        self._receive = receive
        self._buffer = b""
        self._at = 0

    @property
    def has_bytes(self) -> bool:
        """Whether something is here that was not read yet."""
        return self._at < len(self._buffer)

    # characters

    def _more(self) -> None:
        found = self._receive()
        if not found:
            raise EOFError
        self._buffer = self._buffer[self._at :] + found
        self._at = 0

    def peek(self) -> bytes:
        while not self.has_bytes:
            self._more()
        return self._buffer[self._at : self._at + 1]

    def take(self, count: int) -> bytes:
        pieces, missing = [self._buffer[self._at : self._at + count]], count - (len(self._buffer) - self._at)
        self._at = min(self._at + count, len(self._buffer))
        while missing > 0:
            self._more()
            pieces.append(self._buffer[:missing])
            self._at = min(missing, len(self._buffer))
            missing -= self._at
        return b"".join(pieces)

    def expect(self, wanted: bytes) -> None:
        found = self.take(len(wanted))
        if found.upper() != wanted.upper():
            raise Violation(f"{wanted!r} expected, not {found!r} before {self._buffer[self._at : self._at + 40]!r}")

    def skip(self, wanted: bytes) -> bool:
        if self.peek() != wanted:
            return False
        self._at += 1
        return True

    def run(self, kind: re.Pattern[bytes], *, may_be_empty: bool = False) -> bytes:
        """As many of these characters as there are."""
        pieces = []
        while (found := kind.match(self._buffer, self._at) if self.peek() else None) is not None:
            self._at = found.end()
            pieces.append(found[0])
            if self.has_bytes:
                break
        if not pieces and not may_be_empty:
            raise Violation(f"{kind.pattern!r} expected, not {self._buffer[self._at : self._at + 40]!r}")
        return b"".join(pieces)

    # words

    def atom(self) -> str:
        return self.run(ATOM).decode("ascii")

    def number(self, least: int = 0, most: int = NZ_MAX) -> int:
        digits = self.run(DIGITS)
        if least and digits.startswith(b"0"):
            raise Violation(f"nz-number begins with a zero: {digits!r}")
        if not least <= int(digits) <= most:
            raise Violation(f"number out of range: {digits!r}")
        return int(digits)

    def literal(self) -> bytes:
        self.expect(b"{")
        size = self.number()
        self.expect(b"}\r\n")
        found = self.take(size)
        if b"\0" in found:
            raise Violation("NUL in a literal")
        return found

    def quoted(self) -> bytes:
        self.expect(b'"')
        found = b""
        while not self.skip(b'"'):
            if self.skip(b"\\"):
                char = self.take(1)
                if char not in (b"\\", b'"'):
                    raise Violation("quoted-specials only behind a backslash")
                found += char
            else:
                found += self.run(QUOTABLE)
        return found

    def string(self) -> bytes:
        return self.quoted() if self.peek() == b'"' else self.literal()

    def nstring(self) -> bytes | None:
        if self.peek().upper() == b"N":
            self.expect(b"NIL")
            return None
        return self.string()

    def astring(self) -> bytes:
        return self.string() if self.peek() in (b'"', b"{") else self.run(ASTRING)

    def mailbox(self) -> str:
        return mailbox_name(self.astring())

    def members(self, member: Callable[[], Any], least: int = 0) -> list[Any]:
        self.expect(b"(")
        found: list[Any] = []
        while not self.skip(b")"):
            if found:
                self.expect(b" ")
            found.append(member())
        if len(found) < least:
            raise Violation("a list with too few members")
        return found

    def flag(self, is_permanent: bool = False) -> str:
        if not self.skip(b"\\"):
            return self.atom()
        if is_permanent and self.skip(b"*"):
            return "\\*"
        return "\\" + self.atom()

    def flags(self) -> list[str]:
        found: list[str] = self.members(self.flag)
        if len({flag.lower() for flag in found}) != len(found):
            raise Violation(f"a flag twice in {found}")
        return found

    def uid_set(self) -> list[int]:
        """As written; ranges count in the direction in which they are written."""
        found: list[int] = []
        for piece in self.run(SET).decode().split(","):
            ends = [int(end) for end in piece.split(":")]
            if len(ends) > 2 or min(ends) < 1 or max(ends) > NZ_MAX:
                raise Violation(f"not a uid-set: {piece}")
            step = 1 if ends[-1] >= ends[0] else -1
            found.extend(range(ends[0], ends[-1] + step, step))
        return found

    # responses

    def response(self) -> Response:
        """The next one, its CRLF included."""
        if self.skip(b"+"):
            self.expect(b" ")
            code, text = self.text(may_be_empty=True)
            return Response("+", "+", code=code, text=text)
        if self.skip(b"*"):
            self.expect(b" ")
            return self._untagged()
        tag = self.run(TAG).decode("ascii")
        self.expect(b" ")
        return self._condition(tag, self.atom().upper(), ("OK", "NO", "BAD"))

    def _untagged(self) -> Response:
        if self.peek().isdigit():
            return self._numbered()
        name = self.run(NAME).decode("ascii").upper()
        if name in ("OK", "NO", "BAD", "BYE", "PREAUTH"):
            return self._condition("*", name, (name,))
        reader = getattr(self, f"_read_{name.lower()}", None)
        if reader is None:
            raise Violation(f"unknown untagged response {name}")
        value = reader()
        self.expect(b"\r\n")
        return Response("*", name, value)

    def _condition(self, tag: str, name: str, allowed: tuple[str, ...]) -> Response:
        if name not in allowed:
            raise Violation(f"{name} where one of {allowed} belongs")
        self.expect(b" ")
        code, text = self.text()
        return Response(tag, name, code=code, text=text)

    def text(self, may_be_empty: bool = False) -> tuple[Code | None, str]:
        code = None
        if self.skip(b"["):
            code = self._code()
            self.expect(b"]")
            self.expect(b" ")
        text = self.run(TEXT, may_be_empty=may_be_empty).decode("ascii")
        self.expect(b"\r\n")
        return code, text

    def _numbered(self) -> Response:
        number = self.number()
        self.expect(b" ")
        name = self.atom().upper()
        value = None
        if name in ("EXPUNGE", "FETCH") and not number:
            raise Violation(f"message number 0 in {name}")
        if name == "FETCH":
            self.expect(b" ")
            value = self._message_data()
        elif name not in ("EXISTS", "RECENT", "EXPUNGE"):
            raise Violation(f"unknown response {name}")
        self.expect(b"\r\n")
        return Response("*", name, value, number=number)

    # codes

    def _code(self) -> Code:
        name = self.atom().upper()
        if name in PLAIN_CODES:
            return Code(name)
        self.expect(b" ")
        if name in ("UIDNEXT", "UIDVALIDITY", "UNSEEN"):
            return Code(name, self.number(least=1))
        if name == "CAPABILITY":
            return Code(name, self._words())
        if name == "PERMANENTFLAGS":
            return Code(name, self.members(lambda: self.flag(is_permanent=True)))
        if name == "BADCHARSET":
            return Code(name, self.members(self.astring, 1))
        if name == "APPENDUID":
            validity = self.number(least=1)
            self.expect(b" ")
            return Code(name, (validity, self.uid_set()))
        if name == "COPYUID":
            return Code(name, self._copy_uid())
        if name == "METADATA":
            return Code(name, self.run(CODE_TEXT).decode("ascii"))
        raise Violation(f"unknown response code {name}")

    def _copy_uid(self) -> tuple[int, dict[int, int]]:
        validity = self.number(least=1)
        self.expect(b" ")
        sources = self.uid_set()
        self.expect(b" ")
        targets = self.uid_set()
        if len(sources) != len(targets) or len(set(targets)) != len(targets):
            raise Violation("COPYUID with sets of different size (RFC 4315 section 3)")
        return validity, dict(zip(sources, targets, strict=True))

    def _words(self) -> list[str]:
        found = [self.atom()]
        while self.skip(b" "):
            found.append(self.atom())
        return found

    # data

    def _read_capability(self) -> list[str]:
        self.expect(b" ")
        found = self._words()
        if not {"IMAP4REV1", "IMAP4REV2"} & {word.upper() for word in found}:
            raise Violation("CAPABILITY without IMAP4rev1")
        return found

    def _read_enabled(self) -> list[str]:
        found = []
        while self.skip(b" "):
            found.append(self.atom())
        return found

    def _read_flags(self) -> list[str]:
        self.expect(b" ")
        return self.flags()

    def _read_list(self) -> Listed:
        self.expect(b" ")
        attributes = self.members(self.flag)
        strangers = {each.lower() for each in attributes} - LIST_ATTRIBUTES
        if strangers:
            raise Violation(f"LIST attributes {strangers}")
        self.expect(b" ")
        delimiter = self.nstring()
        if delimiter is not None and len(delimiter) != 1:
            raise Violation("the delimiter is one character")
        self.expect(b" ")
        listed = Listed(attributes, None if delimiter is None else delimiter.decode("ascii"), self.mailbox())
        if self.skip(b" "):
            listed.extended = dict(self.members(self._extended_item))
        return listed

    def _extended_item(self) -> tuple[str, Any]:
        name = self.astring().decode("ascii")
        self.expect(b" ")
        return name.upper(), self.members(lambda: self.astring().decode("ascii"), 1)

    _read_lsub = _read_list

    def _read_search(self) -> list[int]:
        found = []
        while self.skip(b" "):
            found.append(self.number(least=1))
        if len(set(found)) != len(found):
            raise Violation("SEARCH names a message twice")
        return found

    def _read_esearch(self) -> dict[str, Any]:
        """RFC 4466 section 2.6.2: correlator, UID, then return data; each kind of data once."""
        found: dict[str, Any] = {}
        self.expect(b" ")
        if self.peek() == b"(":
            self.expect(b"(TAG ")
            found["TAG"] = self.string().decode("ascii")
            self.expect(b")")
            if not self.skip(b" "):
                return found
        while True:
            name = self.atom().upper()
            if name in found:
                raise Violation(f"{name} twice in an ESEARCH")
            if name == "UID":
                found[name] = True
            else:
                self.expect(b" ")
                found[name] = self.uid_set() if name == "ALL" else self.number(least=0 if name == "COUNT" else 1)
            if not self.skip(b" "):
                return found

    def _read_status(self) -> tuple[str, dict[str, int]]:
        self.expect(b" ")
        name = self.mailbox()
        self.expect(b" ")

        def item() -> tuple[str, int]:
            word = self.atom().upper()
            self.expect(b" ")
            if word not in STATUS_ITEMS:
                raise Violation(f"STATUS item {word}")
            return word, self.number(least=1 if word.startswith("UID") else 0, most=2**63 - 1 if word == "SIZE" else NZ_MAX)

        return name, dict(self.members(item))

    def _read_namespace(self) -> list[Any]:
        found: list[Any] = []
        for _ in range(3):
            self.expect(b" ")
            if self.peek().upper() == b"N":
                self.expect(b"NIL")
                found.append(None)
                continue
            self.expect(b"(")
            spaces = []
            while not self.skip(b")"):
                self.expect(b"(")
                prefix = self.string()
                self.expect(b" ")
                spaces.append((prefix, self.nstring()))
                self.expect(b")")
            found.append(spaces)
        return found

    def _read_id(self) -> dict[bytes, bytes | None] | None:
        self.expect(b" ")
        if self.peek().upper() == b"N":
            self.expect(b"NIL")
            return None

        def pair() -> tuple[bytes, bytes | None]:
            name = self.string()
            self.expect(b" ")
            return name, self.nstring()

        return dict(self.members(pair))

    def _read_quotaroot(self) -> tuple[str, list[bytes]]:
        self.expect(b" ")
        name = self.mailbox()
        roots: list[bytes] = []
        while self.skip(b" "):
            roots.append(self.astring())
        return name, roots

    def _read_quota(self) -> tuple[bytes, dict[str, tuple[int, int]]]:
        self.expect(b" ")
        root = self.astring()
        self.expect(b" ")

        def resource() -> tuple[str, tuple[int, int]]:
            name = self.atom().upper()
            self.expect(b" ")
            used = self.number(most=2**63 - 1)
            self.expect(b" ")
            return name, (used, self.number(most=2**63 - 1))

        return root, dict(self.members(resource))

    def _read_metadata(self) -> tuple[str, dict[str, bytes | None]]:
        self.expect(b" ")
        name = self.mailbox()
        self.expect(b" ")

        def value() -> tuple[str, bytes | None]:
            entry = self.astring().decode("ascii")
            self.expect(b" ")
            return entry, self.nstring()

        return name, dict(self.members(value, 1))

    # FETCH

    def _message_data(self) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def item() -> None:
            name, value = self._attribute()
            if name in found:
                raise Violation(f"{name} twice in one FETCH")
            found[name] = value

        self.members(item, 1)
        return found

    def _attribute(self) -> tuple[str, Any]:
        name = self.run(NAME).decode("ascii").upper()
        if name == "BODY" and self.peek() == b"[":
            name += self._section()
            self.expect(b" ")
            return name, self.nstring()
        self.expect(b" ")
        readers: dict[str, Callable[[], Any]] = {
            "FLAGS": self.flags,
            "UID": lambda: self.number(least=1),
            "RFC822.SIZE": self.number,
            "INTERNALDATE": self._date_time,
            "ENVELOPE": self.envelope,
            "BODY": self.body,
            "BODYSTRUCTURE": self.body,
            "RFC822": self.nstring,
            "RFC822.HEADER": self.nstring,
            "RFC822.TEXT": self.nstring,
        }
        if name not in readers:
            raise Violation(f"unknown FETCH item {name}")
        return name, readers[name]()

    def _section(self) -> str:
        self.expect(b"[")
        found = self.run(NAME, may_be_empty=True).decode("ascii").upper()
        if not SECTION.fullmatch(found):
            raise Violation(f"section {found!r}")
        if "FIELDS" in found:
            self.expect(b" ")
            found += " (" + " ".join(name.decode("ascii").upper() for name in self.members(self.astring, 1)) + ")"
        self.expect(b"]")
        if self.skip(b"<"):
            found += f"]<{self.number()}"
            self.expect(b">")
            return f"[{found}>"
        return f"[{found}]"

    def _date_time(self) -> datetime:
        text = self.quoted().decode("ascii")
        if not re.fullmatch(r"[ 0-3]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}", text):
            raise Violation(f"not a date-time: {text}")
        return datetime.strptime(text.strip(), "%d-%b-%Y %H:%M:%S %z")

    def envelope(self) -> list[Any]:
        self.expect(b"(")
        found: list[Any] = []
        for index in range(10):
            if index:
                self.expect(b" ")
            found.append(self._addresses() if 2 <= index <= 7 else self.nstring())
        self.expect(b")")
        return found

    def _addresses(self) -> list[list[bytes | None]] | None:
        if self.peek().upper() == b"N":
            self.expect(b"NIL")
            return None
        self.expect(b"(")
        found = []
        while not self.skip(b")"):
            address = self.members(self.nstring)
            if len(address) != 4:
                raise Violation("an address has four fields")
            found.append(address)
        if not found:
            raise Violation("an empty list of addresses is NIL")
        return found

    def body(self) -> list[Any]:
        """`body`, with or without its extension data."""
        self.expect(b"(")
        if self.peek() != b"(":
            return self._single_part()
        found: list[Any] = []
        while self.peek() == b"(":
            found.append(self.body())
        self.expect(b" ")
        found.append(self.string())
        if self.skip(b" "):
            found.append(self._parameters())
            found += self._placement()
        self.expect(b")")
        return found

    def _single_part(self) -> list[Any]:
        found: list[Any] = [self.string()]
        self.expect(b" ")
        found.append(self.string())
        self.expect(b" ")
        found.append(self._parameters())
        for read in (self.nstring, self.nstring, self.string, self.number):
            self.expect(b" ")
            found.append(read())
        kind = found[0].lower(), found[1].lower()
        if kind == (b"message", b"rfc822"):
            self.expect(b" ")
            found.append(self.envelope())
            self.expect(b" ")
            found.append(self.body())
        if kind == (b"message", b"rfc822") or kind[0] == b"text":
            self.expect(b" ")
            found.append(self.number())
        if self.skip(b" "):
            found.append(self.nstring())
            found += self._placement()
        self.expect(b")")
        return found

    def _parameters(self) -> dict[bytes, bytes] | None:
        if self.peek().upper() == b"N":
            self.expect(b"NIL")
            return None
        flat = self.members(self.string, 2)
        if len(flat) % 2:
            raise Violation("parameters come in pairs")
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def _placement(self) -> list[Any]:
        """Disposition, language, location, and whatever may be added later."""
        found: list[Any] = []
        for read in (self._disposition, self._language, self.nstring):
            if not self.skip(b" "):
                return found
            found.append(read())
        return found

    def _disposition(self) -> Any:
        if self.peek() != b"(":
            self.expect(b"NIL")
            return None
        self.expect(b"(")
        kind = self.string()
        self.expect(b" ")
        parameters = self._parameters()
        self.expect(b")")
        return kind, parameters

    def _language(self) -> Any:
        return self.members(self.string, 1) if self.peek() == b"(" else self.nstring()


def mailbox_name(wire: bytes) -> str:
    """From modified UTF-7 (RFC 3501 section 5.1.3), strictly: printable ASCII stands for itself, a shifted run is never superfluous."""
    text = ""
    position = 0
    while position < len(wire):
        char = wire[position : position + 1]
        if char != b"&":
            if not 0x20 <= char[0] <= 0x7E:
                raise Violation(f"{char!r} in a mailbox name")
            text += char.decode("ascii")
            position += 1
            continue
        end = wire.find(b"-", position)
        if end < 0:
            raise Violation("a shift in a mailbox name does not end")
        text += _unshifted(wire[position + 1 : end])
        if wire[end + 1 : end + 2] == b"&" and wire[end + 2 : end + 3] != b"-" and end > position + 1:
            raise Violation("a superfluous shift in a mailbox name")
        position = end + 1
    return "INBOX" if text.upper() == "INBOX" else text


def _unshifted(encoded: bytes) -> str:
    if not encoded:
        return "&"
    text = base64.b64decode(encoded.replace(b",", b"/") + b"=" * (-len(encoded) % 4), validate=True).decode("utf-16-be")
    if any(0x20 <= ord(char) <= 0x7E for char in text):
        raise Violation("printable ASCII in a shifted run")
    return text


def wire_name(name: str) -> bytes:
    """`name` in modified UTF-7, as an IMAP quoted string."""
    found, run = bytearray(), ""
    for char in [*name, ""]:
        if char and not 0x20 <= ord(char) <= 0x7E:
            run += char
            continue
        if run:
            found += b"&" + base64.b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",") + b"-"
            run = ""
        found += char.replace("&", "&-").encode("ascii")
    return b'"' + bytes(found).replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
