# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables of the store, how they came to be, and how a connection to them is opened.

Each migration takes a store one version forward, all missing ones in one transaction. There is no way back: an older program refuses a
newer store.

Nothing in the order of rows tells when they came: entries lie by mailbox, bodies by random id. There are no foreign keys and no further
indexes; what the columns tell to somebody who takes the disk is listed in docs/storage.md.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

SQLITE_NEEDED = (3, 38, 0)
"""STRICT tables, UPDATE FROM, RETURNING and the JSON operators. Debian 12 has 3.40."""

PAGE_BYTES = 4096
CACHE_KIB = 16_384
BUSY_TIMEOUT_S = 5.0

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('day', 1), ('generation', 0);

CREATE TABLE account (
    id BLOB PRIMARY KEY,
    salt BLOB NOT NULL,
    public_key BLOB NOT NULL,
    locked_key BLOB NOT NULL,
    expires INTEGER NOT NULL,
    folders_made INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mailbox (
    account BLOB NOT NULL,
    folder INTEGER NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL,
    used INTEGER NOT NULL,
    sealed BLOB,
    PRIMARY KEY (account, folder)
) STRICT, WITHOUT ROWID;

CREATE TABLE entry (
    account BLOB NOT NULL,
    folder INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (account, folder, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE body (id INTEGER PRIMARY KEY, expires INTEGER NOT NULL, balance INTEGER NOT NULL, blob BLOB NOT NULL) STRICT;
CREATE TABLE large (id INTEGER PRIMARY KEY, blob BLOB NOT NULL) STRICT;

CREATE TABLE token (
    account BLOB NOT NULL,
    token BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (account, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE invite (digest BLOB PRIMARY KEY, uses INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: Sequence[str] = (_FIRST,)
"""Migration n takes version n to n + 1; the version is SQLite's user_version. Never change one that was released: add the next."""


class StoreTooNew(Exception):  # noqa: N818 - a state of the store, named like one
    """A later version of Razdar has written this store."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that commits only when told to. It may wander between threads, one at a time."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes. The file exists afterwards, readable by its owner only, the log and its index like it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = connect(path)
    if connection.execute("PRAGMA page_count").fetchone() == (0,):  # these would write to a store that may be too new for us
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0").fetchone()
    connection.execute("PRAGMA secure_delete = FAST").fetchone()
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """The store has the version that this program wants: all of it or nothing. Raises StoreTooNew."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise StoreTooNew
    if version == len(migrations):
        return
    script = "".join(migrations[version:])
    try:
        connection.executescript(f"BEGIN IMMEDIATE;{script};PRAGMA user_version = {len(migrations)};COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
