# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts stay in RAM until their first use (services/newcomers.py). The contract of the store holds for them, too: tests/contract."""

import asyncio
import random
from typing import Any, cast

import pytest
from tests.service_world import World, address

from razdar.adapters.memory import MemoryStore
from razdar.ports.store import Store, StoreFull
from razdar.services.accounts import Login
from razdar.services.newcomers import Newcomers

pytestmark = pytest.mark.anyio
PASSWORD = "0123456789abcdefghijkl"


class Town(World):
    """A world whose accounts are new until they are used. `disk` is what a crash leaves."""

    limit = 3

    def build(self, store: Store) -> None:
        self.disk = store
        super().build(store)
        self.newcomers = Newcomers(store, self.bus, self.limit, random.Random(7).randbytes)
        super().build(cast("Store", self.newcomers))
        self.newcomers._bus = self.bus

    async def log_in(self, name: str) -> Login:
        login = await self.accounts.log_in(address(name), PASSWORD)
        assert isinstance(login, Login)
        return login

    async def is_on_disk(self, login: Login) -> bool:
        return await self.disk.account(login.account) is not None


@pytest.fixture
def town() -> Town:
    return Town()


async def test_logging_in_leaves_nothing_on_disk(town: Town) -> None:
    anna = await town.log_in("annaanna1")
    assert await town.read(anna) == []
    assert not await town.is_on_disk(anna)
    assert town.staged.calls["create_account"] == 0
    assert (await town.disk.totals()).accounts == 0


async def test_both_protocols_of_a_client_make_one_account(town: Town) -> None:
    """VECTORS "accounts": IMAP+SMTP create race, and the same name from two clients with different passwords."""
    anna = address("annaanna1")
    answers: list[Any] = await asyncio.gather(
        *(town.accounts.log_in(anna, PASSWORD) for _ in range(3)), town.accounts.log_in(anna, "another password here")
    )
    keys = {answer.public_key for answer in answers if isinstance(answer, Login)}
    assert len(keys) == 1
    assert len(town.newcomers) == 1


@pytest.mark.parametrize("use", ["received", "sent", "token", "folder", "appended"])
async def test_the_first_use_puts_an_account_on_disk_as_the_client_saw_it(town: Town, use: str) -> None:
    anna, bahar = await town.log_in("annaanna1"), await town.log_in("baharbahar")
    (seen,) = await town.store.mailboxes(anna.account)
    if use in ("received", "sent"):
        await town.send(*((bahar, anna) if use == "received" else (anna, bahar)))
    elif use == "token":
        await town.tokens.put(anna, b"token")
    elif use == "folder":
        await town.folders.create(anna, "Work")
    else:
        await town.send(anna, anna)
    assert await town.is_on_disk(anna)
    inbox = (await town.disk.mailboxes(anna.account))[0]
    assert inbox.uid_validity == seen.uid_validity, "a changed UIDVALIDITY makes the apps skip what waits (docs/interop.md, fact 3)"
    assert (await town.log_in("annaanna1")).public_key == anna.public_key


async def test_a_crash_forgets_only_what_was_never_used(town: Town) -> None:
    anna, bahar = await town.log_in("annaanna1"), await town.log_in("baharbahar")
    await town.send(anna, anna)
    town.build(town.disk)
    again = await town.log_in("annaanna1")
    assert len(await town.read(again)) == 1
    assert await town.store.account(bahar.account) is None
    assert (await town.log_in("baharbahar")).account == bahar.account, "the same name and password: the same outcome"


async def test_a_flood_of_logins_is_bounded_and_spares_whoever_is_connected(town: Town) -> None:
    anna = await town.log_in("annaanna1")
    ended: list[str] = []
    town.accounts.when_closed(anna, lambda: ended.append("anna"))
    for number in range(6):
        await town.log_in(f"flood{number:05}")
    assert len(town.newcomers) == town.limit
    assert await town.store.account(anna.account) is not None
    assert not ended
    assert isinstance(await town.accounts.log_in(address("flood00000"), PASSWORD), Login), "and whoever was dropped comes again"


async def test_whoever_is_dropped_while_connected_is_told(town: Town) -> None:
    ended: list[int] = []
    for number in range(4):
        login = await town.log_in(f"person{number:05}")
        town.accounts.when_closed(login, lambda number=number: ended.append(number))  # type: ignore[misc]
    assert ended == [0]


async def test_a_full_disk_refuses_the_message_and_the_account_stays_new(town: Town) -> None:
    anna, bahar = await town.log_in("annaanna1"), await town.log_in("baharbahar")
    town.staged.broken["create_account"] = StoreFull()
    with pytest.raises(StoreFull):
        await town.send(anna, bahar)
    town.staged.broken.clear()
    await town.send(anna, bahar)
    assert await town.is_on_disk(anna)
    assert await town.is_on_disk(bahar)


@pytest.mark.parametrize("seed", range(20))
async def test_uses_at_the_same_moment_make_one_account(seed: int) -> None:
    town = Town(seed=seed)
    anna, bahar = await town.log_in("annaanna1"), await town.log_in("baharbahar")
    inbox = await town.store.mailbox(anna.inbox)
    everything: list[Any] = [
        town.send(anna, bahar),
        town.send(bahar, anna, seed=1),
        town.tokens.put(anna, b"token"),
        town.folders.create(anna, "Work"),
        town.log_in("annaanna1"),
        town.store.prolong_account(anna.account, 10_000),
    ]
    random.Random(seed).shuffle(everything)
    await asyncio.gather(*everything)
    stored = await town.disk.account(anna.account)
    assert stored is not None
    assert (stored.public_key, stored.expires) == (anna.public_key, 10_000)
    assert inbox is not None
    assert (await town.disk.mailboxes(anna.account))[0].uid_validity == inbox.uid_validity
    assert len(town.newcomers) == 0
    assert len(await town.read(anna)) == 1


async def test_deleted_and_expired_newcomers_are_gone(town: Town) -> None:
    anna, bahar = await town.log_in("annaanna1"), await town.log_in("baharbahar")
    await town.accounts.delete(anna)
    assert await town.store.account(anna.account) is None
    while (await town.store.day()) < (await town.store.account(bahar.account)).expires:  # type: ignore[union-attr]
        await town.store.next_day()
    await town.store.expire()
    assert await town.store.account(bahar.account) is None


async def test_with_a_full_disk_nobody_new_comes_in(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = await town.log_in("annaanna1")
    monkeypatch.setattr(MemoryStore, "is_full", True)
    with pytest.raises(StoreFull):
        await town.log_in("baharbahar")
    assert await town.log_in("annaanna1") == anna, "who is here already is not concerned"
