# SPDX-License-Identifier: AGPL-3.0-or-later
"""One thread owns the connection that writes. It takes whatever is waiting, makes one transaction of it, waits for one fsync, then
answers everybody.

Jobs of one batch come from callers that do not wait for each other, so their order within the batch is ours: deliveries go together
into a few statements, and so do removals. A job that fails fails alone. When the transaction cannot be made durable, all of its jobs
fail and nothing of them has happened.

The queue is bounded by jobs and by bytes; a full queue refuses with StoreUnavailable at once.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from razdar.ports.store import StoreFull, StoreUnavailable

from .faults import is_full, is_of_the_disk
from .lineage import Lineage
from .reserve import Reserve
from .upkeep import Upkeep

T = TypeVar("T")

WAITING_JOBS = 4096
WAITING_BYTES = 64 * 1024 * 1024
"""Default for the settings' `store_waiting_bytes`."""
BATCH_JOBS = 256
BATCH_BYTES = 16 * 1024 * 1024
PAUSE_S = 0.1

Work = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
"""Takes the arguments of all jobs that have it in common and answers each."""


@dataclass(frozen=True, slots=True)
class Job:
    """`grows`: it needs more disk than it frees, so it is refused while the disk is full."""

    work: Work
    argument: Any
    future: asyncio.Future[Any]
    size_bytes: int
    grows: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job answered, or what it raised."""

    job: Job
    answer: Any = None
    error: Exception | None = None

    def tell(self) -> None:
        if self.job.future.done():  # its caller has gone
            return
        if self.error is not None:
            self.job.future.set_exception(self.error)
        else:
            self.job.future.set_result(self.answer)


class Writer:
    """Started with `start`, ended with `stop`; in between any coroutine may `run` or `join`."""

    def __init__(
        self, connection: sqlite3.Connection, upkeep: Upkeep, lineage: Lineage, reserve: Reserve, waiting_bytes: int = WAITING_BYTES
    ) -> None:
        self._connection = connection
        self._upkeep = upkeep
        self._lineage = lineage
        self._reserve = reserve
        self._waiting: deque[Job] = deque()
        self._waiting_bytes = 0
        self._waiting_bytes_max = waiting_bytes
        self._is_ending = False
        self._changed = threading.Condition()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._live, name="store writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Everything that waited has been done, the log is empty and the thread has ended."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    @property
    def pending(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    async def run(self, change: Callable[[sqlite3.Connection], T], *, grows: bool = False) -> T:
        """What `change` answered, once that is on stable storage. Raises StoreFull, StoreUnavailable, and what `change` raised."""
        answer: T = await self.join(_alone, change, grows=grows)
        return answer

    async def join(self, work: Work, argument: Any, *, size_bytes: int = 0, grows: bool = False) -> Any:
        """As `run`; jobs of the same `work` are done together."""
        job = Job(work, argument, self._loop.create_future(), size_bytes, grows)
        self._put(job)
        return await job.future

    def _put(self, job: Job) -> None:
        if job.grows and not self._reserve.is_held:
            raise StoreFull("the disk is full")
        with self._changed:
            if self._is_ending or not self._has_room(job.size_bytes):
                raise StoreUnavailable("closing" if self._is_ending else "too much is waiting")
            self._waiting.append(job)
            self._waiting_bytes += job.size_bytes
            self._changed.notify()

    def _has_room(self, size_bytes: int) -> bool:
        """A single job of any size has."""
        return not self._waiting or (len(self._waiting) < WAITING_JOBS and self._waiting_bytes + size_bytes <= self._waiting_bytes_max)

    # in the thread

    def _live(self) -> None:
        try:
            while batch := self._next_batch():
                self._answer(self._commit(batch))
                self._upkeep.committed()
        finally:  # also if the upkeep has a bug: nobody may wait for a thread that is gone
            with self._changed:
                self._is_ending = True
                left = list(self._waiting)
            self._answer(_refuse(left, StoreUnavailable("closed")))

    def _next_batch(self) -> list[Job]:
        """Waits for work and does the chores in the pauses; empty when there will be no more."""
        has_chores = True
        while True:
            batch = self._take(PAUSE_S if has_chores else None)
            if batch:
                return batch
            has_chores = self._upkeep.pause()
            if self._is_ending:
                return []

    def _take(self, patience_s: float | None) -> list[Job]:
        """The next batch; empty after `patience_s` without work and at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_ending, patience_s)
            batch: list[Job] = []
            size_bytes = 0
            while self._waiting and len(batch) < BATCH_JOBS and (not batch or size_bytes < BATCH_BYTES):
                batch.append(self._waiting.popleft())
                size_bytes += batch[-1].size_bytes
            self._waiting_bytes -= size_bytes
            return batch

    def _answer(self, outcomes: Sequence[Outcome]) -> None:
        def tell() -> None:
            for outcome in outcomes:
                outcome.tell()

        with suppress(RuntimeError):  # the loop is closed, so nobody waits
            self._loop.call_soon_threadsafe(tell)

    def _commit(self, batch: Sequence[Job]) -> list[Outcome]:
        """All together if possible; else each alone, so that one failure is one job's."""
        try:
            return self._transact(batch)
        except Exception as error:
            self._roll_back()
            if is_full(error) or (is_of_the_disk(error) and self._reserve.is_disk_full()):
                return self._make_room(batch)
            if is_of_the_disk(error):
                return _refuse(batch, StoreUnavailable("the disk does not answer"))
            if len(batch) == 1:
                return [Outcome(batch[0], error=error)]
        return [outcome for job in batch for outcome in self._commit([job])]

    def _transact(self, batch: Sequence[Job]) -> list[Outcome]:
        self._connection.execute("BEGIN IMMEDIATE")
        outcomes = [outcome for group in _groups(batch) for outcome in _do(self._connection, group)]
        self._lineage.advance(self._connection)
        self._connection.execute("COMMIT")
        self._lineage.remember()
        return outcomes

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # SQLite has done it by itself after most errors of the disk
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _make_room(self, batch: Sequence[Job]) -> list[Outcome]:
        """The disk is full: what grows is refused; what frees space is tried again in the space that was held back."""
        if not self._reserve.release():
            return _refuse(batch, StoreFull("the disk is full"))
        growing = [job for job in batch if job.grows]
        others = [job for job in batch if not job.grows]
        return _refuse(growing, StoreFull("the disk is full")) + (self._commit(others) if others else [])


def _do(connection: sqlite3.Connection, group: Sequence[Job]) -> list[Outcome]:
    answers = group[0].work(connection, [job.argument for job in group])
    return [Outcome(job, answer) for job, answer in zip(group, answers, strict=True)]


def _alone(connection: sqlite3.Connection, changes: Sequence[Callable[[sqlite3.Connection], Any]]) -> Sequence[Any]:
    (change,) = changes
    return [change(connection)]


def _groups(batch: Sequence[Job]) -> list[list[Job]]:
    """Jobs with the same work together, each of the others alone."""
    together: dict[Work, list[Job]] = {}
    alone = []
    for job in batch:
        if job.work is _alone:
            alone.append([job])
        else:
            together.setdefault(job.work, []).append(job)
    return [*together.values(), *alone]


def _refuse(batch: Sequence[Job], error: StoreUnavailable) -> list[Outcome]:
    return [Outcome(job, error=error) for job in batch]
