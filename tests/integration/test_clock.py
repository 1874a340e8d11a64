# SPDX-License-Identifier: AGPL-3.0-or-later
"""The wall clock may be a year wrong, in either direction, and jump: nothing is ever deleted by it, and nothing is kept for ever.

Services over the real store, with clocks that go as the test says. Days are relay days, which the relay counts while it runs.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.service_world import START_S, FakeClock, World

from razdar.adapters.memory import MemoryStore
from razdar.adapters.sqlite import open_store
from razdar.model.verdict import Accept
from razdar.services.accounts import Login
from razdar.services.calendar import DAY_S, GAP_S, Calendar

YEAR_S = 365 * 86_400
TICK_S = 60.0
pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A relay over a store on disk."""
    store = await open_store(tmp_path, reserve_bytes=65_536, wal_bytes=1 << 20)
    world = World()
    world.build(store)
    yield world
    await store.close()


async def run_for(world: World, seconds: float, tick_s: float = GAP_S) -> None:
    """The relay runs so long, with its chores."""
    for _ in range(round(seconds / tick_s)):
        world.clock.monotonic_s += tick_s
        world.clock.now_s += int(tick_s)
        await world.calendar.tick()


async def run_days(world: World, days: float) -> None:
    await run_for(world, days * DAY_S)


async def somebody_with_everything(world: World) -> tuple[Login, bytes]:
    """An account with a waiting message and a push token, and an invite."""
    ali, bahar = await world.members("ali-------", "bahar-----")
    assert isinstance(await world.send(ali, bahar), Accept)
    assert await world.tokens.put(bahar, b"openpgp:token")
    token = await world.invites.make(uses=3, days=7)
    return bahar, token.encode()


async def everything_is_there(world: World, login: Login, invite: bytes, messages: int = 1) -> bool:
    return (
        len(await world.read(login)) == messages
        and await world.store.account(login.account) is not None
        and await world.store.tokens(login.account) == [b"openpgp:token"]
        and await world.invites.uses(invite.decode()) == 3
    )


@pytest.mark.parametrize("jumps_s", [(YEAR_S, -YEAR_S), (-YEAR_S, YEAR_S), (50 * YEAR_S, -55 * YEAR_S)], ids=["forward", "back", "far"])
async def test_a_wrong_wall_clock_deletes_nothing(world: World, jumps_s: tuple[int, int]) -> None:
    login, invite = await somebody_with_everything(world)
    for jump_s in jumps_s:
        world.clock.now_s = max(0, world.clock.now_s + jump_s)
        await run_for(world, 3_600, TICK_S)
        assert await world.store.expire() == 0, "even when asked to look at once"
        assert await everything_is_there(world, login, invite)
    assert world.calendar.day == 1


@pytest.mark.slow  # thousands of commits: the day's progress is stored every ten minutes
async def test_mail_of_the_wrong_time_lives_as_long_as_any_other(world: World) -> None:
    """What came while the clock was a year ahead, a year behind or right goes together."""
    ali, bahar = await world.members("ali-------", "bahar-----")
    for seed, now_s in enumerate((START_S + YEAR_S, START_S - YEAR_S, START_S)):
        world.clock.now_s = now_s
        assert isinstance(await world.send(ali, bahar, seed=seed), Accept)
    await run_days(world, world.settings.keep_days)
    assert len(await world.read(bahar)) == 3
    await run_days(world, 1)
    assert await world.read(bahar) == []


@pytest.mark.slow  # thousands of commits: the day's progress is stored every ten minutes
async def test_each_thing_goes_on_its_relay_day(world: World) -> None:
    """So that the tests above do not pass because nothing ever goes."""
    login, invite = await somebody_with_everything(world)
    await run_days(world, world.settings.keep_days)
    assert len(await world.read(login)) == 1, "the published time is a promise"
    assert await world.invites.uses(invite.decode()) == 0
    await run_days(world, 1)
    assert await world.read(login) == []
    assert await world.store.account(login.account) is not None
    await run_days(world, 100)
    assert await world.store.tokens(login.account) == []


async def test_days_of_standing_still_do_not_count(world: World) -> None:
    """A stopped process (SIGSTOP, a debugger) and a paused virtual machine find a monotonic clock that went on."""
    login, invite = await somebody_with_everything(world)
    for _ in range(40):
        world.clock.monotonic_s += 40 * DAY_S
        await world.calendar.tick()
    assert world.calendar.day == 1
    assert await everything_is_there(world, login, invite)


async def test_a_cut_stops_the_days_and_its_end_starts_them(world: World) -> None:
    login, invite = await somebody_with_everything(world)
    world.change(days_stand_still=True)
    await run_days(world, 60)
    assert world.calendar.day == 1
    assert await everything_is_there(world, login, invite)
    world.change(days_stand_still=False)
    await run_days(world, 1)
    assert world.calendar.day == 2


async def test_the_day_survives_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        store = await open_store(tmp_path, reserve_bytes=65_536, wal_bytes=1 << 20)
        clock = FakeClock(now_s=START_S - expected * YEAR_S)
        calendar = Calendar(store, clock, await store.day(), await store.minutes())
        assert calendar.day == expected
        for _ in range(int(DAY_S / GAP_S)):
            clock.monotonic_s += GAP_S
            await calendar.tick()
        await store.close()


async def test_a_laptop_that_is_switched_off_every_evening_has_days(tmp_path: Path) -> None:
    """20 hours a day for 6 days are 5 relay days; each restart may lose ten minutes."""
    for _ in range(6):
        store = await open_store(tmp_path, reserve_bytes=65_536, wal_bytes=1 << 20)
        clock = FakeClock()
        calendar = Calendar(store, clock, await store.day(), await store.minutes())
        for _ in range(20 * 6):
            clock.monotonic_s += GAP_S
            await calendar.tick()
        await store.close()
    store = await open_store(tmp_path, reserve_bytes=65_536, wal_bytes=1 << 20)
    assert (await store.day() - 1) * 24 * 60 + await store.minutes() >= 6 * 20 * 60 - 6 * 10
    await store.close()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(0, 40 * DAY_S), st.integers(-2 * YEAR_S, 2 * YEAR_S), st.booleans()),
        min_size=1,
        max_size=400,
    )
)
@example([(GAP_S, 0, False)] * 144)
@example([(DAY_S, YEAR_S, False)] * 30)
def test_never_more_days_than_the_relay_ran(steps: list[tuple[float, int, bool]]) -> None:
    """Whatever both clocks do; steps are (seconds between two ticks, jump of the wall clock, whether it is a cut)."""

    async def run() -> tuple[int, float]:
        clock, ran_s = FakeClock(), 0.0
        cut = False
        calendar = Calendar(MemoryStore(), clock, 1, 0, lambda: cut)
        for passed_s, jump_s, is_standing in steps:
            clock.monotonic_s += passed_s
            clock.now_s += jump_s
            cut = is_standing
            before = calendar.day
            began = await calendar.tick()
            assert calendar.day == before + began, "at most one at a time"
            ran_s += 0 if is_standing else min(passed_s, GAP_S)
        return calendar.day, ran_s

    day, ran_s = asyncio.run(run())
    assert day - 1 <= ran_s / DAY_S + 1e-6
    assert day - 1 >= ran_s // DAY_S - 1e-6 or ran_s % DAY_S < 1, "and not fewer either"
