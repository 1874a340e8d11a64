# SPDX-License-Identifier: AGPL-3.0-or-later
"""SEARCH and UID SEARCH (RFC 3501 section 6.4.4), with RETURN (RFC 4731).

How deep keys nest, how many there are and how many of them read the message is bounded (`GrammarLimits`), as each may be tried on every
message.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from razdar.wire.errors import PeerError

from .. import commands as c
from .. import search_keys as k
from ..dates import parse_date
from ..fault import Declined
from ..grammar import ATOM, SEQUENCE, Cursor
from ..sequence import parse
from .messages import sequence
from .parser import Parser

T = TypeVar("T")
RETURNS = frozenset({"MIN", "MAX", "ALL", "COUNT"})
CHARSETS = frozenset({"US-ASCII", "UTF-8"})

_FLAG_KEYS = {
    "ANSWERED": "\\Answered",
    "DELETED": "\\Deleted",
    "DRAFT": "\\Draft",
    "FLAGGED": "\\Flagged",
    "SEEN": "\\Seen",
    "RECENT": "\\Recent",
}
_PLAIN: dict[str, k.SearchKey] = {
    "ALL": k.Everything(),
    "NEW": k.And((k.HasFlag("\\Recent"), k.HasFlag("\\Seen", is_set=False))),
    "OLD": k.HasFlag("\\Recent", is_set=False),
    **{name: k.HasFlag(flag) for name, flag in _FLAG_KEYS.items()},
    **{f"UN{name}": k.HasFlag(flag, is_set=False) for name, flag in _FLAG_KEYS.items() if name != "RECENT"},
}
_HEADERS = frozenset({"BCC", "CC", "FROM", "SUBJECT", "TO"})


class _Keys:
    """Reads keys and counts them."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._count = 0
        self._texts = 0

    def row(self, depth: int) -> k.SearchKey:
        """`key key key` up to a closing parenthesis or the end."""
        keys = [self.key(depth)]
        while self._cursor.skip(b" "):
            keys.append(self.key(depth))
        return keys[0] if len(keys) == 1 else k.And(tuple(keys))

    def key(self, depth: int) -> k.SearchKey:
        """One key."""
        cursor = self._cursor
        self._count += 1
        if depth > cursor.limits.nesting or self._count > cursor.limits.search_keys:
            raise PeerError("Too many search keys, or too deeply nested")
        if cursor.skip(b"("):
            row = self.row(depth + 1)
            cursor.expect(b")")
            return row
        numbers = cursor.match(SEQUENCE)
        if numbers is not None:
            return k.Among(parse(numbers, cursor.limits.ranges), by_uid=False)
        return self._named(cursor.want(ATOM, "a search key").decode("ascii").upper(), depth)

    def _named(self, name: str, depth: int) -> k.SearchKey:
        if name in _PLAIN:
            return _PLAIN[name]
        if name == "NOT":
            return k.Not(self._argument(lambda: self.key(depth + 1)))
        if name == "OR":
            first = self._argument(lambda: self.key(depth + 1))
            return k.Or(first, self._argument(lambda: self.key(depth + 1)))
        return self._with_argument(name)

    def _with_argument(self, name: str) -> k.SearchKey:
        cursor, argument = self._cursor, self._argument
        if name in ("KEYWORD", "UNKEYWORD"):
            return k.HasFlag(argument(cursor.flag), is_set=name == "KEYWORD")
        if name in _HEADERS:
            return k.HasHeader(name, argument(cursor.text))
        if name == "HEADER":
            field = argument(cursor.text)
            return k.HasHeader(field.upper(), argument(cursor.text))
        if name in ("TEXT", "BODY"):
            self._texts += 1
            if self._texts > cursor.limits.search_texts:
                raise PeerError("Too many texts to search for")
            return k.HasText(argument(cursor.text), only_body=name == "BODY")
        if name in ("LARGER", "SMALLER"):
            return k.Sized(name == "LARGER", argument(cursor.number))
        if name == "UID":
            return k.Among(argument(lambda: sequence(cursor)), by_uid=True)
        return self._dated(name)

    def _dated(self, name: str) -> k.SearchKey:
        try:
            side = k.DateSide(name.removeprefix("SENT"))
        except ValueError:
            raise PeerError("Unknown search key") from None
        return k.Dated(side, parse_date(self._argument(self._cursor.astring)), name.startswith("SENT"))

    def _argument(self, read: Callable[[], T]) -> T:
        self._cursor.space()
        return read()


def _search(tag: str, cursor: Cursor, *, by_uid: bool) -> c.Search:
    cursor.space()
    returns = _returns(cursor)
    charset: str | None = None
    if cursor.skip_word("CHARSET"):
        cursor.space()
        charset = cursor.text().upper()
        cursor.space()
        if charset not in CHARSETS:
            raise Declined("Not in this charset", "BADCHARSET (US-ASCII UTF-8)")
    return c.Search(tag, charset, _Keys(cursor).row(0), by_uid, returns)


def _returns(cursor: Cursor) -> frozenset[str] | None:
    """None without RETURN; `RETURN ()` means ALL (RFC 4731 section 3.1)."""
    if not cursor.skip_word("RETURN"):
        return None
    cursor.space()
    returns = frozenset(cursor.members(cursor.word))
    if returns - RETURNS:
        raise PeerError("Unknown SEARCH option")
    cursor.space()
    return returns or frozenset({"ALL"})


PARSERS: dict[str, Parser] = {"SEARCH": partial(_search, by_uid=False)}
UID_PARSERS: dict[str, Parser] = {"SEARCH": partial(_search, by_uid=True)}
