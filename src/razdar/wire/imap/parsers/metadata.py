# SPDX-License-Identifier: AGPL-3.0-or-later
"""GETMETADATA and SETMETADATA (RFC 5464).

The standard's grammar and its examples disagree on whether options stand before or behind the mailbox; both are read.
"""

from razdar.wire.errors import PeerError

from .. import commands as c
from ..grammar import Cursor
from .parser import Parser

ENTRIES_MAX = 64
DEPTHS = frozenset({"0", "1", "INFINITY"})


def _entry(cursor: Cursor) -> str:
    name = cursor.text().lower()
    is_plain = name.isascii() and name.isprintable() and not set(name) & {"*", "%"}
    if not (is_plain and name.startswith("/")) or "//" in name or name.endswith("/"):
        raise PeerError("Not an entry name")  # RFC 5464 section 3.1
    return name


def _options(cursor: Cursor) -> dict[str, str | int]:
    def option() -> tuple[str, str | int]:
        name = cursor.word()
        cursor.space()
        if name == "MAXSIZE":
            return name, cursor.number()
        depth = cursor.word()
        if name != "DEPTH" or depth not in DEPTHS:
            raise PeerError("Unknown GETMETADATA option")
        return name, depth.lower()

    return dict(cursor.members(option))


def _get(tag: str, cursor: Cursor) -> c.GetMetadata:
    cursor.space()
    options: dict[str, str | int] = {}
    if cursor.is_at(b"("):
        options = _options(cursor)
        cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    if not options and cursor.is_at(b"(") and not cursor.is_at(b"(/") and not cursor.is_at(b'("'):
        options = _options(cursor)
        cursor.space()
    entries = cursor.members(lambda: _entry(cursor), ENTRIES_MAX) if cursor.is_at(b"(") else [_entry(cursor)]
    if not entries:
        raise PeerError("Which entries?")
    depth, max_size = options.get("DEPTH", "0"), options.get("MAXSIZE")
    return c.GetMetadata(tag, mailbox, tuple(entries), str(depth), None if max_size is None else int(max_size))


def _set(tag: str, cursor: Cursor) -> c.SetMetadata:
    def pair() -> tuple[str, bytes | None]:
        name = _entry(cursor)
        cursor.space()
        return name, cursor.nstring()

    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    values = cursor.members(pair, ENTRIES_MAX)
    if not values:
        raise PeerError("Which entries?")
    return c.SetMetadata(tag, mailbox, tuple(values))


PARSERS: dict[str, Parser] = {"GETMETADATA": _get, "SETMETADATA": _set}
