# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several devices do what they like with one account, at the same moment and in any interleaving; then everybody's picture is the same.

Hypothesis draws rounds; within a round all devices act at once, and the store gives them their turns in an order that the seed decides.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service_world import World

from razdar.model.ids import Uid
from razdar.model.verdict import ACCEPT
from razdar.ports.bus import Added, Change, Removed
from razdar.services.accounts import Login
from razdar.services.folders import Folder, FolderRefused
from razdar.services.mailbox import OpenMailbox
from razdar.wire.imap.view import MailboxView

DEVICES = 3
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "$A", "$B")
uids = st.sets(st.integers(1, 12), min_size=1, max_size=6)
device = st.integers(0, DEVICES - 1)
action = st.one_of(
    st.tuples(st.just("set"), device, uids, st.sampled_from(FLAGS)),
    st.tuples(st.just("clear"), device, uids, st.sampled_from(FLAGS)),
    st.tuples(st.just("expunge"), device, uids, st.none()),
    st.tuples(st.just("copy"), device, uids, st.none()),
    st.tuples(st.just("move"), device, uids, st.none()),
    st.tuples(st.just("fetch"), device, uids, st.none()),
    st.tuples(st.just("deliver"), device, uids, st.none()),
)
rounds = st.lists(st.lists(action, min_size=1, max_size=5), min_size=1, max_size=5)


class Device:
    """A session that mirrors what it hears."""

    mailbox: OpenMailbox

    def __init__(self) -> None:
        self.view = MailboxView(())

    def hear(self, change: Change) -> None:
        if isinstance(change, Added):
            self.view.added(entry.uid for entry in change.entries)
        elif isinstance(change, Removed):
            self.view.removed(change.uids)
        self.view.updates(may_expunge=True)


async def act(world: World, devices: list[Device], target: Folder, sender: Login, owner: Login, what: Any, seed: int) -> None:
    kind, number, named, flag = what
    mailbox = devices[number].mailbox
    wanted = [Uid(uid) for uid in sorted(named)]
    if kind == "set":
        await mailbox.set_flags(wanted, lambda before: before | {flag})
    elif kind == "clear":
        await mailbox.set_flags(wanted, lambda before: before - {flag})
    elif kind == "expunge":
        await mailbox.expunge(wanted)
    elif kind in ("copy", "move"):
        await getattr(mailbox, kind)(wanted, target)
    elif kind == "fetch":
        for uid, entry in (await mailbox.opened(wanted)).items():
            await mailbox.message(uid, entry.secret)
        await mailbox.settle()
    else:
        assert await world.send(sender, owner, seed=seed) == ACCEPT


async def run(seed: int, drawn: list[list[Any]]) -> None:
    world = World(seed=seed)
    anna, boris = await world.members("anna", "boris")
    target = await world.folders.create(anna, "Archive")
    for number in range(8):
        await world.send(boris, anna, seed=number)
    devices = [Device() for _ in range(DEVICES)]
    for one in devices:
        one.mailbox = await world.open(anna, listener=one.hear)
        one.view.uids.extend(one.mailbox.uids)
    for number, together in enumerate(drawn):
        work: list[Coroutine[Any, Any, None]]
        work = [act(world, devices, target, boris, anna, what, 100 * number + index) for index, what in enumerate(together)]
        for answer in await asyncio.gather(*work, return_exceptions=True):
            assert answer is None or isinstance(answer, FolderRefused), answer
    await same_picture(world, anna, devices)
    await nothing_left_over(world, anna, devices)


async def same_picture(world: World, anna: Login, devices: list[Device]) -> None:
    stored = list(await world.uids(anna))
    pictures = []
    for one in devices:
        await one.mailbox.write_marks()
        assert list(one.view.uids) == stored
    for mailbox in [*(one.mailbox for one in devices), await world.open(anna)]:
        opened = await mailbox.opened([Uid(uid) for uid in stored])
        pictures.append({uid: frozenset(mailbox.flag_names(entry.secret)) for uid, entry in opened.items()})
    assert all(picture == pictures[-1] for picture in pictures)
    assert list(pictures[-1]) == stored


async def nothing_left_over(world: World, anna: Login, devices: list[Device]) -> None:
    """Every message can still be read, and when all of them are gone no body and no charge stays behind."""
    for name in ("INBOX", "Archive"):
        mailbox = await world.open(anna, name)
        assert len(await world.read(anna, name)) == len(mailbox.uids)
        await mailbox.set_flags(mailbox.uids, lambda before: before | {"\\Deleted"})
        assert list(await mailbox.expunge(mailbox.uids)) == list(mailbox.uids)
    totals = await world.store.totals()
    assert (totals.entries, totals.bodies) == (0, 0)
    assert await world.used(anna) == 0
    assert all(len(one.view) == 0 for one in devices)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), rounds)
def test_devices_of_one_account_agree(seed: int, drawn: list[list[Any]]) -> None:
    asyncio.run(run(seed, drawn))
