# SPDX-License-Identifier: AGPL-3.0-or-later
"""Everything that only looks. One row comes back from each statement, for the reason given in rows.py."""

import sqlite3
from collections.abc import Mapping, Sequence

from razdar.model.ids import UID_NEXT_MAX, AccountId, BodyId, MailboxId, Uid
from razdar.ports.store import NEVER, USED_UP, AccountRecord, Entry, MailboxRecord, Recipient

from .accounts import ACCOUNT_COLUMNS
from .rows import Strip, packed, unpacked

_RECIPIENTS = """
SELECT json_group_array(json_array(key, hex(public_key), (
    SELECT max(sum(used), max(folder = 0 AND uid_next >= :last) * :full) FROM mailbox WHERE mailbox.account = account.id)))
FROM json_each(:rows) JOIN account ON account.id = substr(:strip, value, 16)
"""
_MAILBOXES = """
SELECT folder, uid_validity, uid_next, sealed, (
    SELECT count(*) FROM (SELECT 1 FROM entry WHERE entry.account = m.account AND entry.folder = m.folder LIMIT ?))
FROM mailbox AS m WHERE account = ?
"""
_ALL = -1  # to SQLite, no limit
_ENTRIES = """
SELECT json_group_array(json_array(uid, hex(seal), expires)) FROM (
    SELECT uid, seal, expires FROM entry WHERE account = ? AND folder = ?{some} ORDER BY uid)
"""
_ALL_ENTRIES = _ENTRIES.format(some="")
_SOME_ENTRIES = _ENTRIES.format(some=" AND uid IN (SELECT value FROM json_each(?))")
_UIDS = "SELECT json_group_array(uid) FROM (SELECT uid FROM entry WHERE account = ? AND folder = ? ORDER BY uid LIMIT ?)"


def account(connection: sqlite3.Connection, wanted: AccountId) -> AccountRecord | None:
    row = connection.execute(f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = ?", (wanted,)).fetchone()  # noqa: S608
    return None if row is None else AccountRecord(*row)


def recipients(connection: sqlite3.Connection, accounts: Sequence[AccountId]) -> Mapping[AccountId, Recipient]:
    strip = Strip()
    rows = packed(strip.add(account) for account in accounts)
    bound = {"rows": rows, "strip": strip.joined(), "last": UID_NEXT_MAX, "full": USED_UP}
    found = unpacked(connection.execute(_RECIPIENTS, bound).fetchone())
    return {accounts[key]: Recipient(bytes.fromhex(public_key), used) for key, public_key, used in found}


def mailboxes(connection: sqlite3.Connection, account: AccountId) -> Sequence[MailboxRecord]:
    rows = connection.execute(_MAILBOXES + " ORDER BY folder", (_ALL, account)).fetchall()
    return [_mailbox(account, *row) for row in rows]


def mailbox(connection: sqlite3.Connection, wanted: MailboxId, at_most: int = _ALL) -> MailboxRecord | None:
    """`messages` counts up to `at_most`, and no more rows than that are touched."""
    row = connection.execute(_MAILBOXES + " AND folder = ?", (at_most, *wanted)).fetchone()
    return None if row is None else _mailbox(wanted.account, *row)


def _mailbox(account: AccountId, folder: int, uid_validity: int, uid_next: int, sealed: bytes | None, messages: int) -> MailboxRecord:
    return MailboxRecord(MailboxId(account, folder), uid_validity, Uid(uid_next), messages, sealed)


def entries(connection: sqlite3.Connection, mailbox: MailboxId, uids: Sequence[Uid] | None) -> Sequence[Entry]:
    statement, bound = (_ALL_ENTRIES, mailbox) if uids is None else (_SOME_ENTRIES, (*mailbox, packed(uids)))
    found = unpacked(connection.execute(statement, bound).fetchone())
    return [Entry(Uid(uid), bytes.fromhex(seal), expires) for uid, seal, expires in found]


def uids(connection: sqlite3.Connection, mailbox: MailboxId, at_most: int = _ALL) -> Sequence[Uid]:
    """The lowest `at_most`."""
    found: list[Uid] = unpacked(connection.execute(_UIDS, (*mailbox, at_most)).fetchone())
    return found


def body(connection: sqlite3.Connection, wanted: BodyId) -> bytes | None:
    row = connection.execute(
        "SELECT coalesce((SELECT blob FROM large WHERE large.id = body.id), blob) FROM body WHERE id = ?", (wanted,)
    ).fetchone()
    return None if row is None else row[0]


def minutes(connection: sqlite3.Connection) -> int:
    """See `Store.minutes`."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'minutes'").fetchone()
    return 0 if row is None else int(row[0])


def day(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("SELECT value FROM meta WHERE key = 'day'").fetchone()
    return int(found)


def tokens(connection: sqlite3.Connection, account: AccountId) -> Sequence[bytes]:
    return [token for (token,) in connection.execute("SELECT token FROM token WHERE account = ? ORDER BY token", (account,)).fetchall()]


def invite_uses(connection: sqlite3.Connection, digest: bytes) -> int:
    row = connection.execute("SELECT uses FROM invite WHERE digest = ?", (digest,)).fetchone()
    return 0 if row is None else int(row[0])


def counts(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Accounts, entries, bodies."""
    found: tuple[int, int, int] = connection.execute(
        f"SELECT (SELECT count(*) FROM account WHERE expires <> {NEVER}), "  # noqa: S608
        "(SELECT count(*) FROM entry), (SELECT count(*) FROM body)"
    ).fetchone()
    return found
