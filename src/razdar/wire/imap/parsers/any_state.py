# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands of any state: CAPABILITY, NOOP, LOGOUT (RFC 3501 section 6.1), ID (RFC 2971)."""

from .. import commands as c
from ..grammar import Cursor, as_text
from .parser import Parser

ID_PARAMETERS_MAX = 30  # RFC 2971 section 3.3


def _id(tag: str, cursor: Cursor) -> c.Id:
    cursor.space()
    if cursor.skip_word("NIL"):
        return c.Id(tag)

    def pair() -> tuple[str, str | None]:
        name = as_text(cursor.string())
        cursor.space()
        value = cursor.nstring()
        return name, None if value is None else as_text(value)

    return c.Id(tag, tuple(cursor.members(pair, ID_PARAMETERS_MAX)))


PARSERS: dict[str, Parser] = {
    "CAPABILITY": lambda tag, _: c.Capability(tag),
    "NOOP": lambda tag, _: c.Noop(tag),
    "LOGOUT": lambda tag, _: c.Logout(tag),
    "ID": _id,
}
