# SPDX-License-Identifier: AGPL-3.0-or-later
"""The memory of messages on their way (servers/memory.py)."""

import asyncio

import pytest

from razdar.servers.memory import LARGE_SHARE, SMALL_BYTES, MemoryBudget, Transfers

pytestmark = pytest.mark.anyio
LIMIT = SMALL_BYTES * 100


async def test_large_messages_leave_room_for_small_ones() -> None:
    budget = MemoryBudget(LIMIT)
    assert budget.resize(0, int(LIMIT * LARGE_SHARE))
    assert not budget.resize(0, SMALL_BYTES + 1)
    held = 0
    while budget.resize(0, SMALL_BYTES):
        held += 1
    assert held == 25
    assert budget.used_bytes == LIMIT
    assert budget.resize(SMALL_BYTES, 10), "smaller is always possible"


async def test_whoever_waits_comes_in_when_somebody_goes() -> None:
    budget = MemoryBudget(LIMIT)
    assert budget.resize(0, SMALL_BYTES)
    for _ in range(99):
        budget.resize(0, SMALL_BYTES)
    waiting = [asyncio.ensure_future(budget.wait(0, SMALL_BYTES, 30)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    budget.resize(SMALL_BYTES, 0)
    assert await waiting[0]
    assert not waiting[1].done()
    budget.resize(2 * SMALL_BYTES, 0)
    assert await asyncio.gather(*waiting) == [True, True, True]
    assert budget.used_bytes == LIMIT


async def test_patience_ends_and_a_cancelled_wait_leaves_nothing() -> None:
    budget = MemoryBudget(LIMIT)
    for _ in range(100):
        budget.resize(0, SMALL_BYTES)
    assert not await budget.wait(0, SMALL_BYTES, 0)
    leaving = asyncio.ensure_future(budget.wait(0, SMALL_BYTES, 30))
    staying = asyncio.ensure_future(budget.wait(0, SMALL_BYTES, 30))
    await asyncio.sleep(0)
    leaving.cancel()
    budget.resize(SMALL_BYTES, 0)
    assert await staying
    assert budget.used_bytes == LIMIT
    assert not budget._waiting


class Reader:
    """A connection that a transfer can end."""

    def __init__(self) -> None:
        self.was_stopped = False

    def stop(self) -> None:
        self.was_stopped = True


def test_the_account_that_holds_most_gives_way_and_nobody_for_more_than_that() -> None:
    transfers = Transfers(100)
    first, second, third, other = (Reader() for _ in range(4))
    assert transfers.begin(b"greedy", 30, first.stop)
    assert transfers.begin(b"greedy", 30, second.stop)
    assert transfers.begin(b"greedy", 30, third.stop)
    assert transfers.begin(b"modest", 30, other.stop)
    assert (first.was_stopped, second.was_stopped, other.was_stopped) == (True, False, False)
    assert transfers.used_bytes == 90
    assert not transfers.begin(b"greedy", 30, Reader().stop), "whoever holds most is asked to come again"
    assert not transfers.begin(b"third", 70, Reader().stop)
    assert not transfers.begin(b"fourth", 101, Reader().stop), "more than there is at all"


def test_what_was_read_makes_room() -> None:
    transfers, reader = Transfers(100), Reader()
    assert transfers.begin(b"anna", 60, reader.stop)
    assert transfers.begin(b"anna", 30, reader.stop)
    transfers.end(b"anna", reader.stop)
    transfers.end(b"anna", reader.stop)
    assert transfers.used_bytes == 0
    assert transfers.begin(b"bahar", 100, Reader().stop)
    assert not reader.was_stopped
