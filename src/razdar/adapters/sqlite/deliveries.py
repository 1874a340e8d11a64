# SPDX-License-Identifier: AGPL-3.0-or-later
"""Deliveries: the bodies, the entries and the UIDs of whatever arrived together, in five statements however many recipients there are."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from razdar.model.ids import UID_NEXT_MAX, MailboxId, Uid
from razdar.ports.store import Body, Delivery, NewEntry

from .rows import Strip, packed, unpacked

BALANCE_MASK = (1 << 62) - 1
INLINE_BYTES = 16_384
"""A longer blob gets a row of its own, so that counting down the readers of a large body does not rewrite it."""

_NEXT = """
SELECT json_group_object(key, uid_next) FROM json_each(:rows)
JOIN mailbox ON account = substr(:strip, value->>0, 16) AND folder = value->>1 AND uid_next + (value->>2) <= :last
"""
_ADVANCE = """
UPDATE mailbox SET uid_next = uid_next + n, used = used + c
FROM (SELECT substr(:strip, value->>0, 16) AS a, value->>1 AS f, value->>2 AS n, value->>3 AS c FROM json_each(:rows))
WHERE account = a AND folder = f AND uid_next + n <= :last
"""
_INSERT_ENTRIES = """
INSERT INTO entry (account, folder, uid, expires, seal)
SELECT substr(:strip, value->>0, 16), value->>1, value->>2, value->>3, substr(:strip, value->>4, value->>5) FROM json_each(:rows)
"""
_INSERT_BODIES = """
INSERT INTO body (id, expires, balance, blob)
SELECT value->>0, value->>1, value->>2, coalesce(substr(:strip, value->>3, value->>4), x'') FROM json_each(:rows)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `entry`."""

    mailbox: MailboxId
    uid: Uid
    expires: int
    seal: bytes


def deliver(connection: sqlite3.Connection, batches: Sequence[Sequence[Delivery]]) -> Sequence[Sequence[Mapping[MailboxId, Uid]]]:
    """For each batch what `Store.deliver` answers. The batches come from callers that know nothing of each other."""
    deliveries = [delivery for batch in batches for delivery in batch]
    next_uids = assign_uids(connection, [entry for delivery in deliveries for entry in delivery.entries])
    rows: list[Row] = []
    bodies: list[tuple[Body, int]] = []
    answers = iter([_number(delivery, next_uids, rows, bodies) for delivery in deliveries])
    insert_entries(connection, rows)
    _insert_bodies(connection, bodies)
    return [[next(answers) for _ in batch] for batch in batches]


def _number(
    delivery: Delivery, next_uids: dict[MailboxId, int], rows: list[Row], bodies: list[tuple[Body, int]]
) -> Mapping[MailboxId, Uid]:
    uids: dict[MailboxId, Uid] = {}
    balance = 0
    for entry in delivery.entries:
        uid = next_uids.get(entry.mailbox)
        if uid is not None:
            next_uids[entry.mailbox] = uid + 1
            uids[entry.mailbox] = Uid(uid)
            rows.append(Row(entry.mailbox, Uid(uid), delivery.last_day, entry.seal))
            balance += entry.share
    if uids:
        bodies.append((delivery.body, balance & BALANCE_MASK))
    return uids


def assign_uids(connection: sqlite3.Connection, entries: Sequence[NewEntry]) -> dict[MailboxId, int]:
    """The first free UID of each mailbox that exists and has enough; they are taken, and the entries' charges booked."""
    counts = Counter(entry.mailbox for entry in entries)
    charges: Counter[MailboxId] = Counter()
    for entry in entries:
        charges[entry.mailbox] += entry.charge
    strip = Strip()
    rows = packed((strip.add_once(mailbox.account), mailbox.folder, count, charges[mailbox]) for mailbox, count in counts.items())
    bound = {"rows": rows, "strip": strip.joined(), "last": UID_NEXT_MAX}
    found = unpacked(connection.execute(_NEXT, bound).fetchone())
    connection.execute(_ADVANCE, bound)
    return {mailbox: found[str(key)] for key, mailbox in enumerate(counts) if str(key) in found}


def insert_entries(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    strip = Strip()
    packed_rows = packed(
        (strip.add_once(row.mailbox.account), row.mailbox.folder, row.uid, row.expires, strip.add(row.seal), len(row.seal)) for row in rows
    )
    connection.execute(_INSERT_ENTRIES, {"rows": packed_rows, "strip": strip.joined()})


def _insert_bodies(connection: sqlite3.Connection, bodies: Iterable[tuple[Body, int]]) -> None:
    strip = Strip()
    rows = []
    for body, balance in bodies:
        blob = body.blob
        if len(blob) > INLINE_BYTES:
            connection.execute("INSERT INTO large (id, blob) VALUES (?, ?)", (body.id, blob))
            blob = b""
        rows.append((body.id, body.expires, balance, strip.add(blob), len(blob)))
    connection.execute(_INSERT_BODIES, {"rows": packed(rows), "strip": strip.joined()})
