# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads a SQLite file as somebody does who looks at its bytes: pages, cells, free pages, what is left in the gaps, and the log.

Follows the file format as SQLite documents it (sqlite.org/fileformat2.html). Values that spill into overflow pages are shown as far as
they lie in the first page: the columns that matter come first.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Value = int | float | bytes | str | None

INDEX_INTERIOR, TABLE_INTERIOR, INDEX_LEAF, TABLE_LEAF = 2, 5, 10, 13
_INTERIORS = (INDEX_INTERIOR, TABLE_INTERIOR)
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


@dataclass(frozen=True, slots=True)
class Cell:
    """One row and where it lies. `rowid` is None in a table without; `sizes` are the columns' lengths in bytes, also of what spilled."""

    page: int
    offset: int
    end: int
    rowid: int | None
    values: tuple[Value, ...]
    sizes: tuple[int, ...]


@dataclass
class Image:
    """The pages of a database at one moment; numbers count from 1."""

    page_bytes: int
    pages: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Image":
        data = path.read_bytes()
        size = int.from_bytes(data[16:18], "big")
        size = 65_536 if size == 1 else size
        return cls(size, {1 + at // size: data[at : at + size] for at in range(0, len(data), size)})

    def cells(self, root: int) -> Iterator[Cell]:
        """Every row of a tree, in the order of its keys."""
        page = self.pages[root]
        start = 100 if root == 1 else 0
        kind = page[start]
        for offset in cell_offsets(page, start):
            if kind in _INTERIORS:
                yield from self.cells(int.from_bytes(page[offset : offset + 4], "big"))
            if kind != TABLE_INTERIOR:
                yield read_cell(page, root, offset, kind)
        if kind in _INTERIORS:
            yield from self.cells(int.from_bytes(page[start + 8 : start + 12], "big"))

    def free_pages(self) -> list[int]:
        """In the order of the list of free pages, trunks before their leaves."""
        found = []
        trunk = int.from_bytes(self.pages[1][32:36], "big")
        while trunk:
            following, count = struct.unpack_from(">II", self.pages[trunk])
            found += [trunk, *struct.unpack_from(f">{count}I", self.pages[trunk], 8)]
            trunk = following
        return found

    def roots(self) -> dict[str, int]:
        """Table → page of its root."""
        return {str(cell.values[1]): int(cell.values[3] or 0) for cell in self.cells(1) if cell.values[0] == "table"}


def cell_offsets(page: bytes, start: int = 0) -> Sequence[int]:
    """Where the cells of a tree's page begin, in the order of their keys."""
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    return struct.unpack_from(f">{count}H", page, start + (12 if page[start] in _INTERIORS else 8))


def read_cell(page: bytes, number: int, offset: int, kind: int) -> Cell:
    """A cell that holds a row."""
    at = offset + (4 if kind == INDEX_INTERIOR else 0)
    length, at = varint(page, at)
    rowid = None
    if kind == TABLE_LEAF:
        rowid, at = varint(page, at)
    values, sizes = read_record(page, at)
    return Cell(number, offset, min(at + length, len(page)), rowid, values, sizes)


def read_record(page: bytes, at: int) -> tuple[tuple[Value, ...], tuple[int, ...]]:
    """The columns of the record at `at`, and their sizes in bytes."""
    header, position = varint(page, at)
    types = []
    while position < at + header:
        kind, position = varint(page, position)
        types.append(kind)
    values: list[Value] = []
    sizes = []
    position = at + header
    for kind in types:
        value, size = _value(page, position, kind)
        values.append(value)
        sizes.append(size)
        position += size
    return tuple(values), tuple(sizes)


def _value(page: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind in (0, 8, 9):
        return (None if kind == 0 else kind - 8), 0
    if kind in _INTEGER_BYTES:
        size = _INTEGER_BYTES[kind]
        return int.from_bytes(page[at : at + size], "big", signed=True), size
    if kind == 7:
        return struct.unpack_from(">d", page, at)[0], 8
    size = (kind - 12) // 2
    raw = page[at : at + size]
    return (raw if kind % 2 == 0 else raw.decode(errors="replace")), size


def varint(page: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where the next thing begins."""
    value = 0
    for length in range(1, 9):
        byte = page[at + length - 1]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + length
    return value << 8 | page[at + 8], at + 9


def carve(page: bytes, number: int, pattern: re.Pattern[bytes]) -> list[Cell]:
    """Records in a page, whole or torn out of their tree, whose header looks like `pattern`."""
    found = []
    for match in pattern.finditer(page):
        values, sizes = read_record(page, match.start())
        end = match.start() + page[match.start()] + sum(sizes)
        if end <= len(page):
            found.append(Cell(number, match.start(), end, None, values, sizes))
    return found


def read_log(path: Path) -> list[dict[int, bytes]]:
    """The commits in a write-ahead log, oldest first: page number → new content."""
    data = path.read_bytes() if path.exists() else b""
    if len(data) < 32:
        return []
    page_bytes, salts = int.from_bytes(data[8:12], "big"), data[16:24]
    commits: list[dict[int, bytes]] = []
    pages: dict[int, bytes] = {}
    for at in range(32, len(data) - page_bytes - 23, 24 + page_bytes):
        number, size = struct.unpack_from(">II", data, at)
        if data[at + 8 : at + 16] != salts:
            break  # left from before the log was last emptied
        pages[number] = data[at + 24 : at + 24 + page_bytes]
        if size:
            commits.append(pages)
            pages = {}
    return commits
