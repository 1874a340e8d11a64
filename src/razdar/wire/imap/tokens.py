# SPDX-License-Identifier: AGPL-3.0-or-later
"""The lexical tokens of structured header fields (RFC 5322 section 3.2, RFC 2045 section 5.1), lazily and in linear time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class TokenKind(Enum):
    """What kind of token."""

    ATOM = "atom"
    QUOTED = "quoted string"
    COMMENT = "comment"
    LITERAL = "domain literal"
    SPECIAL = "special"


@dataclass(frozen=True, slots=True)
class Token:
    """`text` without quotes and parentheses."""

    kind: TokenKind
    text: bytes


_TOKEN = re.compile(
    rb"[ \t\r\n]*+(?:(?P<atom>[^ \t\r\n()<>\[\]:;,@\\\"=]++)"
    rb"|\"(?P<quoted>[^\"\\]*+(?:\\.[^\"\\]*+)*+)(?:\"|$)"
    rb"|(?P<literal>\[[^\]]*+(?:\]|$))"
    rb"|(?P<comment>\()"
    rb"|(?P<special>.))",
    re.DOTALL,
)
_COMMENT_PIECE = re.compile(rb"[^()\\]++|\\.|[()]|\\$", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def tokens(text: bytes) -> Iterator[Token]:
    """One after the other; what is open at the end is taken as closed."""
    position = 0
    while (found := _TOKEN.match(text, position)) is not None:
        position = found.end()
        if found["comment"] is not None:
            start = position
            position = _comment_end(text, position)
            yield Token(TokenKind.COMMENT, text[start : position - 1] if text[position - 1 : position] == b")" else text[start:])
        elif found["atom"] is not None:
            yield Token(TokenKind.ATOM, found["atom"])
        elif found["quoted"] is not None:
            yield Token(TokenKind.QUOTED, _ESCAPED.sub(rb"\1", found["quoted"]))
        elif found["literal"] is not None:
            yield Token(TokenKind.LITERAL, found["literal"])
        else:
            yield Token(TokenKind.SPECIAL, found["special"])


def _comment_end(text: bytes, position: int) -> int:
    """Behind the parenthesis that closes the one before `position`; comments nest, counted, not recursed into."""
    depth = 1
    while depth and (piece := _COMMENT_PIECE.match(text, position)) is not None:
        position = piece.end()
        depth += {b"(": 1, b")": -1}.get(piece[0], 0)
    return position
