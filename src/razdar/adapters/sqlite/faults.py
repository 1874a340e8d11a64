# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which errors of SQLite are the disk's fault and not a mistake of ours."""

import sqlite3

# Primary result codes, the low byte of the extended ones. After these the whole transaction is suspect, not one statement.
_OF_THE_DISK = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_PROTOCOL,
}


def is_of_the_disk(error: BaseException) -> bool:
    """Whether trying again later may help."""
    return _code(error) in _OF_THE_DISK


def is_full(error: BaseException) -> bool:
    """Whether there was no space left."""
    return _code(error) == sqlite3.SQLITE_FULL


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
