# SPDX-License-Identifier: AGPL-3.0-or-later
"""workers/push.py: whose phone is woken up, when it is tried again, and what a cut or a broken store does to that."""

import asyncio
from collections import Counter
from typing import cast

import pytest
from tests.service_world import FakeClock, StagedStore, login_of

from razdar.model.ids import AccountId
from razdar.ports.push import PushOutcome
from razdar.ports.store import Store, StoreUnavailable
from razdar.workers import push as push_module
from razdar.workers.push import AT_ONCE, GIVE_UP_S, Pusher

pytestmark = pytest.mark.anyio
DELIVERED, FORGOTTEN, FAILED = PushOutcome.DELIVERED, PushOutcome.FORGOTTEN, PushOutcome.FAILED


class Gate:
    """The notification service: answers `outcome`, or what is in `outcomes` for a token."""

    def __init__(self) -> None:
        self.outcome = DELIVERED
        self.outcomes: dict[bytes, PushOutcome] = {}
        self.asked: list[bytes] = []
        self.at_once = self.most_at_once = 0

    async def notify(self, token: bytes) -> PushOutcome:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.asked.append(token)
        return self.outcomes.get(token, self.outcome)


class Office:
    """A pusher and all it needs."""

    def __init__(self) -> None:
        self.store, self.gate, self.clock = StagedStore(), Gate(), FakeClock()
        self.pusher = Pusher(cast("Store", self.store), self.gate, self.clock)

    async def member(self, name: str, *tokens: bytes) -> AccountId:
        _, record = login_of(name)
        await self.store.create_account(record)
        for token in tokens:
            await self.store.put_token(record.id, token, 100)
        return record.id

    async def round(self, after_s: float = 0) -> list[bytes]:
        """What is asked when so much time has passed."""
        self.clock.monotonic_s += after_s
        self.gate.asked.clear()
        await self.pusher.round()
        return self.gate.asked


@pytest.fixture
def office() -> Office:
    return Office()


async def test_every_device_of_everybody_who_got_mail(office: Office) -> None:
    anna, boris = await office.member("anna", b"a1", b"a2"), await office.member("boris", b"b1")
    await office.member("clara", b"c1")
    office.pusher.wake([anna, boris])
    assert sorted(await office.round()) == [b"a1", b"a2", b"b1"]
    assert await office.round(100_000) == []


async def test_ten_messages_at_once_are_one_wake_up(office: Office) -> None:
    anna = await office.member("anna", b"a1")
    for _ in range(10):
        office.pusher.wake([anna])
    assert await office.round() == [b"a1"]


async def test_it_tries_again_after_8_64_512_seconds_and_gives_up(office: Office) -> None:
    office.gate.outcome = FAILED
    office.pusher.wake([await office.member("anna", b"a1")])
    assert await office.round() == [b"a1"]
    for delay_s in (8, 64, 512, 4096):
        assert await office.round(delay_s - 1) == []
        assert await office.round(1) == [b"a1"]
    assert await office.round(GIVE_UP_S * 10) == []
    assert office.pusher.pending == 0
    assert not office.pusher._waiting


async def test_after_giving_up_the_next_message_is_tried_again(office: Office) -> None:
    anna = await office.member("anna", b"a1")
    office.gate.outcome = FAILED
    office.pusher.wake([anna])
    for _ in range(6):
        await office.round(GIVE_UP_S)
    office.pusher.wake([anna])
    assert await office.round() == [b"a1"]


async def test_a_token_that_is_not_valid_any_more_is_forgotten(office: Office) -> None:
    anna = await office.member("anna", b"old", b"new")
    office.gate.outcomes[b"old"] = FORGOTTEN
    office.pusher.wake([anna])
    await office.round()
    assert await office.store.tokens(anna) == [b"new"]
    office.pusher.wake([anna])
    assert await office.round() == [b"new"]


async def test_who_has_no_token_costs_one_look(office: Office) -> None:
    anna = await office.member("anna")
    for _ in range(5):
        office.pusher.wake([anna])
        await office.round()
    assert office.store.calls["tokens"] == 1
    await office.store.put_token(anna, b"a1", 100)
    office.pusher.token_added(anna)
    office.pusher.wake([anna])
    assert await office.round() == [b"a1"]


async def test_a_token_that_comes_while_we_look_is_not_missed(office: Office) -> None:
    anna = await office.member("anna")

    async def look_and_then_it_comes() -> None:
        office.pusher.token_added(anna)

    office.store.before["tokens"] = look_and_then_it_comes
    office.pusher.wake([anna])
    await office.round()
    await office.store.put_token(anna, b"a1", 100)
    office.pusher.wake([anna])
    assert await office.round() == [b"a1"]


async def test_a_broken_store_does_not_end_the_wake_ups(office: Office) -> None:
    """One failed look ended the worker, and nobody was woken up any more until the next start."""
    anna = await office.member("anna", b"a1")
    running = asyncio.ensure_future(office.pusher.run())
    failed = asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise StoreUnavailable("no")

    office.store.before["tokens"] = fail
    office.pusher.wake([anna])
    await failed.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert office.gate.asked == []
    office.pusher.wake([anna])
    for _ in range(50):
        await asyncio.sleep(0)
    assert office.gate.asked == [b"a1"]
    running.cancel()


async def test_a_token_that_cannot_be_forgotten_now_ends_nothing(office: Office) -> None:
    anna = await office.member("anna", b"old", b"new")
    office.gate.outcomes[b"old"] = FORGOTTEN
    office.store.broken["forget_token"] = StoreUnavailable("no")
    office.pusher.wake([anna])
    assert sorted(await office.round()) == [b"new", b"old"]
    office.pusher.wake([anna])
    assert sorted(await office.round()) == [b"new", b"old"]


async def test_few_at_a_time(office: Office) -> None:
    for number in range(30):
        office.pusher.wake([await office.member(f"member{number}", b"token %d" % number)])
    assert len(await office.round()) == 30
    assert office.gate.most_at_once == AT_ONCE


async def test_a_cut_is_noticed_after_a_handful(office: Office) -> None:
    """Each try may take 20 s; ten thousand of them in a row would hold up everybody for hours after the cut."""
    office.gate.outcome = FAILED
    for number in range(50):
        office.pusher.wake([await office.member(f"member{number}", b"token %d" % number)])
    assert len(await office.round()) == AT_ONCE
    assert office.pusher.pending == 50
    office.gate.outcome = DELIVERED
    assert len(await office.round(8)) == 50  # all of them, eight seconds later
    assert office.pusher.pending == 0


async def test_a_few_bad_tokens_are_no_cut(office: Office) -> None:
    for number in range(50):
        office.pusher.wake([await office.member(f"member{number}", b"token %d" % number)])
        if number % 2:
            office.gate.outcomes[b"token %d" % number] = FAILED
    assert len(await office.round()) == 50


async def test_what_waits_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_module, "WAITING_MAX", 5)
    monkeypatch.setattr(push_module, "TOKENLESS_MAX", 3)
    office.gate.outcome = FAILED
    members = [await office.member(f"member{number}", b"token %d" % number) for number in range(20)]
    office.pusher.wake(members)
    assert office.pusher.pending == 5
    await office.round()
    office.pusher.wake(members[5:])
    await office.round()
    assert office.pusher.pending == 5
    lonely = [await office.member(f"lonely{number}") for number in range(5)]
    office.pusher.wake(lonely)
    await office.round()
    assert len(office.pusher._tokenless) <= 3


async def test_the_worker_sleeps_until_something_is_due(office: Office) -> None:
    running = asyncio.ensure_future(office.pusher.run())
    anna = await office.member("anna", b"a1")
    for _ in range(20):
        await asyncio.sleep(0)
    assert office.store.calls == Counter(create_account=1, put_token=1)
    office.pusher.wake([anna])
    for _ in range(20):
        await asyncio.sleep(0)
    assert office.gate.asked == [b"a1"]
    running.cancel()
