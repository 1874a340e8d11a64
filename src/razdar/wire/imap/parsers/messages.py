# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands that change the messages of the selected mailbox: STORE, COPY, MOVE, EXPUNGE (RFC 3501 section 6.4, RFC 4315, RFC 6851)."""

from functools import partial

from razdar.wire.errors import PeerError

from .. import commands as c
from ..grammar import LIST_MAX, SEQUENCE, Cursor, stored_flags
from ..sequence import SequenceSet, parse
from .parser import Parser


def sequence(cursor: Cursor) -> SequenceSet:
    """A sequence set."""
    return parse(cursor.want(SEQUENCE, "a message set"), cursor.limits.ranges)


def _store(tag: str, cursor: Cursor, *, by_uid: bool) -> c.Store:
    cursor.space()
    ids = sequence(cursor)
    cursor.space()
    name = cursor.word()
    is_silent = name.endswith(".SILENT")
    try:
        action = c.StoreAction(name.removesuffix(".SILENT"))
    except ValueError:
        raise PeerError("Unknown STORE item") from None
    cursor.space()
    flags = cursor.members(cursor.flag) if cursor.is_at(b"(") else _bare_flags(cursor)
    return c.Store(tag, ids, action, is_silent, stored_flags(flags), by_uid)


def _bare_flags(cursor: Cursor) -> list[str]:
    flags = [cursor.flag()]
    while cursor.skip(b" "):
        flags.append(cursor.flag())
        if len(flags) > LIST_MAX:
            raise PeerError("Too many flags")
    return flags


def _transfer(tag: str, cursor: Cursor) -> tuple[str, SequenceSet, str]:
    cursor.space()
    ids = sequence(cursor)
    cursor.space()
    return tag, ids, cursor.mailbox()


def _uid_expunge(tag: str, cursor: Cursor) -> c.Expunge:
    cursor.space()
    return c.Expunge(tag, sequence(cursor))


PARSERS: dict[str, Parser] = {
    "STORE": partial(_store, by_uid=False),
    "COPY": lambda tag, cursor: c.Copy(*_transfer(tag, cursor)),
    "MOVE": lambda tag, cursor: c.Move(*_transfer(tag, cursor)),
    "EXPUNGE": lambda tag, _: c.Expunge(tag),
}
UID_PARSERS: dict[str, Parser] = {
    "STORE": partial(_store, by_uid=True),
    "COPY": lambda tag, cursor: c.Copy(*_transfer(tag, cursor), by_uid=True),
    "MOVE": lambda tag, cursor: c.Move(*_transfer(tag, cursor), by_uid=True),
    "EXPUNGE": _uid_expunge,
}
