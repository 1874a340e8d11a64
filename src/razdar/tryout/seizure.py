# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody who takes the disk finds: every file with its size, every table with its rows, and whether a given text is anywhere.

Used by `./razdar try` to show it, and good for any data folder. It reads a copy of the database, so a running relay is not disturbed and
nothing in the folder changes. It knows no key: it sees what a thief sees.
"""

import base64
import shutil
import sqlite3
import tempfile
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one of the databases."""

    name: str
    rows: int
    columns: Sequence[str]


def files(data: Path) -> list[tuple[Path, int]]:
    """Every regular file below `data`, relative to it, with its size in bytes, in alphabetical order."""
    found = ((path.relative_to(data), path.stat().st_size) for path in data.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(found)


def tables(data: Path) -> list[Table]:
    """Every table of every SQLite database below `data`."""
    with tempfile.TemporaryDirectory(prefix="razdar-seizure-") as folder:
        copy = Path(folder) / "data"
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*.sock", "*.socket", "control"), ignore_dangling_symlinks=True)
        databases = [copy / path for path, _ in files(copy) if _is_database(copy / path)]
        return [table for database in databases for table in _tables_of(database)]


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _tables_of(path: Path) -> Iterator[Table]:
    with closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        for name in names:
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{name}")')]
            (rows,) = database.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608 - a name out of the schema itself
            yield Table(name, rows, columns)


def spellings(text: str) -> set[bytes]:
    """The ways in which `text` could stand in a file: plain in any case or backwards, UTF-16, hex, base64, quoted-printable, URL."""
    found: set[bytes] = set()
    for form in {text, text.lower(), text.upper()}:
        plain = form.encode()
        found |= {
            plain,
            plain[::-1],
            form.encode("utf-16-le"),
            form.encode("utf-16-be"),
            plain.hex().encode(),
            plain.hex().upper().encode(),
        }
        found |= {urllib.parse.quote(form, safe="").encode(), "".join(f"={byte:02X}" for byte in plain).encode()}
        found |= set(_in_base64(plain))
    return {spelling for spelling in found if len(spelling) >= 6}


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """The middle part of the three forms that base64 can give to the same bytes within a longer text."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + plain).rstrip(b"=")
        middle = coded[(0, 2, 3)[before] : -1]
        yield middle
        yield middle.replace(b"+", b"-").replace(b"/", b"_")


def places(data: Path, texts: Sequence[str]) -> list[Path]:
    """The files below `data` in which one of `texts` stands in some spelling; empty is what everybody hopes for."""
    needles = {spelling for text in texts for spelling in spellings(text)}
    return [path for path, _ in files(data) if _holds_any((data / path).read_bytes().strip(b"\0"), needles)]


def _holds_any(content: bytes, needles: set[bytes]) -> bool:
    """Without the zeros of a reserve file around it, `content` is small enough to go through it once for each needle."""
    return any(needle in content for needle in needles)
