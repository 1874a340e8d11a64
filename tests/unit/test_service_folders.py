# SPDX-License-Identifier: AGPL-3.0-or-later
"""services/folders.py: names are sealed, devices change them at the same moment, and nothing is half renamed."""

import asyncio

import pytest
from tests.service_world import World

from razdar.model.ids import MailboxId, Uid
from razdar.ports.bus import Change, Removed
from razdar.ports.store import StoreFull
from razdar.services.accounts import Login
from razdar.services.folders import Folder, FolderRefused

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> World:
    return World()


async def names(world: World, login: Login) -> list[str]:
    return [folder.secret.name for folder in await world.folders.all(login)]


async def made(world: World, login: Login, *wanted: str) -> list[Folder]:
    return [await world.folders.create(login, name) for name in wanted]


async def refused(work: object) -> str | None:
    """The response code of a request that cannot be met."""
    with pytest.raises(FolderRefused) as caught:
        await work  # type: ignore[misc]
    return caught.value.code


async def test_a_new_account_has_one_folder(world: World) -> None:
    assert await names(world, await world.member("anna")) == ["INBOX"]


async def test_names_are_sealed(world: World) -> None:
    anna = await world.member("anna")
    await made(world, anna, "Secret plans")
    assert b"Secret plans" not in repr(world.staged.inner._state).encode()
    boris = await world.member("boris")
    assert await names(world, boris) == ["INBOX"]


@pytest.mark.parametrize("name", ["inbox", "INBOX", "", "/", "a//b", "/a", "a*", "a%b", "a\nb", "a\0", "x" * 201, "چ" * 101])
async def test_names_that_cannot_be_used(world: World, name: str) -> None:
    anna = await world.member("anna")
    assert await refused(world.folders.create(anna, name)) in {"CANNOT", "LIMIT", "ALREADYEXISTS"}
    await made(world, anna, "a")
    assert await refused(world.folders.rename(anna, "a", name)) in {"CANNOT", "LIMIT", "ALREADYEXISTS"}


@pytest.mark.parametrize("name", ["گروه/خانواده", '"' * 100, "\\" * 100, "a b", "INBOX/a", "x" * 200])
async def test_unusual_names(world: World, name: str) -> None:
    anna = await world.member("anna")
    await made(world, anna, name)
    await world.folders.add_keywords(anna, MailboxId(anna.account, 1), tuple(f"{number:040}" for number in range(32)))
    found = await world.folders.find(anna, name)
    assert found is not None
    assert len(found.secret.keywords) == 32


async def test_inbox_is_found_in_any_case_and_stays(world: World) -> None:
    anna = await world.member("anna")
    found = await world.folders.find(anna, "inBox")
    assert found is not None
    assert found.id == anna.inbox
    assert await refused(world.folders.delete(anna, "Inbox")) == "CANNOT"


async def test_there_is_a_bound(world: World) -> None:
    anna = await world.member("anna")
    await made(world, anna, *(f"f{number}" for number in range(world.settings.folders - 1)))
    assert await refused(world.folders.create(anna, "one more")) == "LIMIT"


@pytest.mark.parametrize("seed", range(10))
async def test_two_devices_make_the_same_folder(seed: int) -> None:
    world = World(seed=seed)
    anna = await world.member("anna")
    answers = await asyncio.gather(world.folders.create(anna, "a"), world.folders.create(anna, "a"), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Folder", "FolderRefused"]
    assert await names(world, anna) == ["INBOX", "a"]


@pytest.mark.parametrize("seed", range(10))
async def test_two_devices_change_the_same_folder(seed: int) -> None:
    """Name, subscription and keywords are in one sealed record; none may overwrite the other's."""
    world = World(seed=seed)
    anna = await world.member("anna")
    [folder] = await made(world, anna, "a")
    await asyncio.gather(
        world.folders.rename(anna, "a", "b"),
        world.folders.add_keywords(anna, folder.id, ("$One",)),
        world.folders.add_keywords(anna, folder.id, ("$Two",)),
    )
    found = await world.folders.find(anna, "b")
    assert found is not None
    assert set(found.secret.keywords) == {"$One", "$Two"}


async def test_renaming_takes_what_is_below_along(world: World) -> None:
    anna = await world.member("anna")
    await made(world, anna, "a", "a/b", "a/b/c", "ab", "x/a")
    await world.folders.rename(anna, "a", "z/y")
    assert sorted(await names(world, anna)) == ["INBOX", "ab", "x/a", "z/y", "z/y/b", "z/y/b/c"]


async def test_a_name_above_that_is_no_folder_can_be_renamed(world: World) -> None:
    anna = await world.member("anna")
    await made(world, anna, "a/b", "a/c")
    await world.folders.rename(anna, "a", "z")
    assert sorted(await names(world, anna)) == ["INBOX", "z/b", "z/c"]


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("a", "b", "ALREADYEXISTS"),
        ("a", "c", "ALREADYEXISTS"),
        ("a", "y" * 199, "LIMIT"),
        ("gone", "z", "NONEXISTENT"),
        ("INBOX", "z", "CANNOT"),
    ],
)
async def test_a_renaming_that_cannot_be_done_does_nothing(world: World, source: str, target: str, code: str) -> None:
    """Also where only a folder below would meet another one or get too long a name."""
    anna = await world.member("anna")
    await made(world, anna, "a", "a/x", "b", "c/x")
    before = await names(world, anna)
    assert await refused(world.folders.rename(anna, source, target)) == code
    assert await names(world, anna) == before


async def test_a_folder_goes_with_its_messages_and_their_room(world: World) -> None:
    world.change(quota_bytes=64_000)
    anna, boris = await world.members("anna", "boris")
    await made(world, anna, "a", "a/b")
    await world.send(boris, anna, size_bytes=8_000)
    inbox = await world.open(anna)
    target = await world.folders.find(anna, "a")
    assert target is not None
    heard: list[Change] = []
    await world.open(anna, "a", heard.append)
    await inbox.move([Uid(1)], target)
    heard.clear()
    await world.folders.delete(anna, "a")
    assert heard == [Removed([Uid(1)])]
    assert await names(world, anna) == ["INBOX", "a/b"]
    assert (await world.store.totals()).bodies == 0
    assert await world.used(anna) == 0


async def test_a_folder_with_a_damaged_message_can_be_deleted(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    [folder] = await made(world, anna, "a")
    for seed in range(2):
        await world.send(boris, anna, seed=seed)
    inbox = await world.open(anna)
    await inbox.move(inbox.uids, folder)
    await world.store.reseal(folder.id, {Uid(1): bytes(120)})
    await world.folders.delete(anna, "a")
    assert await names(world, anna) == ["INBOX"]


async def test_a_damaged_name_hides_no_other(world: World) -> None:
    anna = await world.member("anna")
    broken, _ = await made(world, anna, "broken", "sound")
    await world.store.reseal_mailbox(broken.id, bytes(2048))
    assert await names(world, anna) == ["INBOX", "sound"]


async def test_numbers_are_never_used_again(world: World) -> None:
    """A folder of the same name is another one: its UIDVALIDITY says so (RFC 3501 section 2.3.1.1)."""
    anna = await world.member("anna")
    [first] = await made(world, anna, "a")
    await world.folders.delete(anna, "a")
    [second] = await made(world, anna, "a")
    assert first.id != second.id
    assert second.record.uid_validity > first.record.uid_validity


async def test_deleting_works_on_a_full_disk_although_a_subscription_cannot_be_kept(world: World) -> None:
    anna = await world.member("anna")
    await made(world, anna, "a")
    await world.folders.subscribe(anna, "a", is_subscribed=True)
    world.staged.broken["create_mailbox"] = StoreFull("full")
    await world.folders.delete(anna, "a")
    assert await names(world, anna) == ["INBOX"]


async def test_without_an_account_there_are_no_folders(world: World) -> None:
    anna = await world.member("anna")
    await world.store.delete_account(anna.account)
    assert await names(world, anna) == []
    assert await world.folders.find(anna, "INBOX") is None
    assert await refused(world.folders.create(anna, "a")) is None
    assert await refused(world.folders.add_keywords(anna, anna.inbox, ("$A",))) == "NONEXISTENT"
