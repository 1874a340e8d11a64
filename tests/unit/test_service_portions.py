# SPDX-License-Identifier: AGPL-3.0-or-later
"""services/transfer.py: COPY, MOVE, EXPUNGE and RENAME INBOX of more messages than go into one transaction."""

import pytest
from tests.service_world import World

from razdar.model.ids import Uid
from razdar.ports.store import StoreFull
from razdar.services import transfer
from razdar.services.accounts import Login
from razdar.services.folders import FolderRefused
from razdar.services.mailbox import OpenMailbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(transfer, "CHANGED_AT_ONCE", 2)
    return World()


async def phone_of(world: World, count: int = 5) -> tuple[Login, OpenMailbox]:
    anna, boris = await world.members("anna", "boris")
    for number in range(count):
        await world.send(boris, anna, seed=number)
    return anna, await world.open(anna)


def breaks_at_the_second(world: World, method: str) -> None:
    """The first call of that method works, the next ones find a full disk."""

    async def break_later() -> None:
        async def break_now() -> None:
            raise StoreFull

        world.staged.before[method] = break_now

    world.staged.before[method] = break_later


async def test_a_copy_in_portions(world: World) -> None:
    anna, phone = await phone_of(world)
    target = await world.folders.create(anna, "Archive")
    assert await phone.copy(phone.uids, target) == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}
    assert world.staged.calls["copy"] == 3
    assert len(await world.read(anna, "Archive")) == 5


async def test_a_copy_that_fails_leaves_nothing(world: World) -> None:
    """RFC 3501 section 6.4.7: the destination is as it was."""
    anna, phone = await phone_of(world)
    target = await world.folders.create(anna, "Archive")
    other = await world.open(anna, "Archive")
    breaks_at_the_second(world, "copy")
    with pytest.raises(StoreFull):
        await phone.copy(phone.uids, target)
    assert await world.store.uids(target.id) == []
    assert await other.opened([Uid(1), Uid(2)]) == {}
    await phone.set_flags(phone.uids, lambda _: frozenset({"\\Deleted"}))
    await phone.expunge(phone.uids)
    assert (await world.store.totals()).bodies == 0  # no share of a body was left behind


async def test_a_move_that_fails_loses_nothing(world: World) -> None:
    anna, phone = await phone_of(world)
    target = await world.folders.create(anna, "Archive")
    breaks_at_the_second(world, "move")
    moved: dict[Uid, Uid] = {}
    with pytest.raises(StoreFull):
        await phone.move(phone.uids, target, moved)
    assert moved == {1: 1, 2: 2}
    assert len(await world.read(anna, "Archive")) == 2
    assert len(await world.read(anna)) == 3


async def test_expunge_in_portions(world: World) -> None:
    anna, phone = await phone_of(world)
    await phone.set_flags(phone.uids, lambda _: frozenset({"\\Deleted"}))
    assert await phone.expunge(phone.uids) == [1, 2, 3, 4, 5]
    assert await world.uids(anna) == []


async def test_a_tally_in_portions(world: World) -> None:
    anna, phone = await phone_of(world)
    await phone.set_flags(phone.uids[:2], lambda _: frozenset({"\\Seen", "\\Deleted"}))
    tally = await world.mailboxes.tally(anna, phone.folder)
    assert (tally.unseen, tally.deleted) == (3, 2)
    assert tally.size_bytes == sum(map(len, await world.read(anna)))


async def test_renaming_the_inbox_moves_its_messages(world: World) -> None:
    """RFC 3501 section 6.3.5."""
    anna, phone = await phone_of(world)
    before = await world.read(anna)
    await world.mailboxes.rename(anna, "inbox", "Old")
    assert await world.read(anna, "Old") == before
    assert await world.uids(anna) == []
    assert await phone.opened(phone.uids) == {}
    with pytest.raises(FolderRefused) as refused:
        await world.mailboxes.rename(anna, "INBOX", "Old")
    assert refused.value.code == "ALREADYEXISTS"


async def test_renaming_another_folder_is_left_to_the_folders(world: World) -> None:
    anna, _ = await phone_of(world, 0)
    await world.folders.create(anna, "a")
    await world.mailboxes.rename(anna, "a", "b")
    assert [folder.secret.name for folder in await world.folders.all(anna)] == ["INBOX", "b"]
