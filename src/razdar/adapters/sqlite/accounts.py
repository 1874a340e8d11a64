# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts and their folders: made, changed, deleted."""

import sqlite3

from razdar.model.ids import INBOX, AccountId, MailboxId, Uid
from razdar.ports.store import AccountRecord, MailboxRecord

ACCOUNT_COLUMNS = "id, salt, public_key, locked_key, expires"


def create_account(connection: sqlite3.Connection, record: AccountRecord, uid_validity: int) -> AccountRecord:
    """See `Store.create_account`. `uid_validity` is for its INBOX."""
    if _insert_account(connection, record, uid_validity):
        return record
    found = connection.execute(f"SELECT {ACCOUNT_COLUMNS} FROM account WHERE id = ?", (record.id,)).fetchone()  # noqa: S608
    return AccountRecord(*found)


def _insert_account(connection: sqlite3.Connection, record: AccountRecord, uid_validity: int) -> bool:
    values = (record.id, record.salt, record.public_key, record.locked_key, record.expires)
    if connection.execute("INSERT OR IGNORE INTO account VALUES (?, ?, ?, ?, ?, 0)", values).rowcount == 0:
        return False
    connection.execute("INSERT INTO mailbox VALUES (?, ?, ?, 1, 0, NULL)", (record.id, INBOX, uid_validity))
    return True


def claim_invite(connection: sqlite3.Connection, digest: bytes, record: AccountRecord, uid_validity: int) -> bool:
    """See `Store.claim_invite`."""
    row = connection.execute("SELECT 1 FROM invite WHERE digest = ? AND uses > 0", (digest,)).fetchone()
    if row is None or not _insert_account(connection, record, uid_validity):
        return False
    connection.execute("UPDATE invite SET uses = uses - 1 WHERE digest = ?", (digest,))
    return True


def replace_login(connection: sqlite3.Connection, account: AccountId, salt: bytes, locked_key: bytes) -> bool:
    """See `Store.replace_login`."""
    return connection.execute("UPDATE account SET salt = ?, locked_key = ? WHERE id = ?", (salt, locked_key, account)).rowcount == 1


def prolong_account(connection: sqlite3.Connection, account: AccountId, expires: int) -> None:
    """See `Store.prolong_account`."""
    connection.execute("UPDATE account SET expires = ?2 WHERE id = ?1 AND expires < ?2", (account, expires))


def delete_account(connection: sqlite3.Connection, account: AccountId) -> int:
    """How many rows went that count in `Store.expire`: the account, its entries, its tokens. 0: there was none."""
    if connection.execute("DELETE FROM account WHERE id = ?", (account,)).rowcount == 0:
        return 0
    connection.execute("DELETE FROM mailbox WHERE account = ?", (account,))
    entries = connection.execute("DELETE FROM entry WHERE account = ?", (account,)).rowcount
    return 1 + entries + connection.execute("DELETE FROM token WHERE account = ?", (account,)).rowcount


def create_mailbox(connection: sqlite3.Connection, account: AccountId, sealed: bytes) -> MailboxRecord | None:
    """See `Store.create_mailbox`. UIDVALIDITY is the INBOX's plus the folder number, and a restore moves both."""
    made = connection.execute(
        "UPDATE account SET folders_made = folders_made + 1 WHERE id = ? RETURNING folders_made", (account,)
    ).fetchall()
    if not made:
        return None
    ((folder,),) = made
    (inbox,) = connection.execute("SELECT uid_validity FROM mailbox WHERE account = ? AND folder = ?", (account, INBOX)).fetchone()
    connection.execute("INSERT INTO mailbox VALUES (?, ?, ?, 1, 0, ?)", (account, folder, inbox + folder, sealed))
    return MailboxRecord(MailboxId(account, folder), inbox + folder, Uid(1), 0, sealed)


def reseal_mailbox(connection: sqlite3.Connection, mailbox: MailboxId, sealed: bytes) -> bool:
    """See `Store.reseal_mailbox`."""
    return connection.execute("UPDATE mailbox SET sealed = ? WHERE account = ? AND folder = ?", (sealed, *mailbox)).rowcount == 1
