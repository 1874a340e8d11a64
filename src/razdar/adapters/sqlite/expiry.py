# SPDX-License-Identifier: AGPL-3.0-or-later
"""What goes because its relay day has come, in slices, so that deliveries pass in between.

There is no index by day (it would be one more thing on the disk that tells when), so a slice reads a part of the table. That is once a
day.
"""

import sqlite3

from razdar.model.ids import AccountId

from .accounts import delete_account
from .rows import unpacked

FIRST: bytes | None = b""
"""Where the first slice starts."""
ACCOUNTS_AT_ONCE = 500
PAGES_AT_ONCE = 4096

_SLICE_END = "SELECT id FROM account WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"
# rounded up, so that nobody's mailbox looks emptier than it is
_SHRINK = """
UPDATE mailbox SET used = (used * (total - gone) + total - 1) / total FROM (
    SELECT account AS a, folder AS f, count(*) AS total, sum(expires <= :day) AS gone FROM entry
    WHERE account > :start AND account <= :end GROUP BY account, folder HAVING gone > 0)
WHERE account = a AND folder = f
"""
_ENTRIES = "DELETE FROM entry WHERE account > :start AND account <= :end AND expires <= :day"
_ACCOUNTS = "SELECT json_group_array(hex(id)) FROM account WHERE id > :start AND id <= :end AND expires <= :day"
_LAST = b"\xff" * 17


def expire_accounts(connection: sqlite3.Connection, day: int, start: bytes) -> tuple[int, bytes | None]:
    """Entries and accounts of one slice of the accounts: how many rows went, and where the next slice starts, if there is one."""
    found = connection.execute(_SLICE_END, (start, ACCOUNTS_AT_ONCE - 1)).fetchone()
    bounds = {"day": day, "start": start, "end": _LAST if found is None else found[0]}
    connection.execute(_SHRINK, bounds)
    gone = connection.execute(_ENTRIES, bounds).rowcount
    for account in unpacked(connection.execute(_ACCOUNTS, bounds).fetchone()):
        gone += delete_account(connection, AccountId(bytes.fromhex(account)))
    return gone, None if found is None else found[0]


def body_slices(connection: sqlite3.Connection) -> int:
    """Into how many slices the bodies are cut. Their ids are random, so equal ranges hold about equally many."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    return 1 + int(pages) // PAGES_AT_ONCE


def expire_bodies(connection: sqlite3.Connection, day: int, number: int, slices: int) -> int:
    """Bodies of one slice: how many went."""
    width = 2**63 // slices + 1
    bounds = (number * width, min((number + 1) * width - 1, 2**63 - 1), day)
    connection.execute("DELETE FROM large WHERE id BETWEEN ? AND ? AND (SELECT expires FROM body WHERE body.id = large.id) <= ?", bounds)
    return connection.execute("DELETE FROM body WHERE id BETWEEN ? AND ? AND expires <= ?", bounds).rowcount


def expire_small(connection: sqlite3.Connection, day: int) -> int:
    """Tokens and invites: how many went."""
    tokens = connection.execute("DELETE FROM token WHERE expires <= ?", (day,)).rowcount
    return tokens + connection.execute("DELETE FROM invite WHERE expires <= ?", (day,)).rowcount
