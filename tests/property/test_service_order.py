# SPDX-License-Identifier: AGPL-3.0-or-later
"""What devices hear over the bus comes in the order of UIDs, whoever puts messages into a mailbox at the same moment.

A client counts messages by what it was told, so news of UID 7 after news of UID 8 could not be told any more. The bus orders nothing:
this rests on the store, which answers changes in the order in which it made them, and on services that tell before they wait for anything
else. Here it is tried on the real store, whose writer is another thread.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.mail.make import encrypted_message
from tests.service_world import World, address

from razdar.adapters.sqlite import open_store
from razdar.model.ids import Uid
from razdar.model.verdict import ACCEPT
from razdar.ports.bus import Added, Change, Removed
from razdar.services.accounts import Login
from razdar.wire.imap.view import MailboxView

pytestmark = pytest.mark.anyio
SENDERS, ROUNDS = 10, 5


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World()
    store = await open_store(tmp_path, reserve_bytes=65_536, wal_bytes=1 << 20)
    made.build(store)
    yield made
    await store.close()


def mirror(view: MailboxView, change: Change) -> None:
    """As a connection does it."""
    if isinstance(change, Added):
        view.added(entry.uid for entry in change.entries)
    elif isinstance(change, Removed):
        view.removed(change.uids)
    view.updates(may_expunge=True)


async def watch(world: World, login: Login, name: str = "INBOX") -> tuple[MailboxView, list[int]]:
    """A device in IDLE, and the UIDs as it hears of them."""
    heard: list[int] = []
    view = MailboxView(())

    def listen(change: Change) -> None:
        if isinstance(change, Added):
            heard.extend(entry.uid for entry in change.entries)
        mirror(view, change)

    mailbox = await world.mailboxes.open(login, name, listen)
    assert mailbox is not None
    view.uids.extend(mailbox.uids)
    mailbox.start()
    return view, heard


async def test_deliveries_reports_copies_moves_and_appends_at_once(world: World) -> None:
    anna, *senders = await world.members("anna", *(f"sender{number:03}" for number in range(SENDERS)))
    world.change(send_burst=10_000)
    folder = await world.folders.create(anna, "Source")
    for seed in range(SENDERS * ROUNDS):
        await world.appender(anna, folder, encrypted_message(str(anna.address), [], seed=seed), (), None)
    watched = [await watch(world, anna) for _ in range(3)]
    source = await world.mailboxes.open(anna, "Source", lambda _: None)
    inbox = await world.folders.find(anna, "INBOX")
    assert source is not None
    assert inbox is not None
    source.start()
    chance = random.Random(7)

    async def deliver(sender: Login) -> None:
        for seed in range(ROUNDS):
            assert await world.send(sender, anna, size_bytes=chance.choice([1_200, 90_000]), seed=seed) == ACCEPT

    async def deliver_to_oneself_and_nobody() -> None:
        for seed in range(ROUNDS):
            await world.send(anna, anna, senders[0], address(f"nobody{seed}"), seed=seed)

    async def copy(first: int) -> None:
        for number in range(ROUNDS):
            await source.copy([Uid(first + number)], inbox)

    async def move(first: int) -> None:
        for number in range(ROUNDS):
            await source.move([Uid(first + number)], inbox)

    async def append() -> None:
        for seed in range(ROUNDS):
            await world.appender(anna, inbox, encrypted_message(str(anna.address), [], seed=1000 + seed), (), None)

    work = [deliver(sender) for sender in senders] + [deliver_to_oneself_and_nobody(), append(), copy(1), copy(6), move(11), move(16)]
    chance.shuffle(work)
    await asyncio.gather(*work)
    stored = list(await world.uids(anna))
    assert len(stored) >= (SENDERS + 6) * ROUNDS
    for view, heard in watched:
        assert heard == sorted(heard) == stored
        assert list(view.uids) == stored


async def test_a_device_that_comes_in_the_middle_misses_nothing(world: World) -> None:
    anna, *senders = await world.members("anna", *(f"sender{number:03}" for number in range(SENDERS)))

    async def deliver(sender: Login) -> None:
        for seed in range(ROUNDS):
            assert await world.send(sender, anna, seed=seed) == ACCEPT

    async def come_late(turns: int) -> MailboxView:
        for _ in range(turns):
            await asyncio.sleep(0)
        view, _ = await watch(world, anna)
        return view

    answers = await asyncio.gather(*map(deliver, senders), *(come_late(turns) for turns in range(0, 200, 20)))
    stored = list(await world.uids(anna))
    for view in answers[SENDERS:]:
        assert isinstance(view, MailboxView)
        view.updates(may_expunge=True)
        assert list(view.uids) == stored


async def test_removals_meet_deliveries(world: World) -> None:
    anna, *senders = await world.members("anna", *(f"sender{number:03}" for number in range(SENDERS)))
    view, _ = await watch(world, anna)

    async def deliver(sender: Login) -> None:
        for seed in range(ROUNDS):
            await world.send(sender, anna, seed=seed)

    async def tidy() -> None:
        """A device that deletes whatever it sees."""
        mailbox = await world.open(anna)
        for _ in range(ROUNDS * 4):
            seen = await world.uids(anna)
            uids = [Uid(uid) for uid in seen[::2]]
            await mailbox.set_flags(uids, lambda before: before | {"\\Deleted"})
            await mailbox.expunge(uids)

    await asyncio.gather(*map(deliver, senders), tidy())
    view.updates(may_expunge=True)
    assert list(view.uids) == list(await world.uids(anna))
    totals = await world.store.totals()
    assert totals.bodies == totals.entries
