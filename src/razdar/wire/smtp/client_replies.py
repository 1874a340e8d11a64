# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server says, read by its client: whole replies out of lines, and the extensions that EHLO's reply announces.

A reply is bounded in lines and bytes, its lines carry one code, and nothing but CRLF ends a line (RFC 5321 section 4.2.1). Anything else is
the peer's error. Texts are cut and made printable ASCII here, once, because they end up in reports to people.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from razdar.model.verdict import Refusal
from razdar.wire.errors import PeerError
from razdar.wire.frames import LineFramer

LINE_BYTES = 2_048
"""RFC 5321 section 4.5.3.1.5 says 512; some servers put a link into a refusal."""
LINES = 100
"""Of one reply; EHLO has about fifteen."""
TEXT_MAX = 300
"""Characters of a reply that are kept."""

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?: +|$)", re.ASCII)
_CODED = re.compile(r"([45][0-9]{2})[ -]")


class MalformedReply(PeerError):  # noqa: N818 - named for what the peer did
    """Not a reply of SMTP."""

    def __init__(self) -> None:
        super().__init__("malformed reply")


@dataclass(frozen=True, slots=True)
class ServerReply:
    """One reply; `lines` without codes, as bytes that nobody has looked at."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def kind(self) -> int:
        """2 done, 3 go on, 4 not now, 5 no."""
        return self.code // 100


class ReplyReader:
    """Collects the lines of one reply after the other. After a PeerError it must not be used any more."""

    __slots__ = ("_code", "_framer", "_lines")

    def __init__(self) -> None:
        self._framer = LineFramer(LINE_BYTES)
        self._lines: list[bytes] = []
        self._code = 0

    @property
    def is_empty(self) -> bool:
        """Nothing was received that has not been given out."""
        return not self._lines and not len(self._framer)

    def feed(self, data: bytes) -> None:
        """`data` waits behind what was fed before."""
        self._framer.feed(data)

    def next_reply(self) -> ServerReply | None:
        """The next whole reply, or None if it is not complete yet. PeerError if it is none."""
        while (line := self._framer.next_line()) is not None:
            found = _LINE.fullmatch(line)
            if found is None or (self._lines and int(found[1]) != self._code) or len(self._lines) >= LINES:
                raise MalformedReply
            self._code = int(found[1])
            self._lines.append(found[3] or b"")
            if found[2] != b"-":
                lines, self._lines = tuple(self._lines), []
                return ServerReply(self._code, lines)
        return None


def refusal(reply: ServerReply) -> Refusal:
    """A 4yz or 5yz reply as a value. An enhanced code of another class than the reply's is not believed (RFC 2034 section 4)."""
    texts = [line.decode("latin-1") for line in reply.lines]
    found = _ENHANCED.match(texts[0])
    own = found[0].strip() if found and int(found[1]) == reply.kind else f"{reply.kind}.0.0"
    bare = [_ENHANCED.sub("", text, count=1) for text in texts]
    return Refusal(reply.code, own, _printable(" ".join(bare)))


def refusal_in_text(text: bytes) -> Refusal | None:
    """A refusal that came in the body of an HTTP answer (`/mxdeliv`); None if there is no 4yz or 5yz reply in it."""
    lines = text[: TEXT_MAX * 4].decode("latin-1").splitlines() or [""]
    if _CODED.match(lines[0]) is None:
        return None
    return refusal(ServerReply(int(lines[0][:3]), (lines[0][4:].encode("latin-1"),)))


def _printable(text: str) -> str:
    clean = "".join(char if " " <= char <= "~" else "?" for char in text)
    return clean.strip()[:TEXT_MAX]


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the server can do beyond RFC 5321."""

    starttls: bool = False
    pipelining: bool = False
    eight_bit: bool = False
    utf8: bool = False
    has_size: bool = False
    size_bytes: int = 0
    """0: no limit is known (RFC 1870 section 4)."""
    recipients_max: int = 0
    """Of one transaction, LIMITS RCPTMAX (RFC 9422); 0: unknown."""


def extensions(lines: Sequence[bytes]) -> Extensions:
    """Of a reply to EHLO; the first line is the server's name. What cannot be read is as if it were not there."""
    words = {parts[0].upper(): parts[1:] for line in lines[1:] if (parts := line.decode("latin-1").split())}
    limits = dict(each.upper().partition("=")[::2] for each in words.get("LIMITS", []))
    return Extensions(
        starttls="STARTTLS" in words,
        pipelining="PIPELINING" in words,
        eight_bit="8BITMIME" in words,
        utf8="SMTPUTF8" in words,
        has_size="SIZE" in words,
        size_bytes=_number(next(iter(words.get("SIZE", [])), "")),
        recipients_max=_number(limits.get("RCPTMAX", "")),
    )


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else 0
