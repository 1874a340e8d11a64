# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parts of the SQLite store that can be looked at alone: the writer's batches, the reserve, the fresh bodies, the statements' plans."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from razdar.adapters.sqlite import deliveries, reads, removals, small
from razdar.adapters.sqlite.fresh import FreshBodies
from razdar.adapters.sqlite.lineage import Lineage
from razdar.adapters.sqlite.reserve import Reserve
from razdar.adapters.sqlite.schema import connect_writer, migrate
from razdar.adapters.sqlite.upkeep import Upkeep
from razdar.adapters.sqlite.writer import WAITING_JOBS, Writer
from razdar.model.ids import BodyId
from razdar.ports.store import StoreFull, StoreUnavailable

pytestmark = pytest.mark.anyio


class Bench:
    """A writer with a gate: while it is shut, the thread stands in a job and others pile up behind it."""

    def __init__(self, folder: Path) -> None:
        self.connection = connect_writer(folder / "store.db")
        migrate(self.connection)
        lineage = Lineage(folder, self.connection)
        lineage.begin(self.connection)
        self.reserve = Reserve(folder, 0)
        self.reserve.take()
        upkeep = Upkeep(folder, self.connection, lineage, self.reserve, 10**6)
        self.waiting_bytes = 1000
        self.writer = Writer(self.connection, upkeep, lineage, self.reserve, self.waiting_bytes)
        self.writer.start()
        self.gate = threading.Event()
        self.batches: list[list[Any]] = []

    async def shut(self) -> asyncio.Task[None]:
        standing = threading.Event()

        def stand(connection: sqlite3.Connection) -> None:
            standing.set()
            self.gate.wait(10)

        task = asyncio.create_task(self.writer.run(stand))
        await asyncio.to_thread(standing.wait, 10)
        return task

    def note(self, connection: sqlite3.Connection, arguments: Sequence[Any]) -> Sequence[Any]:
        """Work that many jobs have in common."""
        self.batches.append(list(arguments))
        for argument in arguments:
            connection.execute("INSERT INTO meta VALUES (?, 1)", (argument,))
        return [argument.upper() for argument in arguments]

    def noted(self) -> set[str]:
        rows = self.connection.execute("SELECT key FROM meta WHERE key LIKE 'note %'").fetchall()
        return {key for (key,) in rows}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.gate.set()
    await bench.writer.stop()
    bench.connection.close()


async def test_jobs_that_wait_are_done_together(bench: Bench) -> None:
    standing = await bench.shut()
    jobs = [asyncio.create_task(bench.writer.join(bench.note, f"note {number}")) for number in range(5)]
    await asyncio.sleep(0)
    bench.gate.set()
    assert await asyncio.gather(*jobs) == [f"NOTE {number}" for number in range(5)]
    assert bench.batches == [[f"note {number}" for number in range(5)]]
    await standing


async def test_a_job_that_fails_fails_alone(bench: Bench) -> None:
    standing = await bench.shut()
    names = ["note 1", "note 2", "note 1", "note 3"]
    jobs = [asyncio.create_task(bench.writer.join(bench.note, name)) for name in names]
    await asyncio.sleep(0)
    bench.gate.set()
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    assert [isinstance(answer, sqlite3.IntegrityError) for answer in answers] == [False, False, True, False]
    assert bench.noted() == {"note 1", "note 2", "note 3"}
    await standing


async def test_what_a_failing_job_has_written_is_undone(bench: Bench) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('note half', 1)")
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await bench.writer.run(fail)
    assert await bench.writer.join(bench.note, "note after") == "NOTE AFTER"
    assert bench.noted() == {"note after"}


async def test_a_caller_that_has_gone_disturbs_nobody(bench: Bench) -> None:
    standing = await bench.shut()
    gone, kept = (asyncio.create_task(bench.writer.join(bench.note, name)) for name in ("note gone", "note kept"))
    await asyncio.sleep(0)
    gone.cancel()
    bench.gate.set()
    assert await kept == "NOTE KEPT"
    await standing
    assert bench.noted() == {"note gone", "note kept"}  # it was on its way and nobody was told otherwise


async def test_the_queue_is_bounded_by_jobs(bench: Bench) -> None:
    standing = await bench.shut()
    jobs = [asyncio.create_task(bench.writer.run(lambda connection: None)) for _ in range(WAITING_JOBS)]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="too much"):
        await bench.writer.run(lambda connection: None)
    bench.gate.set()
    await asyncio.gather(standing, *jobs)
    await bench.writer.run(lambda connection: None)


async def test_the_queue_is_bounded_by_bytes_but_takes_one_of_any_size(bench: Bench) -> None:
    standing = await bench.shut()
    job = asyncio.create_task(bench.writer.join(bench.note, "note large", size_bytes=2 * bench.waiting_bytes))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="too much"):
        await bench.writer.join(bench.note, "note small", size_bytes=1)
    bench.gate.set()
    assert await job == "NOTE LARGE"
    await standing


async def test_stopping_finishes_what_waits_and_takes_nothing_more(bench: Bench) -> None:
    standing = await bench.shut()
    job = asyncio.create_task(bench.writer.join(bench.note, "note last"))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(bench.writer.stop())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="closing"):
        await bench.writer.run(lambda connection: None)
    bench.gate.set()
    await asyncio.gather(standing, stopping)
    assert await job == "NOTE LAST"


async def test_while_the_disk_is_full_only_what_frees_space_is_taken(bench: Bench) -> None:
    standing = await bench.shut()  # so that no chore gives the space back meanwhile
    bench.reserve.release()
    with pytest.raises(StoreFull):
        await bench.writer.run(lambda connection: None, grows=True)
    removal = asyncio.create_task(bench.writer.run(lambda connection: "removed"))
    await asyncio.sleep(0)
    bench.gate.set()
    assert await removal == "removed"
    await bench.writer.run(lambda connection: None)
    assert await bench.writer.run(lambda connection: "grown", grows=True) == "grown"  # there was room after all
    await standing


# the reserve


def test_the_reserve_is_real_space(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 200_000)
    assert reserve.take()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 200_000
    assert Reserve(tmp_path, 200_000).take()  # found again at the next start
    assert reserve.release()
    assert not (tmp_path / "reserve").exists()
    assert not reserve.is_held
    assert not reserve.release()


def test_a_reserve_of_another_size_is_made_anew(tmp_path: Path) -> None:
    Reserve(tmp_path, 200_000).take()
    assert Reserve(tmp_path, 100_000).take()
    assert (tmp_path / "reserve").stat().st_size == 100_000


def test_there_is_no_reserve_where_there_is_no_room(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 10**15)
    assert not reserve.take()
    assert not (tmp_path / "reserve").exists()


# fresh bodies


def test_fresh_bodies_keep_within_their_budget() -> None:
    fresh = FreshBodies(budget_bytes=1000)
    for number in range(20):
        fresh.add(BodyId(number), bytes(100))
    assert [fresh.find(BodyId(number)) is not None for number in range(20)] == [False] * 10 + [True] * 10


def test_a_large_body_does_not_push_out_the_others() -> None:
    fresh = FreshBodies(budget_bytes=1000)
    fresh.add(BodyId(1), b"small")
    fresh.add(BodyId(2), bytes(500))
    assert fresh.find(BodyId(1)) == b"small"
    assert fresh.find(BodyId(2)) is None


def test_what_is_gone_is_not_fresh() -> None:
    fresh = FreshBodies(budget_bytes=1000)
    fresh.add(BodyId(1), bytes(100))
    fresh.add(BodyId(1), bytes(100))
    fresh.drop([BodyId(1), BodyId(9)])
    assert fresh.find(BodyId(1)) is None
    for number in range(10):
        fresh.add(BodyId(number), bytes(100))
    assert fresh.find(BodyId(0)) is not None  # nothing was counted twice
    fresh.clear()
    assert fresh.find(BodyId(0)) is None


# plans


@pytest.mark.parametrize("module", [deliveries, removals, reads, small])
def test_no_statement_of_the_daily_work_reads_a_whole_table(module: Any) -> None:
    connection = sqlite3.connect(":memory:")
    migrate(connection)
    statements = [text for text in vars(module).values() if isinstance(text, str) and "json_each" in text and "{" not in text]
    assert statements
    for statement in statements:
        bound: Any = {"rows": "[]", "strip": b"", "last": 0, "full": 0} if ":rows" in statement else (b"", 0, "[]")
        plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, bound)]
        scans = [step for step in plan if step.startswith("SCAN") and "json_each" not in step and "subquery" not in step]
        assert scans == [], statement
        assert not any("SEARCH entry" in step and step.endswith("folder=?)") and "uid" in statement.split("WHERE")[-1] for step in plan)
    connection.close()
