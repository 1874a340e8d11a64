# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue of mail for other relays over days: how long it waits, what the sender hears, restarts, damage, and what is remembered."""

import asyncio

import pytest
from tests.outbound_world import HOUR, NO_USER, OTHER, OutWorld, far, is_queue_empty, reports, until

from razdar.model.ids import MailboxId
from razdar.model.verdict import Refusal
from razdar.ports.courier import Consignment, Reason
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.services.deliver import Sender
from razdar.vault.queue_key import queue_owner
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world() -> OutWorld:
    return await OutWorld().start()


# time


async def test_a_stranger_has_five_days_and_a_friend_sixty(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.outgoing.heard_from("friend.example")
    await world.work()
    for name in ("friend.example", "stranger.example"):
        world.other(name).down = Reason.NOT_CONNECTED
        await world.send(anna, far("clara", name))
    await world.pass_days(1)
    assert await reports(world, anna) == ["delayed", "delayed"]
    await world.pass_days(4)
    assert len(await reports(world, anna)) == 2
    await world.pass_days(2)
    assert await reports(world, anna) == ["delayed", "delayed", "failed"]
    assert replies.NOT_IN_TIME.text.encode() in (await world.read(anna))[-1]
    assert [(state.name, state.oldest_days) for state in world.outgoing.states()] == [("friend.example", 7)]
    await world.pass_days(52)
    world.other("friend.example").down = None
    await world.pass_time(2 * HOUR)
    assert len(world.other("friend.example").got) == 1


async def test_a_cut_that_was_told_of_costs_no_time(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NO_ROUTE
    await world.send(anna, far("clara"))
    world.change(days_stand_still=True)
    await world.pass_days(100)
    assert await reports(world, anna) == ["delayed"]
    world.change(days_stand_still=False)
    world.other().down = None
    await world.pass_time(2 * HOUR)
    assert len(world.other().got) == 1


@pytest.mark.slow
async def test_sixty_days_of_cut_and_everything_arrives_once(world: OutWorld) -> None:
    people = await world.members("anna", "boris")
    for number in range(3):
        world.outgoing.heard_from(f"r{number}.example")
    await world.work()
    for number in range(3):
        world.other(f"r{number}.example").down = Reason.NOT_CONNECTED
    for day in range(59):
        for login in people:
            await world.put(
                login, [far("x", f"r{number}.example") for number in range(3)], b"Subject: %s %d\r\n\r\nx" % (login.account, day)
            )
        if day % 20 == 7:
            await world.restart()
        await world.pass_time(86_400, step_s=7200)
    for number in range(3):
        world.other(f"r{number}.example").down = None
    await world.pass_time(2 * HOUR)
    for number in range(3):
        got = world.other(f"r{number}.example").got
        assert len(got) == len(set(got)) == 59 * 2
    assert await is_queue_empty(world)
    assert not [each for login in people for each in await reports(world, login) if each == "failed"]


async def test_a_delay_is_told_once_and_not_again_after_a_restart(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    await world.send(anna, far("clara"))
    await world.pass_days(1)
    (report,) = await world.read(anna)
    assert "لازم نیست کاری بکنید".encode() in report
    assert b"keeps it and tries again" in report
    await world.restart()
    await world.pass_days(2)
    assert await reports(world, anna) == ["delayed"]


# reports


async def test_nobody_is_told_about_a_report(world: OutWorld) -> None:
    parcels = await world.outbound.pack_report(far("clara"), b"Subject: report\r\n\r\nx")
    await world.parcels.commit(parcels)
    world.other().refuse = lambda consignment: dict.fromkeys(consignment.recipients, NO_USER)
    await world.work()
    assert [each.sender for each in world.other().sent] == [None]
    assert await is_queue_empty(world)
    assert (await world.store.totals()).entries == 0
    assert await world.outbound.pack_report(far("clara", "x.alt"), b"x") == ()


async def test_a_report_goes_to_the_account_that_sent_and_to_no_later_one_of_that_name(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    await world.send(anna, far("clara"))
    await world.store.delete_account(anna.account)
    another = await world.member("anna")
    assert another.account == anna.account
    await world.pass_days(8)
    assert await world.read(another) == []
    assert await is_queue_empty(world)


async def test_a_full_mailbox_gets_the_report_too(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().refuse = lambda consignment: dict.fromkeys(consignment.recipients, NO_USER)
    await world.send(anna, far("clara"))
    world.staged.inner._state.accounts[anna.account].folders[0].used = 64
    await world.work()
    assert await reports(world, anna) == ["failed"]


async def test_a_full_disk_delays_the_report_and_sends_nothing_twice(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().refuse = lambda _: {far("clara"): NO_USER}
    await world.send(anna, far("clara"), far("david"))
    world.staged.broken["exchange"] = StoreFull("full")
    await world.work()
    await world.pass_time(300)
    assert await reports(world, anna) == []
    del world.staged.broken["exchange"]
    await world.pass_time(300)
    assert await reports(world, anna) == ["failed"]
    assert len(world.other().sent) == 1
    assert world.outgoing.states() == []


async def test_a_store_that_does_not_answer_is_not_the_other_relays_fault(world: OutWorld) -> None:
    anna = await world.member("anna")
    await world.send(anna, far("clara"))
    world.staged.broken["body"] = StoreUnavailable("x")
    await world.work()
    assert [(state.reason, state.waiting) for state in world.outgoing.states()] == [(None, 1)]
    del world.staged.broken["body"]
    world.crew.busy_for = 1
    await world.pass_time(60)
    await world.pass_time(60)
    assert await is_queue_empty(world)


# restarts and damage


async def test_what_waited_is_there_after_a_restart(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    for seed in range(3):
        await world.send(anna, far("clara"), seed=seed)
    await world.pass_days(2)
    await world.restart()
    assert [(state.waiting, state.oldest_days) for state in world.outgoing.states()] == [(3, 2)]
    assert world.outgoing.pending == 3
    world.other().down = None
    await world.work()
    assert len(world.other().got) == 3


async def test_a_lost_answer_is_sent_again_and_not_reported(world: OutWorld) -> None:
    anna = await world.member("anna")
    lost = iter([True, False])
    world.other().loses_answer = lambda _: next(lost)
    await world.send(anna, far("clara"))
    await world.pass_time(120, step_s=30)
    assert len(world.other().got) == 2  # the app knows it by its Message-ID
    assert await reports(world, anna) == []


async def test_damaged_entries_do_not_stand_in_the_way(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    for seed in range(4):
        await world.send(anna, far("clara"), seed=seed)
    folder = world.queue_folders.find(OTHER)
    assert folder is not None
    state = world.staged.inner._state
    entries = state.accounts[world.queue_folders.owner.account].folders[folder.mailbox.folder].entries
    await world.store.reseal(folder.mailbox, {next(iter(entries)): bytes(120)})
    opened = await world.settlement.opened(folder, list(entries))
    state.bodies[opened[0].secret.body].blob = bytes(4040)
    del state.bodies[opened[1].secret.body]
    world.other().down = None
    await world.work()
    assert len(world.other().got) == 1
    assert world.journal.counts["queue.damaged"] == 3
    assert await is_queue_empty(world)


async def test_what_the_store_shows_before_its_news_arrives_is_sent_once(world: OutWorld) -> None:
    anna = await world.member("anna")
    packed = await world.outbound.pack(Sender(anna.address, anna.account, anna.public_key), [far("clara")], b"Subject: x\r\n\r\nx")
    assert not isinstance(packed, Refusal)
    await world.send(anna, far("clara"))
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    world.other().before = lambda _: gate
    (assigned,) = await world.store.deliver([parcel.delivery for parcel in packed.parcels])  # on disk, and not announced yet
    await world.outgoing.round()
    await until(lambda: world.other().open_lines == 1)
    world.parcels._announce_all(packed.parcels, [assigned])
    gate.set_result(None)
    await world.work()
    assert len(world.other().sent) == 2
    assert world.journal.counts["queue.damaged"] == 0
    assert await is_queue_empty(world)


async def test_a_wrong_count_heals(world: OutWorld) -> None:
    await world.queue_folders.ensure(OTHER)
    (peer,) = world.outgoing._peers.values()
    peer.folder.waiting = 3
    world.outgoing._schedule(peer)
    await world.work()
    assert peer.folder.waiting == 0
    assert peer.due_s() is None


async def test_a_bug_in_one_message_lets_the_others_go(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")

    def refuse(consignment: Consignment) -> dict[object, Refusal]:
        if consignment.sender == anna.address:
            raise ZeroDivisionError
        return {}

    world.other().refuse = refuse  # type: ignore[assignment]
    await world.send(anna, far("clara"))
    await world.send(boris, far("clara"))
    await world.pass_time(120, step_s=30)
    assert {each.sender for each in world.other().sent} == {anna.address, boris.address}
    assert world.outgoing.pending == 1
    assert world.journal.counts["bug"] >= 1


# what is remembered


async def test_relays_are_remembered_by_ten_days_and_forgotten(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.outgoing.heard_from("friend.example")
    await world.send(anna, far("clara"))
    await world.work()
    writes = world.staged.calls["reseal_mailbox"]
    for _ in range(5):
        world.outgoing.heard_from("friend.example")
        await world.work()
    assert world.staged.calls["reseal_mailbox"] == writes
    await world.restart()
    known = {folder.domain: folder.exchanged for folder in world.queue_folders}
    assert known == {"friend.example": 10, OTHER: 10}
    await world.pass_days(192)
    assert list(world.queue_folders) == []
    assert [record.id for record in await world.store.mailboxes(world.queue_folders.owner.account)] == [
        MailboxId(world.queue_folders.owner.account)
    ]
    assert world.outgoing._peers == {}


async def test_strangers_cannot_fill_the_memory(world: OutWorld) -> None:
    world.change(queue_relays=10)
    for number in range(20):
        world.outgoing.heard_from(f"r{number}.example")
    await world.work()
    assert len(list(world.queue_folders)) == 5


async def test_with_another_key_nothing_is_known_and_nothing_breaks(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    await world.send(anna, far("clara"))
    await world.outgoing.close()
    world.build(world.store)
    world.queue_folders.owner = queue_owner(bytes(32), b"another".ljust(32))
    await world.start()
    assert list(world.queue_folders) == []
    assert (await world.store.totals()).entries == 1


async def test_the_worker_runs_until_it_is_told_to_stop(world: OutWorld) -> None:
    anna = await world.member("anna")
    task = asyncio.create_task(world.outgoing.run())
    await world.send(anna, far("clara"))
    await until(lambda: bool(world.other().got))
    await world.send(anna, far("david"))
    await until(lambda: len(world.other().got) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert world.other().open_lines == 0
