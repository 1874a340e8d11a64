# SPDX-License-Identifier: AGPL-3.0-or-later
"""services/deleted_search.py: what was marked \\Deleted before the relay started goes with the next CLOSE, which waits for it only in small
mailboxes, also when very many devices come back at once (RFC 3501 sections 6.4.2 and 6.4.3)."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.service_world import World

from razdar.adapters.crew import ThreadCrew
from razdar.model.ids import Uid
from razdar.ports.bus import Change, Removed
from razdar.ports.store import StoreUnavailable
from razdar.services.accounts import Login
from razdar.services.mailbox import OpenMailbox

pytestmark = pytest.mark.anyio

MANY = 40
"""Seals, more than are opened on the event loop."""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def crew() -> Iterator[ThreadCrew]:
    """Overflows when three wait."""
    crew = ThreadCrew(1, 3)
    yield crew
    crew.close()


async def restarted(world: World, count: int = MANY, marked: tuple[int, ...] = (1, 2)) -> Login:
    """Somebody with so many messages, of which some were marked before the relay was started anew."""
    anna, boris = await world.members("anna", "boris")
    for number in range(count):
        await world.send(boris, anna, seed=number)
    phone = await world.open(anna)
    await mark(phone, *marked)
    await phone.write_marks()
    phone.close()
    world.mailboxes = world.make_mailboxes()
    return anna


async def mark(mailbox: OpenMailbox, *uids: int) -> None:
    await mailbox.set_flags(list(map(Uid, uids)), lambda before: before | {"\\Deleted"})


async def close(mailbox: OpenMailbox) -> list[Uid]:
    return list(await mailbox.expunge(mailbox.uids, is_closing=True))


async def left(world: World, login: Login) -> set[int]:
    return set(await world.uids(login))


async def test_closing_a_large_mailbox_takes_what_was_marked_now_and_opens_nothing_else(world: World) -> None:
    anna = await restarted(world)
    phone = await world.open(anna)
    await mark(phone, 5)
    world.crew.busy_for = -1  # whatever needs it fails
    assert await close(phone) == [5]
    assert {1, 2} <= await left(world, anna)
    await world.mailboxes.searches.close()


async def test_what_was_marked_before_goes_a_little_later_and_every_device_hears_of_it(world: World) -> None:
    anna = await restarted(world)
    heard: list[Change] = []
    phone, _laptop = await world.open(anna), await world.open(anna, listener=heard.append)
    assert await close(phone) == []
    await world.mailboxes.searches.finish()
    assert heard == [Removed([Uid(1), Uid(2)])]
    assert await left(world, anna) == set(range(3, MANY + 1))
    assert world.mailboxes.deleted.marked(anna.inbox) == frozenset()


async def test_the_search_is_made_once(world: World) -> None:
    anna = await restarted(world)
    phone = await world.open(anna)
    await close(phone)
    await world.mailboxes.searches.finish()
    await mark(phone, 7)
    assert await close(phone) == [7]
    assert world.mailboxes.searches.pending == 0


async def test_a_small_mailbox_is_searched_at_once(world: World) -> None:
    anna = await restarted(world, count=4)
    phone = await world.open(anna)
    assert await close(phone) == [1, 2]
    assert world.mailboxes.searches.pending == 0


async def test_expunge_waits_for_everything(world: World) -> None:
    anna = await restarted(world)
    phone = await world.open(anna)
    assert list(await phone.expunge(phone.uids)) == [1, 2]


async def test_what_another_device_marks_meanwhile_is_its_own_to_expunge(world: World) -> None:
    anna = await restarted(world)
    phone, laptop = await world.open(anna), await world.open(anna)
    await close(phone)
    await mark(laptop, 9)
    await world.mailboxes.searches.finish()
    assert await left(world, anna) == set(range(3, MANY + 1))
    assert await close(laptop) == [9]


async def test_a_mark_that_is_taken_back_meanwhile_saves_the_message(world: World) -> None:
    for seed in range(20):
        world = World(seed=seed)
        anna = await restarted(world)
        phone, laptop = await world.open(anna), await world.open(anna)
        await close(phone)
        is_saved = 1 in await laptop.set_flags([Uid(1)], lambda before: before - {"\\Deleted"})
        await world.mailboxes.searches.finish()
        assert (1 in await left(world, anna)) == is_saved


async def test_a_busy_crew_makes_it_wait_and_fails_nobody(world: World) -> None:
    anna = await restarted(world)
    phone = await world.open(anna)
    world.crew.busy_for = 3
    assert await close(phone) == []
    await world.mailboxes.searches.finish()
    assert world.paused_s[-3:] == [0.2, 0.2, 0.2]
    assert not {1, 2} & await left(world, anna)


async def test_very_many_devices_that_come_back_at_once_all_close(world: World, crew: ThreadCrew) -> None:
    """Each of them once had all of its seals opened at that moment, and the work overflowed the crew's queue."""
    people = await world.members(*(f"device{number}" for number in range(30)))
    for number in range(MANY):
        await world.send(people[0], *people, seed=number)
    world.crew = crew  # type: ignore[assignment]
    world.mailboxes = world.make_mailboxes()
    phones = [await world.open(login) for login in people]
    assert await asyncio.gather(*map(close, phones)) == [[] for _ in people]
    await world.mailboxes.searches.finish()
    assert [world.mailboxes.deleted.marked(login.inbox) for login in people] == [frozenset() for _ in people]


async def test_when_the_store_does_not_answer_the_next_close_asks_again(world: World) -> None:
    anna = await restarted(world)
    phone = await world.open(anna)
    world.staged.broken["entries"] = StoreUnavailable("no")
    await close(phone)
    await world.mailboxes.searches.finish()
    world.staged.broken.clear()
    assert world.mailboxes.deleted.marked(anna.inbox) is None
    await close(phone)
    await world.mailboxes.searches.finish()
    assert not {1, 2} & await left(world, anna)


async def test_our_own_bug_is_told_and_stops_nobody(world: World) -> None:
    anna = await restarted(world)
    phone, bug = await world.open(anna), RuntimeError("ours")
    world.staged.broken["entries"] = bug
    await close(phone)
    await world.mailboxes.searches.finish()
    assert (world.bugs, world.mailboxes.searches.pending) == ([bug], 0)


async def test_it_ends_with_the_relay(world: World) -> None:
    anna = await restarted(world)
    await close(await world.open(anna))
    await world.mailboxes.searches.close()
    assert world.mailboxes.searches.pending == 0
    assert {1, 2} <= await left(world, anna)
