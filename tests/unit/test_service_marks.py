# SPDX-License-Identifier: AGPL-3.0-or-later
"""services/marks.py: a mark \\Deleted that CLOSE follows at once is never written; one that stays is, and nobody sees an old state."""

import asyncio

import pytest
from tests.service_world import World

from razdar.model.ids import Uid
from razdar.model.message import Flag
from razdar.ports.store import StoreUnavailable
from razdar.services import marks as marks_module
from razdar.services.accounts import Login
from razdar.services.mailbox import OpenMailbox
from razdar.vault.seal import unseal

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> World:
    return World()


async def mailbox_of(world: World, count: int = 3) -> Login:
    """Somebody with so many messages waiting."""
    anna, boris = await world.members("anna", "boris")
    for number in range(count):
        await world.send(boris, anna, seed=number)
    return anna


async def mark(mailbox: OpenMailbox, uids: list[int], *names: str) -> None:
    await mailbox.set_flags([Uid(uid) for uid in uids], lambda before: before | mailbox.canonical(names))


async def written(world: World, login: Login) -> set[int]:
    """UIDs whose seal in the store carries \\Deleted."""
    entries = await world.store.entries(login.inbox)
    return {entry.uid for entry in entries if unseal(login.private_key, entry.seal).flags & Flag.DELETED}


async def flags_of(mailbox: OpenMailbox, uid: int) -> set[str]:
    opened = await mailbox.opened([Uid(uid)])
    return set(mailbox.flag_names(opened[Uid(uid)].secret))


async def test_what_is_closed_at_once_costs_one_transaction(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [1, 2], "\\Deleted")
    assert await flags_of(phone, 1) == {"\\Deleted"}
    assert list(await phone.expunge([Uid(1), Uid(2), Uid(3)])) == [1, 2]
    await phone.settle()
    assert world.staged.calls["reseal"] == 0
    assert [entry.uid for entry in await world.store.entries(anna.inbox)] == [3]


async def test_a_pause_writes_it(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [2], "\\Deleted")
    assert await written(world, anna) == set()
    await phone.settle()
    assert await written(world, anna) == {2}


async def test_time_writes_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks_module, "WRITE_AFTER_S", 0.0)
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [2], "\\Deleted")
    async with asyncio.timeout(5):
        while await written(world, anna) != {2}:  # noqa: ASYNC110 - the timer is the subject
            await asyncio.sleep(0)


async def test_another_device_that_opens_the_mailbox_sees_it(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [2], "\\Deleted")
    laptop = await world.open(anna)
    assert await flags_of(laptop, 2) == {"\\Deleted"}


async def test_with_a_second_device_it_is_written_at_once(world: World) -> None:
    anna = await mailbox_of(world)
    phone, laptop = await world.open(anna), await world.open(anna)
    await mark(phone, [2], "\\Deleted")
    assert await written(world, anna) == {2}
    laptop.close()
    await mark(phone, [3], "\\Deleted")
    assert await written(world, anna) == {2}


async def test_a_mark_that_is_taken_back_before_it_was_written(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [2], "\\Deleted")
    await phone.set_flags([Uid(2)], lambda before: before - {"\\Deleted"})
    await phone.settle()
    assert await written(world, anna) == set()
    assert list(await phone.expunge([Uid(2)])) == []


async def test_other_flags_take_it_along(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [2], "\\Deleted")
    await mark(phone, [2], "\\Seen")
    assert await written(world, anna) == {2}
    assert await flags_of(phone, 2) == {"\\Deleted", "\\Seen"}


async def test_a_store_that_cannot_write_now_is_asked_again(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [2], "\\Deleted")
    world.staged.broken["reseal"] = StoreUnavailable("the disk does not answer")
    await phone.settle()
    assert await flags_of(phone, 2) == {"\\Deleted"}
    world.staged.broken.clear()
    await phone.settle()
    assert await written(world, anna) == {2}


async def test_many_at_once_are_written_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks_module, "MARKS_MAX", 2)
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [1, 2, 3], "\\Deleted")
    assert await written(world, anna) == {1, 2, 3}
