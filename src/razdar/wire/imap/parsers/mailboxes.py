# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands about whole mailboxes (RFC 3501 section 6.3 and the ends of 6.4), ENABLE, NAMESPACE, IDLE, COMPRESS."""

from collections.abc import Callable

from razdar.wire.errors import PeerError

from .. import commands as c
from ..grammar import Cursor
from .parser import Parser

STATUS_ITEMS = frozenset({"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE", "DELETED"})


def status_items(cursor: Cursor) -> tuple[str, ...]:
    """`(UIDNEXT MESSAGES)`, each once."""
    items = dict.fromkeys(cursor.members(cursor.word))
    if not items or not STATUS_ITEMS.issuperset(items):
        raise PeerError("Unknown STATUS item")
    return tuple(items)


def _one(command: Callable[[str, str], c.Command]) -> Callable[[str, Cursor], c.Command]:
    def parse(tag: str, cursor: Cursor) -> c.Command:
        cursor.space()
        return command(tag, cursor.mailbox())

    return parse


def _select(*, is_read_only: bool) -> Callable[[str, Cursor], c.Command]:
    def parse(tag: str, cursor: Cursor) -> c.Command:
        cursor.space()
        return c.Select(tag, cursor.mailbox(), is_read_only)

    return parse


def _rename(tag: str, cursor: Cursor) -> c.Rename:
    cursor.space()
    source = cursor.mailbox()
    cursor.space()
    return c.Rename(tag, source, cursor.mailbox())


def _status(tag: str, cursor: Cursor) -> c.Status:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return c.Status(tag, mailbox, status_items(cursor))


def _enable(tag: str, cursor: Cursor) -> c.Enable:
    names: list[str] = []
    while cursor.skip(b" "):
        names.append(cursor.word())
    if not names:
        raise PeerError("Enable what?")
    return c.Enable(tag, tuple(names))


def _compress(tag: str, cursor: Cursor) -> c.Compress:
    cursor.space()
    return c.Compress(tag, cursor.word())


PARSERS: dict[str, Parser] = {
    "SELECT": _select(is_read_only=False),
    "EXAMINE": _select(is_read_only=True),
    "CREATE": _one(c.Create),
    "DELETE": _one(c.Delete),
    "SUBSCRIBE": _one(c.Subscribe),
    "UNSUBSCRIBE": _one(c.Unsubscribe),
    "RENAME": _rename,
    "STATUS": _status,
    "NAMESPACE": lambda tag, _: c.Namespace(tag),
    "ENABLE": _enable,
    "IDLE": lambda tag, _: c.Idle(tag),
    "COMPRESS": _compress,
    "CHECK": lambda tag, _: c.Check(tag),
    "CLOSE": lambda tag, _: c.Close(tag),
    "UNSELECT": lambda tag, _: c.Unselect(tag),
}
