# SPDX-License-Identifier: AGPL-3.0-or-later
"""Seals that change, push tokens, invites, the relay day: one or two statements each."""

import sqlite3
from collections.abc import Mapping, Sequence

from razdar.model.ids import AccountId, MailboxId, Uid

from .removals import existing
from .rows import Strip, packed

_RESEAL = """
UPDATE entry SET seal = s FROM (
    SELECT substr(:strip, value->>0, 16) AS a, value->>1 AS f, value->>2 AS u, substr(:strip, value->>3, value->>4) AS s
    FROM json_each(:rows))
WHERE account = a AND folder = f AND uid = u
"""


def reseal(connection: sqlite3.Connection, mailbox: MailboxId, seals: Mapping[Uid, bytes]) -> Sequence[Uid]:
    """See `Store.reseal`."""
    uids = sorted(uid for _, uid in existing(connection, [(mailbox, uid) for uid in seals]))
    strip = Strip()
    account = strip.add(mailbox.account)
    rows = packed((account, mailbox.folder, uid, strip.add(seals[uid]), len(seals[uid])) for uid in uids)
    connection.execute(_RESEAL, {"rows": rows, "strip": strip.joined()})
    return uids


def next_day(connection: sqlite3.Connection) -> int:
    """See `Store.next_day`."""
    ((day,),) = connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'day' RETURNING value").fetchall()
    note_minutes(connection, 0)
    return int(day)


def note_minutes(connection: sqlite3.Connection, minutes: int) -> None:
    """See `Store.note_minutes`."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('minutes', ?)", (minutes,))


def put_token(connection: sqlite3.Connection, account: AccountId, token: bytes, expires: int) -> None:
    """See `Store.put_token`."""
    connection.execute("INSERT OR REPLACE INTO token SELECT id, ?2, ?3 FROM account WHERE id = ?1", (account, token, expires))


def forget_token(connection: sqlite3.Connection, account: AccountId, token: bytes) -> None:
    """See `Store.forget_token`."""
    connection.execute("DELETE FROM token WHERE account = ? AND token = ?", (account, token))


def put_invite(connection: sqlite3.Connection, digest: bytes, uses: int, expires: int) -> None:
    """See `Store.put_invite`."""
    connection.execute("INSERT OR REPLACE INTO invite VALUES (?, ?, ?)", (digest, uses, expires))
