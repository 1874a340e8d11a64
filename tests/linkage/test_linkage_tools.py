# SPDX-License-Identifier: AGPL-3.0-or-later
"""The attacker's tools: the reader of SQLite's bytes against SQLite itself, the measure and the learner on cases with known answers."""

import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.linkage.features import all_pairs
from tests.linkage.learner import Learner
from tests.linkage.measure import Ranking, difference, measure
from tests.linkage.pages import Image, carve, read_log
from tests.linkage.plan import Habit, draw_even, draw_lively

MANY = 3_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "some.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("CREATE TABLE clustered (a BLOB, b INTEGER, c BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID")
        connection.execute("CREATE TABLE plain (id INTEGER PRIMARY KEY, size INTEGER, blob BLOB)")
        yield connection


def fill(connection: sqlite3.Connection) -> None:
    dice = random.Random(1)
    rows = [(dice.randbytes(16), dice.choice([0, 1, 2, 200, 2**17, 2**40, -5]), dice.randbytes(120)) for _ in range(MANY)]
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO clustered VALUES (?, ?, ?)", rows)
    for size in (0, 10, 4040, 9_000, 100_000):
        connection.execute("INSERT INTO plain VALUES (?, ?, ?)", (dice.getrandbits(62), size, dice.randbytes(size)))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def test_rows_are_read_as_sqlite_reads_them(database: sqlite3.Connection, tmp_path: Path) -> None:
    fill(database)
    image = Image.read(tmp_path / "some.db")
    roots = image.roots()
    clustered = [cell.values for cell in image.cells(roots["clustered"])]
    assert clustered == database.execute("SELECT a, b, c FROM clustered ORDER BY a, b").fetchall()
    plain = [(cell.rowid, cell.values[1], cell.sizes[2]) for cell in image.cells(roots["plain"])]
    assert plain == database.execute("SELECT id, size, length(blob) FROM plain ORDER BY id").fetchall()


def test_free_pages_and_what_is_left_in_them_are_found(database: sqlite3.Connection, tmp_path: Path) -> None:
    fill(database)
    database.execute("PRAGMA secure_delete = OFF").fetchone()
    seals = {seal for (seal,) in database.execute("SELECT c FROM clustered")}
    database.execute("DELETE FROM clustered")
    (free,) = database.execute("PRAGMA freelist_count").fetchone()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    image = Image.read(tmp_path / "some.db")
    assert len(set(image.free_pages())) == free > 0
    pattern = re.compile(rb"\x05\x2c[\x01-\x06\x08\x09]\x81\x7c")
    left = {cell.values[2] for number, page in image.pages.items() for cell in carve(page, number, pattern)}
    assert len(left & seals) > MANY // 2


def test_the_log_is_read_commit_by_commit(database: sqlite3.Connection, tmp_path: Path) -> None:
    fill(database)
    for number in range(5):
        database.execute("INSERT INTO plain VALUES (?, 0, x'')", (number,))
    commits = read_log(tmp_path / "some.db-wal")
    assert len(commits) == 5
    shutil.copyfile(tmp_path / "some.db", tmp_path / "copy.db")
    image = Image.read(tmp_path / "copy.db")
    for number, commit in enumerate(commits):
        image.pages.update(commit)
        ids = {cell.rowid for cell in image.cells(image.roots()["plain"])}
        assert ids & set(range(5)) == set(range(number + 1))


def test_no_log_and_an_empty_log_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert read_log(tmp_path / "empty") == read_log(tmp_path / "none") == []


# the measure


def test_who_knows_everything_is_always_right_and_who_guesses_is_as_good_as_chance() -> None:
    dice = random.Random(2)
    pairs = all_pairs(100)
    answers = [dice.random() < 0.1 for _ in pairs]
    knows = measure([Ranking.by([float(answer) for answer in answers], pairs, answers, 100)])
    guesses = measure([Ranking.by([dice.random() for _ in pairs], pairs, answers, 100)])
    assert knows.precision == 1
    assert knows.chance == pytest.approx(sum(answers) / len(answers))
    assert guesses.low < 0 < guesses.high
    assert abs(guesses.advantage) < 0.05


def test_two_rankings_are_compared_on_the_same_draws() -> None:
    dice = random.Random(3)
    pairs = all_pairs(60)
    answers = [dice.random() < 0.1 for _ in pairs]
    good, bad = ([Ranking.by([answer * part + dice.random() for answer in answers], pairs, answers, 60)] for part in (2.0, 0.2))
    assert difference(good, good) == (0, 0, 0)
    better, low, high = difference(good, bad)
    assert 0 < low <= better <= high


# the learner


def test_features_of_any_shape_are_learnt_and_empty_ones_ignored() -> None:
    """One rises, one has a peak, one is noise, one says nothing; they are weighed, and what was learnt holds for another sample."""

    def sample(seed: int) -> tuple[dict[str, list[float]], list[bool]]:
        dice = random.Random(seed)
        answers = [dice.random() < 0.1 for _ in range(6_000)]
        rising = [answer + dice.gauss(0, 0.7) for answer in answers]
        peak = [dice.gauss(0, 0.4) if answer else dice.uniform(-3, 3) for answer in answers]
        return {"rising": rising, "peak": peak, "noise": [dice.random() for _ in answers], "none": [0.0] * len(answers)}, answers

    learner = Learner.learn(*sample(1))
    features, answers = sample(2)

    def hits(scores: list[float]) -> float:
        best = sorted(range(len(scores)), key=lambda place: -scores[place])[: sum(answers)]
        return sum(answers[place] for place in best) / len(best)

    assert hits(learner.scores(features)) > max(hits(values) for values in features.values()) + 0.1
    assert hits(learner.scores(features)) > hits(learner.scores({"peak": features["peak"]})) > 0.2


def test_a_feature_that_is_the_answer_decides() -> None:
    dice = random.Random(4)
    answers = [dice.random() < 0.05 for _ in range(3_000)]
    told = [answer * dice.random() for answer in answers]
    learner = Learner.learn({"told": told, "noise": [dice.random() for _ in answers]}, answers)
    other = {"told": [0.001, 0.0], "noise": [0.0, 1.0]}
    assert learner.scores(other)[0] > learner.scores(other)[1]


# the towns


def test_in_the_even_town_everybody_gets_as_many() -> None:
    plan = draw_even(1, 300, 1500)
    counts = [0] * 300
    for message in plan.messages():
        for reader in message.readers:
            counts[reader] += 1
    assert 1500 <= len(plan.messages()) < 1500 + len(plan.groups)
    assert min(counts) == max(counts) > 10
    assert {len(group) for group in plan.groups} >= {2, 3, 12, 30}


def test_the_lively_town_has_every_habit_and_all_sizes() -> None:
    plan = draw_lively(1, 300, 1500, 4)
    assert plan == draw_lively(1, 300, 1500, 4)
    assert len(plan.days) == 4
    assert set(plan.habits) == set(Habit)
    assert [message.number for message in plan.messages()] == list(range(1500))
    sizes = [message.size_bytes for message in plan.messages()]
    assert min(sizes) < 6_000 < 20_000 < 1_000_000 < max(sizes)
