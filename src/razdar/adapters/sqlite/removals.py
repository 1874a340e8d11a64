# SPDX-License-Identifier: AGPL-3.0-or-later
"""Entries that go, move or multiply, and what becomes of their bodies.

A body goes with its last reader: each entry brought a share into the body's balance and takes it away again (ports/store.py,
`Removal.share`).
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from razdar.model.ids import INBOX, BodyId, MailboxId, Uid
from razdar.ports.store import Duplicate, NewEntry, Removal

from .deliveries import BALANCE_MASK, Row, assign_uids, insert_entries
from .rows import Strip, packed, unpacked

Removed = tuple[Sequence[Uid], frozenset[BodyId]]
"""The UIDs that went, and the bodies that went with them (so that nobody keeps a copy in RAM)."""

_PLACE = "substr(:strip, value->>0, 16) AND folder = value->>1 AND uid = value->>2"
_EXISTING = f"SELECT json_group_array(json_array(key, expires)) FROM json_each(:rows) JOIN entry ON account = {_PLACE}"  # noqa: S608
_DELETE = """
DELETE FROM entry WHERE (account, folder, uid) IN (SELECT substr(:strip, value->>0, 16), value->>1, value->>2 FROM json_each(:rows))
"""
_UNCHARGE = """
UPDATE mailbox SET used = iif(
    EXISTS (SELECT 1 FROM entry WHERE entry.account = mailbox.account AND entry.folder = mailbox.folder), max(0, used - c), 0)
FROM (SELECT substr(:strip, value->>0, 16) AS a, value->>1 AS f, value->>2 AS c FROM json_each(:rows))
WHERE account = a AND folder = f
"""
_LAST_READ = f"""
SELECT json_group_array(json_array(body.id, length(blob) = 0)) FROM json_each(:rows)
JOIN body ON body.id = value->>0 AND (balance - (value->>1)) & {BALANCE_MASK} = 0
"""  # noqa: S608
_BALANCE = f"""
UPDATE body SET balance = (balance + s) & {BALANCE_MASK}
FROM (SELECT value->>0 AS b, value->>1 AS s FROM json_each(:rows)) WHERE body.id = b
"""  # noqa: S608


def remove(connection: sqlite3.Connection, jobs: Sequence[tuple[MailboxId, Sequence[Removal]]]) -> Sequence[Removed]:
    """For each job the UIDs and bodies that went. The jobs come from callers that know nothing of each other."""
    wanted: dict[tuple[MailboxId, Uid], tuple[int, Removal]] = {}
    for job, (mailbox, removals) in enumerate(jobs):
        for removal in {removal.uid: removal for removal in removals}.values():
            wanted.setdefault((mailbox, removal.uid), (job, removal))
    places = sorted(existing(connection, list(wanted)))
    delete_entries(connection, places)
    uncharge(connection, [(mailbox, wanted[mailbox, uid][1].charge) for mailbox, uid in places])
    gone = take_shares(connection, [wanted[place][1] for place in places])
    uids: list[list[Uid]] = [[] for _ in jobs]
    for place in places:
        uids[wanted[place][0]].append(place[1])
    return [(found, gone) for found in uids]


def existing(connection: sqlite3.Connection, places: Sequence[tuple[MailboxId, Uid]]) -> dict[tuple[MailboxId, Uid], int]:
    """Those of `places` where there is an entry, with the day on which it goes."""
    found = unpacked(connection.execute(_EXISTING, _bound(places)).fetchone())
    return {places[key]: expires for key, expires in found}


def delete_entries(connection: sqlite3.Connection, places: Sequence[tuple[MailboxId, Uid]]) -> None:
    if places:
        connection.execute(_DELETE, _bound(places))


def uncharge(connection: sqlite3.Connection, charges: Iterable[tuple[MailboxId, int]]) -> None:
    """Call it after the entries are gone: a mailbox without any uses nothing."""
    sums: Counter[MailboxId] = Counter()
    for mailbox, charge in charges:
        sums[mailbox] += charge
    if sums:
        strip = Strip()
        rows = packed((strip.add_once(mailbox.account), mailbox.folder, charge) for mailbox, charge in sums.items())
        connection.execute(_UNCHARGE, {"rows": rows, "strip": strip.joined()})


def take_shares(connection: sqlite3.Connection, removals: Iterable[Removal]) -> frozenset[BodyId]:
    """Bodies have lost these readers; those that lost the last one are gone and returned."""
    shares: Counter[BodyId] = Counter()
    for removal in removals:
        shares[removal.body] += removal.share
    if not shares:
        return frozenset()
    taken = {body: share & BALANCE_MASK for body, share in shares.items()}
    last_read = unpacked(connection.execute(_LAST_READ, {"rows": packed(taken.items())}).fetchone())
    gone = frozenset(BodyId(body) for body, _ in last_read)
    give_shares(connection, {body: -share for body, share in taken.items() if body not in gone})
    delete_bodies(connection, gone, any(is_large for _, is_large in last_read))
    return gone


def give_shares(connection: sqlite3.Connection, shares: Mapping[BodyId, int]) -> None:
    """Balances have changed by these shares."""
    if shares:
        connection.execute(_BALANCE, {"rows": packed(shares.items())})


def delete_bodies(connection: sqlite3.Connection, bodies: Iterable[BodyId], has_large: bool) -> None:
    rows = packed(bodies)
    if rows != "[]":
        connection.execute("DELETE FROM body WHERE id IN (SELECT value FROM json_each(?))", (rows,))
        if has_large:
            connection.execute("DELETE FROM large WHERE id IN (SELECT value FROM json_each(?))", (rows,))


def copy(connection: sqlite3.Connection, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
    """See `Store.copy`."""
    assigned = _duplicate(connection, source, target, duplicates)
    shares: Counter[BodyId] = Counter()
    for duplicate in {duplicate.uid: duplicate for duplicate in duplicates if duplicate.uid in assigned}.values():
        shares[duplicate.body] += duplicate.share
    give_shares(connection, {body: share & BALANCE_MASK for body, share in shares.items()})
    return assigned


def move(connection: sqlite3.Connection, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
    """See `Store.move`."""
    assigned = _duplicate(connection, source, target, duplicates)
    delete_entries(connection, [(source, uid) for uid in assigned])
    charges = {duplicate.uid: duplicate.charge for duplicate in duplicates}
    uncharge(connection, [(source, charges[uid]) for uid in assigned])
    return assigned


def _duplicate(connection: sqlite3.Connection, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
    wanted = {duplicate.uid: duplicate for duplicate in duplicates}
    found = existing(connection, [(source, uid) for uid in wanted])
    kept = [duplicate for uid, duplicate in wanted.items() if (source, uid) in found]
    first = assign_uids(connection, [NewEntry(target, duplicate.seal, duplicate.charge) for duplicate in kept]).get(target)
    if first is None:
        return {}
    assigned = {duplicate.uid: Uid(first + number) for number, duplicate in enumerate(kept)}
    insert_entries(connection, [Row(target, assigned[d.uid], found[source, d.uid], d.seal) for d in kept])
    return assigned


def delete_mailbox(connection: sqlite3.Connection, mailbox: MailboxId, removals: Sequence[Removal]) -> tuple[bool, frozenset[BodyId]]:
    """See `Store.delete_mailbox`; with the bodies that went."""
    assert mailbox.folder != INBOX
    ((_, gone),) = remove(connection, [(mailbox, removals)])
    connection.execute("DELETE FROM entry WHERE account = ? AND folder = ?", mailbox)
    was_there = connection.execute("DELETE FROM mailbox WHERE account = ? AND folder = ?", mailbox).rowcount == 1
    return was_there, gone


def _bound(places: Sequence[tuple[MailboxId, Uid]]) -> dict[str, str | bytes]:
    strip = Strip()
    rows = packed((strip.add_once(mailbox.account), mailbox.folder, uid) for mailbox, uid in places)
    return {"rows": rows, "strip": strip.joined()}
