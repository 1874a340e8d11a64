# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar try` shows what a thief of the disk sees; these tests look at how it looks, on a disk made for them."""

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.adapters.sqlite.schema import connect_writer, migrate
from razdar.tryout import seizure
from razdar.tryout.words import UNEXPLAINED, column_words, table_words

SECRET = "somebody9@relay.example"


def test_every_file_and_table_is_listed(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id").write_bytes(b"x" * 32)
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        database.execute("CREATE TABLE people (id, name)")
        database.execute("INSERT INTO people VALUES (1, 'x')")
        database.commit()
    assert [path for path, _ in seizure.files(tmp_path)] == [Path("a.db"), Path("keys/id")]
    assert seizure.tables(tmp_path) == [seizure.Table("people", 1, ["id", "name"])]


def test_rows_that_are_only_in_the_log_count(tmp_path: Path) -> None:
    """A WAL holds the latest commits; the copy must take it along, while the writer is still there."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as writer:
        writer.execute("PRAGMA journal_mode = WAL").fetchone()
        writer.execute("CREATE TABLE people (id)")
        writer.execute("INSERT INTO people VALUES (1)")
        writer.commit()
        assert seizure.tables(tmp_path)[0].rows == 1


@pytest.mark.parametrize(
    "written",
    [
        SECRET.encode(),
        SECRET.upper().encode(),
        SECRET.encode("utf-16-le"),
        SECRET.encode().hex().encode(),
        base64.b64encode(b"to: " + SECRET.encode() + b"\n"),
        b"somebody9%40relay.example",
    ],
)
def test_a_secret_is_found_in_every_spelling(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "log").write_bytes(b"before " + written + b" after")
    (tmp_path / "innocent").write_bytes(b"nothing here")
    assert seizure.places(tmp_path, [SECRET]) == [Path("log")]


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_base64_hides_nothing_wherever_the_secret_begins(before: bytes, after: bytes) -> None:
    coded = base64.b64encode(before + SECRET.encode() + after)
    assert any(spelling in coded for spelling in seizure.spellings(SECRET))


def test_every_column_of_the_store_is_explained(tmp_path: Path) -> None:
    """In both languages; a new column needs words before anybody is shown it."""
    with closing(connect_writer(tmp_path / "store.db")) as database:
        migrate(database)
        found = seizure.tables(tmp_path)
    assert found
    unexplained = [table.name for table in found if table_words(table.name) == UNEXPLAINED]
    unexplained += [
        f"{table.name}.{column}" for table in found for column in table.columns if column_words(table.name, column) == UNEXPLAINED
    ]
    assert unexplained == []
