# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stores that leak, made out of a seized one: they show that the attacker would find what there is to find.

Each is the real database with one thing changed that a plainer store would have. Which message an entry belongs to is taken from what we
know, not from the seals.
"""

import random
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.linkage.town import Truth


@dataclass(frozen=True, slots=True)
class _Entry:
    account: bytes
    uid: int
    expires: int
    number: int
    place: int


def names_body(connection: sqlite3.Connection, entries: list[_Entry], truth: Truth) -> None:
    """Entries say which body they belong to, as a table with a foreign key does."""
    names = random.Random("bodies").sample(range(2**60), 1 + max(entry.number for entry in entries))
    connection.execute("ALTER TABLE entry ADD COLUMN body INTEGER")
    _fill(connection, "body", entries, lambda entry: names[entry.number])


def exact_size(connection: sqlite3.Connection, entries: list[_Entry], truth: Truth) -> None:
    """Entries tell the exact size of their message, as RFC822.SIZE wants it."""
    connection.execute("ALTER TABLE entry ADD COLUMN size INTEGER")
    _fill(connection, "size", entries, lambda entry: truth.sizes[entry.number])


def row_order(connection: sqlite3.Connection, entries: list[_Entry], truth: Truth) -> None:
    """Entries lie in the order in which they came, as in a table with an ordinary row id."""
    seals = {(account, uid): seal for account, uid, seal in connection.execute("SELECT account, uid, seal FROM entry").fetchall()}
    connection.execute("DROP TABLE entry")
    connection.execute("CREATE TABLE entry (account BLOB, folder INTEGER, uid INTEGER, expires INTEGER, seal BLOB)")
    rows = sorted(entries, key=lambda entry: (entry.number, entry.place))
    values = [(entry.account, 0, entry.uid, entry.expires, seals[entry.account, entry.uid]) for entry in rows]
    connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", values)


def order_and_size(connection: sqlite3.Connection, entries: list[_Entry], truth: Truth) -> None:
    """Both of these."""
    row_order(connection, entries, truth)
    exact_size(connection, entries, truth)


def reader_count(connection: sqlite3.Connection, entries: list[_Entry], truth: Truth) -> None:
    """Bodies count their readers in clear."""
    readers: dict[int, list[_Entry]] = {}
    for entry in entries:
        readers.setdefault(entry.number, []).append(entry)
    connection.execute("DROP TABLE body")
    connection.execute("CREATE TABLE body (id INTEGER PRIMARY KEY, expires INTEGER, readers INTEGER)")
    ids = random.Random("bodies").sample(range(2**60), len(readers))
    rows = [(id_, own[0].expires, len(own)) for id_, own in zip(ids, readers.values(), strict=True)]
    connection.executemany("INSERT INTO body VALUES (?, ?, ?)", sorted(rows))


CONTROLS: Mapping[str, Callable[[sqlite3.Connection, list[_Entry], Truth], None]] = {
    "entries name their body": names_body,
    "rows in order of arrival": row_order,
    "exact size in the entry": exact_size,
    "order of arrival and exact size": order_and_size,
    "bodies count their readers": reader_count,
}


def make(name: str, database: Path, target: Path, truth: Truth, faces: Mapping[bytes, int]) -> Path:
    """A leaky copy of `database` in the folder `target`. Only for towns where nobody copies into other folders."""
    leaky = target / f"{name.replace(' ', '-')}.db"
    shutil.copyfile(database, leaky)
    with closing(sqlite3.connect(leaky, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        connection.execute("PRAGMA synchronous = OFF")
        entries = []
        for account, uid, expires in connection.execute("SELECT account, uid, expires FROM entry").fetchall():
            number = truth.waiting[faces[account]][uid]
            entries.append(_Entry(account, uid, expires, number, truth.places[number, faces[account]]))
        connection.execute("BEGIN")
        CONTROLS[name](connection, entries, truth)
        connection.execute("COMMIT")
    return leaky


def _fill(connection: sqlite3.Connection, column: str, entries: list[_Entry], value: Callable[[_Entry], int]) -> None:
    statement = f"UPDATE entry SET {column} = ? WHERE account = ? AND uid = ?"
    connection.executemany(statement, [(value(entry), entry.account, entry.uid) for entry in entries])
