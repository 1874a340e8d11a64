# SPDX-License-Identifier: AGPL-3.0-or-later
"""The crew's lanes (adapters/crew.py): networks take turns, the longest lane gives way, and no thread is ever lost."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from razdar.adapters.crew import ThreadCrew
from razdar.ports.crew import CrewBusy

pytestmark = pytest.mark.anyio


@contextmanager
def crew(at_once: int, waiting: int) -> Iterator[ThreadCrew]:
    made = ThreadCrew(at_once, waiting)
    yield made
    made.close()


async def test_lanes_take_turns() -> None:
    """A flood from one network does not make the others wait behind it (VECTORS "accounts": a school is not locked out)."""
    done: list[str] = []
    with crew(1, 100) as one:
        gate = threading.Event()
        first = asyncio.ensure_future(one.run(gate.wait))
        await asyncio.sleep(0)
        flood = [asyncio.ensure_future(one.run(lambda: done.append("flood"), b"flood")) for _ in range(20)]
        school = [asyncio.ensure_future(one.run(lambda: done.append("school"), b"school")) for _ in range(5)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *flood, *school)
    assert done[:10].count("school") == 5


async def test_when_the_queue_is_full_the_longest_lane_gives_way() -> None:
    with crew(1, 6) as one:
        gate = threading.Event()
        first = asyncio.ensure_future(one.run(gate.wait))
        await asyncio.sleep(0)
        flood = [asyncio.ensure_future(one.run(lambda: 1, b"flood")) for _ in range(6)]
        await asyncio.sleep(0)
        with pytest.raises(CrewBusy):
            await one.run(lambda: 1, b"flood")
        school = [asyncio.ensure_future(one.run(lambda: 2, b"school")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(CrewBusy):
            await one.run(lambda: 2, b"school")
        gate.set()
        answers = await asyncio.gather(first, *flood, *school, return_exceptions=True)
        assert [answer for answer in answers if answer == 2] == [2, 2, 2]
        assert sum(isinstance(answer, CrewBusy) for answer in answers) == 3
        assert one.pending == 0


@pytest.mark.parametrize("seed", range(5))
async def test_no_thread_is_lost_however_work_ends(seed: int) -> None:
    chance = random.Random(seed)

    def work(number: int) -> int:
        if number % 3 == 0:
            raise ValueError(number)
        return number

    with crew(2, 10) as two:
        running = []
        for number in range(200):
            lane = bytes([chance.randrange(4)])
            running.append(asyncio.ensure_future(two.run(lambda number=number: work(number), lane)))  # type: ignore[misc]
            if chance.random() < 0.4:
                chance.choice(running).cancel()
            if chance.random() < 0.3:
                await asyncio.sleep(0)
        answers = await asyncio.gather(*running, return_exceptions=True)
        assert all(isinstance(answer, int | ValueError | CrewBusy | asyncio.CancelledError) for answer in answers)
        with suppress(CrewBusy):
            assert await asyncio.gather(*(two.run(lambda: 7) for _ in range(8))) == [7] * 8
        assert two.pending == 0
        assert two._free == 2
