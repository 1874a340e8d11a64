# SPDX-License-Identifier: AGPL-3.0-or-later
"""services/deliver.py: one body for all, the rule of the one bad recipient, reports, quota, and nothing half done."""

import asyncio

import pytest
from tests.service_world import World, address, login_of

from razdar.model.ids import MailboxId
from razdar.model.verdict import ACCEPT, Refusal
from razdar.ports.bus import Added, Change
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.services.accounts import Login
from razdar.services.audience import BUSY_PAUSE_S, BUSY_TRIES
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio
FOREIGN = address("boris1234", "elsewhere.example")
NOBODY = address("nobody123")


@pytest.fixture
def world() -> World:
    return World()


async def report(world: World, sender: Login) -> bytes:
    """The one message in the sender's mailbox."""
    (message,) = await world.read(sender)
    assert message.startswith(b"From: <mailer-daemon@")
    return message


async def fill(world: World, login: Login, part: float = 1.0) -> None:
    """As if so much of the quota were in use."""
    world.staged.inner._state.accounts[login.account].folders[0].used = int(64 * part)


# everybody


async def test_one_body_for_all(world: World) -> None:
    anna, *others = await world.members("anna", "boris", "clara", "david", "elena", "fatima")
    assert await world.send(anna, *others) == ACCEPT
    totals = await world.store.totals()
    assert (totals.entries, totals.bodies) == (5, 1)
    assert len({message for login in others for message in await world.read(login)}) == 1


async def test_a_message_without_failures_costs_two_looks(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    world.staged.calls.clear()
    await world.send(anna, boris)
    assert world.staged.calls["recipients"] == 2


async def test_a_recipient_named_twice_gets_one(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    assert await world.send(anna, boris, boris, boris) == ACCEPT
    assert await world.uids(boris) == [1]


async def test_own_copy_comes_along(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    assert await world.send(anna, boris, anna) == ACCEPT
    assert [len(await world.uids(login)) for login in (anna, boris)] == [1, 1]


async def test_a_note_to_oneself(world: World) -> None:
    anna = await world.member("anna")
    assert await world.send(anna, anna) == ACCEPT
    assert await world.uids(anna) == [1]
    assert world.woken == []


async def test_only_others_are_woken_up(world: World) -> None:
    anna, boris, clara = await world.members("anna", "boris", "clara")
    await world.send(anna, boris, anna, clara, NOBODY)
    assert world.woken == [boris.account, clara.account]


async def test_devices_are_told_after_the_commit(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    heard: list[Change] = []
    await world.open(boris, listener=heard.append)
    world.staged.broken["deliver"] = StoreFull("full")
    with pytest.raises(StoreFull):
        await world.send(anna, boris)
    assert heard == []
    world.staged.broken.clear()
    await world.send(anna, boris)
    (change,) = heard
    assert isinstance(change, Added)
    assert [entry.uid for entry in change.entries] == [1]


# the rule of the one bad recipient


async def bad_recipient(world: World, kind: str) -> tuple[Login, Refusal]:
    """Somebody who cannot receive, and why."""
    bad, record = login_of("bad")
    if kind == "foreign":
        return Login(FOREIGN, bad.account, bad.private_key, bad.public_key), replies.NOT_REACHABLE
    if kind == "removed":
        world.addresses.remember(bad.address, bad.account)
        return bad, replies.NO_SUCH_USER
    await world.store.create_account(record)
    world.addresses.remember(bad.address, bad.account)
    if kind == "full":
        await fill(world, bad)
    else:
        world.shares.add(bad.account, (await world.member("anna")).account, world.settings.quota_bytes // 5)
    return bad, replies.MAILBOX_FULL


KINDS = ["foreign", "removed", "full", "over share"]


@pytest.mark.parametrize("kind", KINDS)
async def test_one_bad_recipient_costs_the_others_nothing(world: World, kind: str) -> None:
    anna, boris = await world.members("anna", "boris")
    bad, reason = await bad_recipient(world, kind)
    assert await world.send(anna, bad, boris) == ACCEPT
    assert len(await world.read(boris)) == 1
    told = await report(world, anna)
    assert str(bad.address).encode() in told
    assert str(boris.address).encode() not in told
    assert reason.enhanced.encode() in told


@pytest.mark.parametrize("kind", KINDS)
async def test_alone_a_bad_recipient_is_a_refusal(world: World, kind: str) -> None:
    anna = await world.member("anna")
    bad, reason = await bad_recipient(world, kind)
    assert await world.send(anna, bad) == reason
    assert (await world.store.totals()).entries == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_own_copy_does_not_count_as_somebody(world: World, kind: str) -> None:
    anna = await world.member("anna")
    bad, reason = await bad_recipient(world, kind)
    assert await world.send(anna, bad, anna) == reason
    assert await world.uids(anna) == []


async def test_several_reasons_make_one_refusal(world: World) -> None:
    anna = await world.member("anna")
    assert await world.send(anna, FOREIGN, NOBODY) == replies.NO_RECIPIENT
    assert await world.send(anna, FOREIGN, address("other", "elsewhere.example")) == replies.NOT_REACHABLE


async def newcomer(world: World, name: str) -> Login:
    """With the account id that a look-up of the address gives."""
    login = await world.accounts.log_in(address(name), "0123456789abcdefghijkl")
    assert isinstance(login, Login)
    return login


@pytest.mark.parametrize("shortage", ["busy", "too many unknown"])
async def test_a_shortage_of_ours_costs_nobody_the_message(world: World, shortage: str) -> None:
    """In a group a member who was left out for lack of time would never get the message: apps do not read reports."""
    anna = await world.member("anna")
    boris, carla = await newcomer(world, "boris1234"), await newcomer(world, "carla1234")
    world.addresses._ids.clear()
    if shortage == "busy":
        world.crew.busy_for = -1
    else:
        while world.unknowns.take(anna.account, world.clock.monotonic()):
            pass
    answer = await world.send(anna, FOREIGN, boris, carla)
    assert isinstance(answer, Refusal)
    assert answer.is_temporary
    assert (await world.store.totals()).entries == 0
    world.crew.busy_for = 0
    world.clock.monotonic_s += 60
    assert await world.send(anna, FOREIGN, boris, carla) == ACCEPT
    assert [len(await world.read(who)) for who in (boris, carla)] == [1, 1]


async def test_a_busy_crew_is_waited_for(world: World) -> None:
    """In a group a recipient who was left out for lack of time would never get the message: apps do not read reports."""
    anna = await world.member("anna")
    someone = address("someone12")
    await world.accounts.log_in(someone, "0123456789abcdefghijkl")
    world.addresses._ids.clear()
    world.crew.busy_for = BUSY_TRIES - 1
    assert await world.send(anna, someone) == ACCEPT
    assert world.paused_s == [BUSY_PAUSE_S] * (BUSY_TRIES - 1)


async def test_one_report_names_everybody(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    await world.send(anna, NOBODY, FOREIGN, boris, address("ghost1234"))
    told = await report(world, anna)
    assert [told.count(b"Final-Recipient"), told.count(b"ghost1234@"), told.count(b"nobody123@")] == [3, 3, 3]


async def test_the_report_is_committed_with_the_message_or_not_at_all(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    world.staged.broken["deliver"] = StoreUnavailable("no")
    with pytest.raises(StoreUnavailable):
        await world.send(anna, boris, NOBODY)
    assert (await world.store.totals()).entries == 0
    world.staged.broken.clear()
    world.staged.calls.clear()
    await world.send(anna, boris, NOBODY)
    assert world.staged.calls["deliver"] == 1


# guessing names


async def test_unknown_names_have_a_budget_within_one_message(world: World) -> None:
    """1000 names in one message would else cost 4 s of the processor, sixty times a minute."""
    anna, boris = await world.members("anna", "boris")
    names = [address(f"guess{number:04}") for number in range(200)]
    assert await world.send(anna, boris, *names) == replies.TOO_MANY_UNKNOWN
    assert world.crew.done <= world.settings.unknown_per_minute + 16
    assert await world.uids(boris) == []


async def test_a_group_with_many_dead_members_gets_through_within_the_tries_of_a_client(world: World) -> None:
    """What was looked up once is known, so each try comes further; the client has six, half a minute apart at first."""
    anna, boris = await world.member("anna"), await newcomer(world, "boris1234")
    world.addresses._ids.clear()
    names = [address(f"gone{number:05}") for number in range(100)]
    tries = 0
    while await world.send(anna, *names, boris) != ACCEPT:
        tries += 1
        world.clock.monotonic_s += 30
        assert tries < 6
    assert len(await world.read(boris)) == 1


async def test_known_friends_are_reached_when_the_budget_is_used_up(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    while world.unknowns.take(anna.account, world.clock.monotonic()):
        pass
    assert await world.send(anna, boris) == ACCEPT


async def test_nobody_is_lost_whose_address_becomes_known_in_between(world: World) -> None:
    anna, boris, clara = await world.members("anna", "boris", "clara")
    world.addresses._ids.pop(world.addresses._digest(clara.address))

    async def another_message_looks_her_up() -> None:
        world.addresses.remember(clara.address, clara.account)

    world.staged.before["recipients"] = another_message_looks_her_up
    assert await world.send(anna, boris, clara) == ACCEPT
    assert [len(await world.uids(login)) for login in (boris, clara)] == [1, 1]


# accounts that go away


async def test_a_recipient_deleted_between_lookup_and_commit(world: World) -> None:
    anna, boris, clara = await world.members("anna", "boris", "clara")

    async def boris_goes() -> None:
        await world.store.delete_account(boris.account)

    world.staged.before["deliver"] = boris_goes
    assert await world.send(anna, boris, clara) == ACCEPT
    assert str(boris.address).encode() in await report(world, anna)
    assert world.woken == [clara.account]


async def test_the_only_recipient_deleted_in_between_is_a_refusal(world: World) -> None:
    anna, boris = await world.members("anna", "boris")

    async def boris_goes() -> None:
        await world.store.delete_account(boris.account)

    world.staged.before["deliver"] = boris_goes
    assert await world.send(anna, boris) == replies.NO_SUCH_USER
    assert (await world.store.totals()).bodies == 0


async def test_what_is_committed_is_not_taken_back_when_the_late_report_fails(world: World) -> None:
    """An error here would make the client send again what everybody has."""
    anna, boris, clara = await world.members("anna", "boris", "clara")

    async def boris_goes_and_the_disk_after_him() -> None:
        await world.store.delete_account(boris.account)

        async def fail() -> None:
            raise StoreFull("full")

        world.staged.before["deliver"] = fail

    world.staged.before["deliver"] = boris_goes_and_the_disk_after_him
    assert await world.send(anna, boris, clara) == ACCEPT
    assert len(await world.uids(clara)) == 1


async def test_a_sender_without_an_account_sends_nothing(world: World) -> None:
    """VECTORS "accounts": a session kept after deletion."""
    anna, boris = await world.members("anna", "boris")
    await world.store.delete_account(anna.account)
    assert await world.send(anna, boris) == replies.AUTH_REQUIRED
    assert await world.uids(boris) == []


# a full disk, a busy crew


@pytest.mark.parametrize("error", [StoreFull("full"), StoreUnavailable("no")])
async def test_a_broken_store_is_told_and_nothing_is_half_done(world: World, error: Exception) -> None:
    anna, boris = await world.members("anna", "boris")
    world.staged.broken["deliver"] = error
    with pytest.raises(type(error)):
        await world.send(anna, boris)
    assert (await world.store.totals()).bodies == 0
    assert world.woken == []
    assert len(world.shares) == 0


async def test_a_busy_crew_while_sealing_is_told_and_nothing_is_half_done(world: World) -> None:
    anna, *others = await world.members(*(f"member{number:03}" for number in range(10)))
    world.crew.busy_for = 1
    with pytest.raises(CrewBusy):
        await world.send(anna, *others)
    assert (await world.store.totals()).entries == 0
    assert await world.send(anna, *others) == ACCEPT


# room


async def test_a_full_mailbox_takes_nothing_more_and_loses_nothing(world: World) -> None:
    """Unread mail is never evicted for new mail."""
    world.change(quota_bytes=64_000, sender_share=1.0)
    anna, boris = await world.members("anna", "boris")
    verdicts = [await world.send(anna, boris, size_bytes=8_000, seed=number) for number in range(20)]
    taken = verdicts.count(ACCEPT)
    assert verdicts == [ACCEPT] * taken + [replies.MAILBOX_FULL] * (20 - taken)
    assert 5 <= taken <= 9
    assert len(await world.read(boris)) == taken


async def test_one_sender_fills_at_most_a_fifth(world: World) -> None:
    world.change(quota_bytes=640_000)
    anna, boris, clara = await world.members("anna", "boris", "clara")
    verdicts = [await world.send(anna, boris, size_bytes=8_000, seed=number) for number in range(30)]
    filled = sum(len(message) for message in await world.read(boris))
    assert 640_000 / 5 - 9_000 < filled <= 640_000 / 5
    assert verdicts[-1] == replies.MAILBOX_FULL
    assert await world.send(clara, boris, size_bytes=8_000) == ACCEPT


async def test_own_copies_are_exempt_from_the_share(world: World) -> None:
    world.change(quota_bytes=640_000)
    anna = await world.member("anna")
    assert {await world.send(anna, anna, size_bytes=8_000, seed=number) for number in range(40)} == {ACCEPT}


@pytest.mark.parametrize("seed", range(3))
async def test_many_messages_at_once_do_not_all_fill_the_same_room(seed: int) -> None:
    world = World(seed=seed)
    world.change(quota_bytes=640_000)
    anna, boris = await world.members("anna", "boris")
    verdicts = await asyncio.gather(*(world.send(anna, boris, size_bytes=30_000, seed=number) for number in range(10)))
    assert verdicts.count(ACCEPT) == 4  # 128 000 bytes are a fifth
    assert len(await world.uids(boris)) == 4


@pytest.mark.parametrize("seed", range(3))
async def test_many_senders_at_once_do_not_go_over_the_quota(seed: int) -> None:
    world = World(seed=seed)
    world.staged.looks_late = False  # as SQLite answers this look
    world.change(quota_bytes=640_000)
    boris, *senders = await world.members("boris", *(f"sender{number:03}" for number in range(20)))
    verdicts = await asyncio.gather(*(world.send(sender, boris, size_bytes=100_000) for sender in senders))
    assert verdicts.count(ACCEPT) == 6
    assert verdicts.count(replies.MAILBOX_FULL) == 14


async def test_room_that_was_held_is_free_again_after_a_failure(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    world.staged.broken["deliver"] = StoreFull("full")
    for _ in range(3):
        with pytest.raises(StoreFull):
            await world.send(anna, boris)
    assert not world.gatherer._under_way._bytes
    world.staged.broken.clear()
    await world.send(anna, boris, NOBODY, anna)
    assert not world.gatherer._under_way._bytes


async def test_reports_do_not_grow_a_full_mailbox(world: World) -> None:
    """Somebody with a full mailbox can go on writing, but not fill the disk with reports."""
    anna, boris = await world.members("anna", "boris")
    await fill(world, anna)
    for number in range(5):
        assert await world.send(anna, boris, NOBODY, anna, seed=number) == ACCEPT
    assert await world.uids(anna) == []
    assert len(await world.uids(boris)) == 5


async def test_an_own_copy_without_room_is_no_reason_for_a_report(world: World) -> None:
    world.change(quota_bytes=640_000)
    anna, boris = await world.members("anna", "boris")
    await fill(world, anna, 63 / 64)
    assert await world.send(anna, boris, anna, size_bytes=12_000) == ACCEPT
    assert await world.uids(anna) == []


async def test_what_is_charged_is_given_back_when_the_message_goes(world: World) -> None:
    world.change(quota_bytes=64_000, sender_share=1.0)
    anna, boris = await world.members("anna", "boris")
    for number in range(5):
        await world.send(anna, boris, size_bytes=5_000, seed=number)
    assert await world.used(boris) >= 20
    mailbox = await world.open(boris)
    await mailbox.set_flags(mailbox.uids, lambda before: before | {"\\Deleted"})
    assert await mailbox.expunge(mailbox.uids) == [1, 2, 3, 4, 5]
    assert await world.used(boris) == 0
    assert len(world.shares) == 0
    assert (await world.store.totals()).bodies == 0


async def test_a_clock_that_is_a_year_wrong_changes_nothing_but_dates(world: World) -> None:
    anna, boris = await world.members("anna", "boris")
    for year in (1, -1, -60):
        world.clock.now_s += year * 31_557_600
        assert await world.send(anna, boris, NOBODY, seed=year) == ACCEPT
    entries = await world.store.entries(MailboxId(boris.account))
    assert {entry.expires for entry in entries} == {1 + 1 + world.settings.keep_days}


async def test_the_day_of_a_large_message_is_that_of_any_other(world: World) -> None:
    """Else it would show who shares it (docs/storage.md, linkage). Its body goes early all the same, and then it is told as gone."""
    world.change(large_bytes=20_000)
    anna, boris = await world.members("anna", "boris")
    assert await world.send(anna, boris, size_bytes=30_000) == ACCEPT
    assert await world.send(anna, boris, seed=1) == ACCEPT
    inbox = MailboxId(boris.account)
    assert len({entry.expires for entry in await world.store.entries(inbox)}) == 1
    for _ in range(1 + world.settings.keep_large_days):
        await world.store.next_day()
    await world.store.expire()
    assert (await world.store.totals()).bodies == 1
    assert len(await world.read(boris)) == 1
    assert await world.uids(boris) == [2]
