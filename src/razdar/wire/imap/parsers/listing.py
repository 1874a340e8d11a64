# SPDX-License-Identifier: AGPL-3.0-or-later
"""LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9) with the options of RFC 5258, 5819 and 6154."""

from razdar.wire.errors import PeerError

from .. import commands as c
from ..grammar import LIST_ATOM, Cursor
from ..mailbox_name import decode_text
from .mailboxes import status_items
from .parser import Parser

PATTERNS_MAX = 20
PATTERN_CHARS_MAX = 1000
"""Of all patterns together: each is tried on every name."""
SELECTION_OPTIONS = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
RETURN_OPTIONS = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"})


def _pattern(cursor: Cursor) -> str:
    return decode_text(cursor.astring(LIST_ATOM))


def _list(tag: str, cursor: Cursor) -> c.List:
    cursor.space()
    selection: frozenset[str] = frozenset()
    if cursor.is_at(b"("):
        selection = frozenset(cursor.members(cursor.word))
        cursor.space()
    reference = decode_text(cursor.astring())
    cursor.space()
    patterns = cursor.members(lambda: _pattern(cursor), PATTERNS_MAX) if cursor.is_at(b"(") else [_pattern(cursor)]
    if sum(map(len, patterns)) > PATTERN_CHARS_MAX:
        raise PeerError("Too long a pattern")
    returns, items = _returns(cursor)
    if selection - SELECTION_OPTIONS or returns - RETURN_OPTIONS:
        raise PeerError("Unknown LIST option")
    if "RECURSIVEMATCH" in selection and not selection & {"SUBSCRIBED", "SPECIAL-USE"}:
        raise PeerError("RECURSIVEMATCH needs something to match")  # RFC 5258 section 3.1
    return c.List(tag, reference, tuple(patterns), False, selection, returns, items)


def _returns(cursor: Cursor) -> tuple[frozenset[str], tuple[str, ...]]:
    items: tuple[str, ...] = ()

    def option() -> str:
        nonlocal items
        name = cursor.word()
        if name == "STATUS":
            cursor.space()
            items = status_items(cursor)
        return name

    if not cursor.skip(b" "):
        return frozenset(), ()
    if cursor.word() != "RETURN":
        raise PeerError("Syntax error: RETURN expected")
    cursor.space()
    return frozenset(cursor.members(option)), items


def _lsub(tag: str, cursor: Cursor) -> c.List:
    cursor.space()
    reference = decode_text(cursor.astring())
    cursor.space()
    return c.List(tag, reference, (_pattern(cursor),), is_lsub=True)


PARSERS: dict[str, Parser] = {"LIST": _list, "LSUB": _lsub}
