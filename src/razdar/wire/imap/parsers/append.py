# SPDX-License-Identifier: AGPL-3.0-or-later
"""APPEND (RFC 3501 section 6.3.11). The message is the framer's one large literal."""

from razdar.wire.errors import PeerError

from .. import commands as c
from ..dates import parse_date_time
from ..grammar import Cursor, stored_flags
from .parser import Parser


def _append(tag: str, cursor: Cursor) -> c.Append:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    flags: list[str] = []
    if cursor.is_at(b"("):
        flags = cursor.members(cursor.flag)
        cursor.space()
    date: int | None = None
    if cursor.is_at(b'"'):
        date = parse_date_time(cursor.string())
        cursor.space()
    if not cursor.is_at_literal:
        raise PeerError("Syntax error: the message is a literal")
    return c.Append(tag, mailbox, stored_flags(flags), date, cursor.string())


PARSERS: dict[str, Parser] = {"APPEND": _append}
