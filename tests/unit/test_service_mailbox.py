# SPDX-License-Identifier: AGPL-3.0-or-later
"""services/mailbox.py: flags and keywords over several devices, expunge, copy, move, what was fetched goes first, what expired is told."""

import asyncio

import pytest
from tests.service_world import World

from razdar.model.ids import MailboxId, Uid
from razdar.model.message import Flag
from razdar.ports.bus import Added, Change, Removed, Resealed
from razdar.ports.store import Removal, StoreFull
from razdar.services import seals as seals_module
from razdar.services.accounts import Login
from razdar.services.flags import SYSTEM_FLAGS
from razdar.services.folders import FolderRefused
from razdar.services.mailbox import OpenMailbox
from razdar.services.transfer import OverQuota
from razdar.vault.seal import unseal

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> World:
    return World()


async def mailbox_of(world: World, count: int = 3, size_bytes: int = 1500) -> Login:
    """Somebody with so many messages waiting."""
    anna, boris = await world.members("anna", "boris")
    for number in range(count):
        await world.send(boris, anna, size_bytes=size_bytes, seed=number)
    return anna


async def flags_of(mailbox: OpenMailbox, uid: int) -> set[str]:
    opened = await mailbox.opened([Uid(uid)])
    return set(mailbox.flag_names(opened[Uid(uid)].secret))


async def mark(mailbox: OpenMailbox, uids: list[int], *names: str) -> None:
    await mailbox.set_flags([Uid(uid) for uid in uids], lambda before: before | mailbox.canonical(names))


async def invisible_marks(world: World, login: Login) -> set[int]:
    entries = await world.store.entries(login.inbox)
    return {entry.uid for entry in entries if unseal(login.private_key, entry.seal).flags & Flag.FETCHED}


# flags over two devices


async def test_flags_are_seen_by_the_other_device_at_once(world: World) -> None:
    anna = await mailbox_of(world)
    heard: list[Change] = []
    phone, laptop = await world.open(anna), await world.open(anna, listener=heard.append)
    assert await flags_of(laptop, 2) == set()
    await mark(phone, [2], "\\Seen", "\\Flagged")
    (change,) = heard
    assert isinstance(change, Resealed)
    assert list(change.seals) == [2]
    assert await flags_of(laptop, 2) == {"\\Seen", "\\Flagged"}


async def test_the_device_that_marks_is_not_told(world: World) -> None:
    anna = await mailbox_of(world)
    heard: list[Change] = []
    phone = await world.open(anna, listener=heard.append)
    await mark(phone, [1], "\\Seen")
    assert heard == []


async def test_a_mark_that_changes_nothing_is_not_written(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [1], "\\Seen")
    await mark(phone, [1], "\\seen")
    assert world.staged.calls["reseal"] == 1


async def test_a_keyword_that_the_other_device_never_heard_of(world: World) -> None:
    anna = await mailbox_of(world)
    phone, laptop = await world.open(anna), await world.open(anna)
    await mark(phone, [1], "$Work")
    assert await flags_of(laptop, 1) == {"$Work"}


async def test_a_device_that_does_not_know_a_keyword_keeps_it(world: World) -> None:
    """It rewrites the whole seal; what it could not name must not be lost by that."""
    anna = await mailbox_of(world)
    phone, laptop = await world.open(anna), await world.open(anna)
    await mark(phone, [1], "$Work")
    await mark(laptop, [1], "\\Seen")
    assert await flags_of(phone, 1) == {"$Work", "\\Seen"}


@pytest.mark.parametrize("seed", range(20))
async def test_two_devices_mark_the_same_message_at_the_same_moment(seed: int) -> None:
    world = World(seed=seed)
    anna = await mailbox_of(world, 1)
    phone, laptop, tablet = [await world.open(anna) for _ in range(3)]
    await asyncio.gather(mark(phone, [1], "\\Seen"), mark(laptop, [1], "\\Flagged"), mark(tablet, [1], "$A", "$B"))
    expected = {"\\Seen", "\\Flagged", "$A", "$B"}
    assert [await flags_of(device, 1) for device in (phone, laptop, tablet)] == [expected] * 3
    assert await flags_of(await world.open(anna), 1) == expected


@pytest.mark.parametrize("seed", range(20))
async def test_a_look_that_was_overtaken_by_a_change_is_taken_again(seed: int) -> None:
    world = World(seed=seed)
    anna = await mailbox_of(world, 1)
    phone, laptop = await world.open(anna), await world.open(anna)
    await asyncio.gather(mark(phone, [1], "\\Seen"), laptop.opened([Uid(1)]))
    assert await flags_of(laptop, 1) == {"\\Seen"}


async def test_keywords_differ_by_more_than_case(world: World) -> None:
    anna = await mailbox_of(world)
    phone, laptop = await world.open(anna), await world.open(anna)
    await asyncio.gather(mark(phone, [1], "$Work"), mark(laptop, [1], "$WORK"))
    assert len(await flags_of(phone, 1)) == 1
    assert await flags_of(phone, 1) == await flags_of(laptop, 1)


async def test_more_keywords_than_there_are_bits(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [1], *(f"$K{number}" for number in range(32)))
    with pytest.raises(FolderRefused) as refused:
        await mark(phone, [1], "$OneMore")
    assert refused.value.code == "LIMIT"
    assert len(await flags_of(phone, 1)) == 32


async def test_a_keyword_that_does_not_fit_is_refused_in_words(world: World) -> None:
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    with pytest.raises(FolderRefused) as refused:
        await mark(phone, [1], "x" * 41)
    assert refused.value.code == "LIMIT"
    await mark(phone, [1], *(f"{number:02}".rjust(40, "x") for number in range(32)))
    assert len(await flags_of(phone, 1)) == 32


async def test_what_is_no_flag_is_not_stored(world: World) -> None:
    """RFC 3501 section 2.3.2: a server must not make up flags that begin with a backslash; \\Recent is not the client's to set."""
    anna = await mailbox_of(world)
    phone = await world.open(anna)
    await mark(phone, [1], "\\Recent", "\\Foo", "\\Seen")
    assert await flags_of(phone, 1) == {"\\Seen"}


async def test_many_flags_at_once_are_sealed_off_the_event_loop(world: World) -> None:
    anna = await mailbox_of(world, 40)
    phone = await world.open(anna)
    done = world.crew.done
    await mark(phone, list(range(1, 41)), "\\Seen")
    assert world.crew.done == done + 2  # opening, sealing
    assert {frozenset(await flags_of(phone, uid)) for uid in range(1, 41)} == {frozenset({"\\Seen"})}


# expunge


async def test_expunge_takes_what_is_marked_and_named(world: World) -> None:
    anna = await mailbox_of(world, 4)
    heard: list[Change] = []
    phone, _laptop = await world.open(anna), await world.open(anna, listener=heard.append)
    await mark(phone, [1, 2, 3], "\\Deleted")
    heard.clear()
    assert await phone.expunge([Uid(2), Uid(3), Uid(4)]) == [2, 3]
    assert heard == [Removed([Uid(2), Uid(3)])]
    assert await world.uids(anna) == [1, 4]


async def test_two_devices_close_at_the_same_moment(world: World) -> None:
    """The second one must not take the half-done search of the first for the whole truth."""
    for seed in range(20):
        world = World(seed=seed)
        anna = await mailbox_of(world, 4)
        phone, laptop = await world.open(anna), await world.open(anna)
        await mark(phone, [1, 2, 3, 4], "\\Deleted")
        world.mailboxes.deleted.unlearn(anna.inbox)
        gone = await asyncio.gather(phone.expunge([Uid(1), Uid(2)]), laptop.expunge([Uid(3), Uid(4)]))
        assert [list(uids) for uids in gone] == [[1, 2], [3, 4]]


async def test_a_mark_that_was_taken_back_saves_the_message(world: World) -> None:
    anna = await mailbox_of(world, 2)
    phone, laptop = await world.open(anna), await world.open(anna)
    await mark(phone, [1, 2], "\\Deleted")
    await laptop.set_flags([Uid(1)], lambda before: before - {"\\Deleted"})
    assert await phone.expunge(phone.uids) == [2]


async def test_closing_opens_only_what_it_deletes(world: World) -> None:
    anna = await mailbox_of(world, 50)
    phone = await world.open(anna)
    await phone.expunge(phone.uids)  # the first time since the start everything is opened
    looks = world.staged.calls["entries"]
    await mark(phone, [7], "\\Deleted")
    assert await phone.expunge(phone.uids) == [7]
    assert world.staged.calls["entries"] == looks


async def test_a_failed_search_is_no_empty_result(world: World) -> None:
    anna = await mailbox_of(world, 2)
    phone = await world.open(anna)
    await mark(phone, [1], "\\Deleted")
    world.mailboxes.deleted.unlearn(anna.inbox)
    world.staged.broken["uids"] = StoreFull("no")
    with pytest.raises(StoreFull):
        await phone.expunge([Uid(1)])
    world.staged.broken.clear()
    assert await phone.expunge([Uid(1)]) == [1]


# copy and move


async def folder(world: World, login: Login, name: str, *keywords: str) -> OpenMailbox:
    made = await world.folders.create(login, name)
    if keywords:
        await world.folders.add_keywords(login, made.id, keywords)
    return await world.open(login, name)


async def test_keywords_travel_although_they_stand_in_another_order(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone = await world.open(anna)
    await mark(phone, [1], "$A", "$B", "\\Flagged")
    target = await folder(world, anna, "Archive", "$C", "$B")
    assert await phone.copy([Uid(1)], target.folder) == {1: 1}
    assert await flags_of(await world.open(anna, "Archive"), 1) == {"$A", "$B", "\\Flagged"}
    assert await flags_of(target, 1) == {"$A", "$B", "\\Flagged"}


async def test_a_copy_shares_the_body(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone, target = await world.open(anna), await folder(world, anna, "Archive")
    await phone.copy([Uid(1)], target.folder)
    assert (await world.store.totals()).bodies == 1
    assert await world.read(anna) == await world.read(anna, "Archive")
    await mark(phone, [1], "\\Deleted")
    await phone.expunge([Uid(1)])
    assert len(await world.read(anna, "Archive")) == 1


async def test_a_move_is_told_on_both_sides(world: World) -> None:
    anna = await mailbox_of(world, 3)
    here: list[Change] = []
    there: list[Change] = []
    phone, target = await world.open(anna, listener=here.append), await folder(world, anna, "Archive")
    await world.open(anna, "Archive", there.append)
    assert await phone.move([Uid(3), Uid(1)], target.folder) == {1: 1, 3: 2}
    assert here == [Removed([Uid(1), Uid(3)])]
    assert [[entry.uid for entry in change.entries] for change in there if isinstance(change, Added)] == [[1, 2]]
    assert (await world.store.totals()).bodies == 3


async def test_moving_what_is_marked_takes_the_mark_along(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone, target = await world.open(anna), await folder(world, anna, "Archive")
    await target.expunge([])  # the book of the folder is open
    await mark(phone, [1], "\\Deleted")
    await phone.move([Uid(1)], target.folder)
    assert await target.expunge([Uid(1)]) == [1]


async def test_within_one_mailbox(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone = await world.open(anna)
    assert await phone.copy([Uid(1)], phone.folder) == {1: 2}
    assert await phone.move([Uid(1)], phone.folder) == {1: 3}
    assert await world.uids(anna) == [2, 3]
    assert len(await world.read(anna)) == 2


@pytest.mark.parametrize("verb", ["copy", "move"])
async def test_into_a_folder_that_another_device_has_deleted(world: World, verb: str) -> None:
    anna = await mailbox_of(world, 1)
    phone, target = await world.open(anna), await folder(world, anna, "Archive")
    await world.folders.delete(anna, "Archive")
    with pytest.raises(FolderRefused) as refused:
        await getattr(phone, verb)([Uid(1)], target.folder)
    assert refused.value.code == "TRYCREATE"
    assert len(await world.read(anna)) == 1


async def test_nothing_to_copy_is_no_failure(world: World) -> None:
    anna = await mailbox_of(world, 0)
    phone, target = await world.open(anna), await folder(world, anna, "Archive")
    assert await phone.copy([], target.folder) == {}
    assert await phone.move([], target.folder) == {}


async def test_copies_count_and_moves_do_not(world: World) -> None:
    world.change(quota_bytes=640_000, sender_share=1.0)
    anna = await mailbox_of(world, 10, size_bytes=50_000)
    before = await world.used(anna)
    phone, target = await world.open(anna), await folder(world, anna, "Archive")
    await phone.move(phone.uids[:5], target.folder)
    assert await world.used(anna) == before
    with pytest.raises(OverQuota):
        await phone.copy(phone.uids[5:], target.folder)
    assert len(await world.store.uids(target.folder.id)) == 5


# what goes away


async def test_an_expired_body_disappears_for_every_device(world: World) -> None:
    anna = await mailbox_of(world, 2)
    heard: list[Change] = []
    phone, _laptop = await world.open(anna), await world.open(anna, listener=heard.append)
    opened = await phone.opened([Uid(1)])
    world.staged.inner._state.bodies.pop(opened[Uid(1)].secret.body)
    assert await phone.message(Uid(1), opened[Uid(1)].secret) is None
    assert heard == [Removed([Uid(1)])]
    assert await world.uids(anna) == [2]


async def test_entries_that_expired_are_told_when_somebody_looks(world: World) -> None:
    anna = await mailbox_of(world, 2)
    heard: list[Change] = []
    phone, _laptop = await world.open(anna), await world.open(anna, listener=heard.append)
    world.staged.inner._state.day = 100
    await world.store.expire()
    world.mailboxes.deleted.complete(anna.inbox, phone.uids)
    fresh = await world.open(anna)
    assert await fresh.opened(phone.uids) == {}
    assert heard == [Removed([Uid(1), Uid(2)])]
    assert world.mailboxes.deleted.marked(anna.inbox) == frozenset()


async def test_a_damaged_seal_hides_nothing_else(world: World) -> None:
    anna = await mailbox_of(world, 3)
    await world.store.reseal(anna.inbox, {Uid(2): bytes(120)})
    phone = await world.open(anna)
    assert list(await phone.opened(phone.uids)) == [1, 3]


async def test_a_damaged_body_is_gone_and_no_error(world: World) -> None:
    """An error would make the app come back for the same message for ever."""
    anna = await mailbox_of(world, 1)
    phone = await world.open(anna)
    opened = await phone.opened([Uid(1)])
    body = world.staged.inner._state.bodies[opened[Uid(1)].secret.body]
    body.blob = body.blob[:-1] + bytes([body.blob[-1] ^ 1])
    assert await phone.message(Uid(1), opened[Uid(1)].secret) is None


async def test_a_mailbox_that_could_not_be_opened_listens_no_more(world: World) -> None:
    anna = await mailbox_of(world, 0)
    world.staged.broken["uids"] = StoreFull("no")
    with pytest.raises(StoreFull):
        await world.mailboxes.open(anna, "INBOX", lambda _: None)
    assert not world.bus.is_watched(anna.account)


async def test_nothing_that_happens_while_a_mailbox_opens_is_missed(world: World) -> None:
    for seed in range(20):
        world = World(seed=seed)
        anna, boris = await world.members("anna", "boris")
        heard: list[Change] = []
        opened, *_ = await asyncio.gather(
            world.mailboxes.open(anna, "INBOX", heard.append), *(world.send(boris, anna, seed=number) for number in range(5))
        )
        assert isinstance(opened, OpenMailbox)
        opened.start()
        told = {entry.uid for change in heard if isinstance(change, Added) for entry in change.entries}
        assert set(opened.uids) | told == {1, 2, 3, 4, 5}


# what was fetched goes first


async def test_what_was_fetched_and_left_is_marked_when_the_device_pauses(world: World) -> None:
    anna = await mailbox_of(world, 3)
    heard: list[Change] = []
    phone, _laptop = await world.open(anna), await world.open(anna, listener=heard.append)
    for uid, entry in (await phone.opened([Uid(1), Uid(3)])).items():
        await phone.message(uid, entry.secret, is_fetch=uid == 3)
    await phone.settle()
    assert await invisible_marks(world, anna) == {3}
    assert heard == []  # no client can see it, so none is woken up
    resealed = world.staged.calls["reseal"]
    await phone.settle()
    assert world.staged.calls["reseal"] == resealed


async def test_marking_keeps_what_the_other_device_set_meanwhile(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone, laptop = await world.open(anna), await world.open(anna)
    opened = await phone.opened([Uid(1)])
    await phone.message(Uid(1), opened[Uid(1)].secret)
    await asyncio.gather(mark(laptop, [1], "\\Seen"), phone.settle())
    assert await flags_of(await world.open(anna), 1) == {"\\Seen"}
    assert await invisible_marks(world, anna) == {1}


async def test_a_device_that_deletes_what_it_fetched_has_nothing_to_mark(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone = await world.open(anna)
    opened = await phone.opened([Uid(1)])
    await phone.message(Uid(1), opened[Uid(1)].secret)
    await mark(phone, [1], "\\Deleted")
    await phone.expunge([Uid(1)])
    calls = world.staged.calls.copy()
    await phone.settle()
    assert world.staged.calls == calls


async def test_a_store_that_cannot_mark_now_is_no_failure(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone = await world.open(anna)
    opened = await phone.opened([Uid(1)])
    await phone.message(Uid(1), opened[Uid(1)].secret)
    world.staged.broken["reseal"] = StoreFull("full")
    await phone.settle()
    assert await invisible_marks(world, anna) == set()


async def test_above_three_quarters_the_oldest_fetched_go_and_unread_stays(world: World) -> None:
    world.change(quota_bytes=640_000, sender_share=1.0)
    anna = await mailbox_of(world, 12, size_bytes=50_000)
    phone = await world.open(anna)
    fetched = [2, 3, 4, 9, 10, 11]
    for uid, entry in (await phone.opened([Uid(uid) for uid in fetched])).items():
        await phone.message(uid, entry.secret)
    await phone.settle()
    left = set(await world.uids(anna))
    assert {1, 5, 6, 7, 8, 12} <= left  # unread
    gone = sorted(set(fetched) - left)
    assert gone == fetched[: len(gone)]  # the oldest
    assert 1 <= len(gone) <= 5
    assert await world.used(anna) <= 48


async def test_below_three_quarters_everything_stays(world: World) -> None:
    anna = await mailbox_of(world, 5)
    phone = await world.open(anna)
    for uid, entry in (await phone.opened(phone.uids)).items():
        await phone.message(uid, entry.secret)
    await phone.settle()
    assert len(await world.uids(anna)) == 5


# bounds


async def test_what_a_session_remembers_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals_module, "REMEMBERED", 10)
    monkeypatch.setattr(seals_module, "LOOKED_UP_AT_ONCE", 5)
    anna = await mailbox_of(world, 30)
    phone = await world.open(anna)
    assert len(await phone.opened(phone.uids)) == 30
    assert len(phone._seals._opened) <= 10
    boris = await world.member("boris2")
    for number in range(20):
        await world.send(boris, anna, seed=number)
    assert len(phone._seals._sealed) <= 10
    assert len(await phone.opened([Uid(uid) for uid in range(1, 51)])) == 50


async def test_locks_are_kept_no_longer_than_needed(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone = await world.open(anna)
    await mark(phone, [1], "\\Seen")
    assert len(world.mailboxes._locks) == 0
    assert len(world.folders._locks) == 0


async def test_all_system_flags_survive(world: World) -> None:
    anna = await mailbox_of(world, 1)
    phone = await world.open(anna)
    await mark(phone, [1], *SYSTEM_FLAGS)
    assert await flags_of(await world.open(anna), 1) == set(SYSTEM_FLAGS)


async def test_removed_by_somebody_else_while_marking(world: World) -> None:
    anna = await mailbox_of(world, 2)
    phone = await world.open(anna)
    opened = await phone.opened(phone.uids)

    async def another_device_deletes() -> None:
        secret = opened[Uid(1)].secret
        await world.store.remove(MailboxId(anna.account), [Removal(Uid(1), secret.body, secret.charge, secret.share)])

    world.staged.before["reseal"] = another_device_deletes
    assert list(await phone.set_flags(phone.uids, lambda before: before | {"\\Seen"})) == [2]
