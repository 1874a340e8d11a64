# SPDX-License-Identifier: AGPL-3.0-or-later
"""ENVELOPE (RFC 3501 section 7.4.2): ten header fields as a parenthesised list. Addresses are read leniently and bounded in number."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import header
from .responses import nstring, parenthesised
from .tokens import Token, TokenKind, tokens

ADDRESSES_MAX = 1000  # per field (VECTORS "MIME": 10^5 addresses)

_TEXTS = (b"date", b"subject")
_LISTS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
_IDS = (b"in-reply-to", b"message-id")
_NAMES = frozenset(_TEXTS + _LISTS + _IDS)


def envelope(message_header: bytes) -> bytes:
    """The whole list. A missing Sender or Reply-To is From."""
    found = header.values(message_header, _NAMES)
    lists = {name: address_list(found.get(name, b"")) for name in _LISTS}
    for name in (b"sender", b"reply-to"):
        if lists[name] == b"NIL":
            lists[name] = lists[b"from"]
    texts = [nstring(found.get(name)) for name in _TEXTS]
    return parenthesised([*texts, *(lists[name] for name in _LISTS), *(nstring(found.get(name)) for name in _IDS)])


def address_list(value: bytes) -> bytes:
    """`((name NIL mailbox host)…)`, or NIL. A group begins with (NIL NIL name NIL) and ends with four NILs."""
    written = []
    for name, mailbox, host in addresses(value):
        written.append(parenthesised([nstring(name), b"NIL", nstring(mailbox), nstring(host)]))
        if len(written) == ADDRESSES_MAX:
            break
    return b"(" + b"".join(written) + b")" if written else b"NIL"


Address = tuple[bytes | None, bytes | None, bytes | None]
"""Display name, mailbox, host."""


@dataclass(slots=True)
class _Reading:
    """One address under way."""

    words: list[bytes] = field(default_factory=list)
    plain: list[bytes] = field(default_factory=list)
    angle: list[bytes] | None = None
    is_in_angle: bool = False
    comment: bytes | None = None

    def take(self, token: Token) -> None:
        if token.kind is TokenKind.COMMENT:
            self.comment = token.text
        elif token.text == b"<" and token.kind is TokenKind.SPECIAL:
            self.angle, self.is_in_angle = [], True
        elif token.text == b">" and token.kind is TokenKind.SPECIAL:
            self.is_in_angle = False
        elif self.is_in_angle and self.angle is not None:
            self.angle.append(token.text)
            if token == Token(TokenKind.SPECIAL, b":"):  # a source route ends here (RFC 5322 section 4.4)
                self.angle.clear()
        else:
            self.words.append(token.text)
            self.plain.append(token.text)

    def address(self) -> Address | None:
        specification = b"".join(self.plain if self.angle is None else self.angle)
        if not specification and not self.words:
            return None
        mailbox, at, host = specification.rpartition(b"@")
        if not at:
            mailbox, host = specification, b""
        name = self.comment if self.angle is None else b" ".join(self.words) or self.comment
        return name, mailbox, host


def addresses(value: bytes) -> Iterator[Address]:
    """Lazily, group marks included."""
    reading = _Reading()
    for token in tokens(value):
        mark = token.text if token.kind is TokenKind.SPECIAL and not reading.is_in_angle else b""
        if mark not in (b",", b";", b":"):
            reading.take(token)
            continue
        done, words = reading.address(), reading.words
        reading = _Reading()
        if mark == b":":
            yield None, b" ".join(words), None
            continue
        if done is not None:
            yield done
        if mark == b";":
            yield None, None, None
    last = reading.address()
    if last is not None:
        yield last
