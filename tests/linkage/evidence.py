# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the attacker reads out of the files: rows with their places, rows that were deleted, and who is behind an account id.

The attacker has the server's keys and knows every address, so each account id has a face. He has no password. Tables are read by the
names of their columns, so that the same attacker finds more in a store that keeps more.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.linkage.pages import Image, Value, carve, read_log

from razdar.vault.seal import SEAL_BYTES

_SEAL_TYPE = 12 + 2 * SEAL_BYTES
_BLOB_16 = 12 + 2 * 16
ENTRY_RECORD = re.compile(
    bytes([7, _BLOB_16])
    + b"[\\x01-\\x04\\x08\\x09][\\x01-\\x04\\x08\\x09][\\x01-\\x04\\x08\\x09]"
    + re.escape(bytes([0x80 | _SEAL_TYPE >> 7, _SEAL_TYPE & 0x7F]))
)
"""The header of an entry's record: account, three small numbers, seal."""
KNOWN = ("account", "folder", "uid", "expires", "seal")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry. `extra` is every column that the attacker has no special use for."""

    person: int
    folder: int
    uid: int
    expires: int
    seal: bytes
    page: int
    offset: int
    rowid: int | None
    extra: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BodyRow:
    """`readers` is known only if the store tells."""

    expires: int
    page: int
    readers: int | None


@dataclass
class Evidence:
    """Everything that one seizure shows. `ghosts` are entries that were deleted and left in free pages or gaps."""

    people: int
    rows: list[Row]
    uid_next: list[int]
    used: list[int]
    bodies: list[BodyRow]
    ghosts: list[Row] = field(default_factory=list)
    free_pages: list[int] = field(default_factory=list)
    homes: dict[str, list[Row]] = field(default_factory=dict)
    """Where the rows of `account` and `mailbox` lie: an account is written when it is first used."""


def read(database: Path, faces: Mapping[bytes, int], people: int, *, raw: bool = False) -> Evidence:
    """`faces`: account id → person. `raw`: also what was deleted."""
    image = Image.read(database)
    roots = image.roots()
    columns = _columns(database)
    rows = []
    live: dict[int, list[tuple[int, int]]] = {}
    for cell in image.cells(roots["entry"]):
        live.setdefault(cell.page, []).append((cell.offset, cell.end))
        row = _row(dict(zip(columns["entry"], cell.values, strict=True)), faces, cell.page, cell.offset, cell.rowid)
        assert row is not None, "every account of these towns is known"
        rows.append(row)
    evidence = Evidence(people, rows, [1] * people, [0] * people, _bodies(image, roots["body"], columns["body"]))
    _mailboxes(database, faces, evidence)
    evidence.homes = {table: _homes(image, roots[table], faces) for table in ("account", "mailbox")}
    if raw:
        evidence.free_pages = image.free_pages()
        evidence.ghosts = _ghosts(image, faces, live)
    return evidence


def _columns(database: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
        return {table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in ("entry", "body")}


def _row(named: Mapping[str, Value], faces: Mapping[bytes, int], page: int, offset: int, rowid: int | None) -> Row | None:
    """None if these are not the columns of an entry of somebody who is known."""
    match [named.get(name) for name in KNOWN]:
        case [bytes(account), int(folder), int(uid), int(expires), bytes(seal)] if account in faces:
            extra = {name: value for name, value in named.items() if name not in KNOWN}
            return Row(faces[account], folder, uid, expires, seal, page, offset, rowid, extra)
    return None


def _carved(page: bytes, number: int, faces: Mapping[bytes, int]) -> list[Row]:
    """Everything in a page that looks like an entry, deleted or not; `offset` is that of the record."""
    cells = carve(page, number, ENTRY_RECORD)
    rows = [_row(dict(zip(KNOWN, cell.values, strict=True)), faces, number, cell.offset, None) for cell in cells]
    return [row for row in rows if row is not None]


def _bodies(image: Image, root: int, columns: Sequence[str]) -> list[BodyRow]:
    found = []
    for cell in image.cells(root):
        named = dict(zip(columns, cell.values, strict=False))
        expires, readers = named["expires"], named.get("readers")
        assert isinstance(expires, int)
        assert readers is None or isinstance(readers, int)
        found.append(BodyRow(expires, cell.page, readers))
    return found


def _mailboxes(database: Path, faces: Mapping[bytes, int], evidence: Evidence) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)) as connection:
        for account, folder, uid_next, used in connection.execute("SELECT account, folder, uid_next, used FROM mailbox"):
            if account not in faces:
                continue  # the queue's, which is the relay's own and empty in these towns
            evidence.used[faces[account]] += used
            if folder == 0:
                evidence.uid_next[faces[account]] = uid_next


def _homes(image: Image, root: int, faces: Mapping[bytes, int]) -> list[Row]:
    """Rows that begin with an account id; nothing but their places is looked at."""
    found = []
    for cell in image.cells(root):
        account = cell.values[0]
        assert isinstance(account, bytes)
        if account in faces:
            found.append(Row(faces[account], 0, 0, 0, b"", cell.page, cell.offset, None))
    return found


def _ghosts(image: Image, faces: Mapping[bytes, int], live: Mapping[int, Sequence[tuple[int, int]]]) -> list[Row]:
    """Deleted entries, each once, wherever they are left."""
    found: dict[tuple[int, int, int, int, bytes], Row] = {}
    alive = set()
    for number, page in image.pages.items():
        for row in _carved(page, number, faces):
            key = (row.person, row.folder, row.uid, row.expires, row.seal)
            if any(start <= row.offset < end for start, end in live.get(number, ())):
                alive.add(key)
            else:
                found[key] = row
    return [row for key, row in found.items() if key not in alive]


def entries_in_log(database: Path, log: Path, faces: Mapping[bytes, int]) -> list[list[Row]]:
    """For each commit in the log the entries that it added, found by comparing each page with what it was before."""
    image = Image.read(database)
    known = {(row.person, row.folder, row.uid) for page in image.pages.values() for row in _carved(page, 0, faces)}
    added = []
    for commit in read_log(log):
        rows = {(row.person, row.folder, row.uid): row for number, page in commit.items() for row in _carved(page, number, faces)}
        added.append([row for key, row in rows.items() if key not in known])
        known.update(rows)
    return added
