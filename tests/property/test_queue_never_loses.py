# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whatever other relays do and whenever this one is killed: in the end each recipient has the message, or its sender holds a report.

The program of each example is drawn: people send, relays come, go, refuse, put off, break lines and lose answers, hours pass, and the relay
is killed between any two steps of any task. Then everything heals, and the books are checked.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.outbound_world import FakeRelay, OutWorld, far

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.ports.courier import Consignment, Reason

NAMES = ("one.example", "two.example", "three.example")
PEOPLE = [far(name, domain) for domain in NAMES for name in ("clara", "david", "elena")]
SENDERS = ("anna", "boris", "fatima")

_ACTION = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 2), st.integers(1, 511)),
    st.tuples(st.just("mood"), st.integers(0, 2), st.integers(0, 6)),
    st.tuples(st.just("turns"), st.integers(0, 60), st.just(0)),
    st.tuples(st.just("kill"), st.just(0), st.just(0)),
    st.tuples(st.just("hours"), st.integers(1, 30), st.just(0)),
    st.tuples(st.just("heard"), st.integers(0, 2), st.just(0)),
)


class Play:
    """One example."""

    def __init__(self, world: OutWorld, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.sent: list[tuple[int, bytes, list[Address]]] = []
        self.hours = 0

    async def send(self, who: int, mask: int) -> None:
        recipients = [each for number, each in enumerate(PEOPLE) if mask >> number & 1]
        mark = b"<%d@relay.example>" % len(self.sent)
        message = b"Message-ID: " + mark + b"\r\nSubject: x\r\n\r\nx\r\n"
        if await self.world.put(self.people[who], recipients, message) is None:
            self.sent.append((who, mark, recipients))

    def mood(self, number: int, mood: int) -> None:
        fresh, relay = FakeRelay(), self.world.other(NAMES[number])
        relay.down, relay.refuse, relay.breaks, relay.loses_answer = fresh.down, fresh.refuse, fresh.breaks, fresh.loses_answer
        if mood in (1, 2):
            relay.down = Reason.NOT_CONNECTED if mood == 1 else Reason.NO_SUCH_DOMAIN
        elif mood in (3, 4):
            relay.refuse = self.some(Refusal(550, "5.1.1", "no") if mood == 3 else Refusal(450, "4.2.1", "later"))
        elif mood == 5:
            relay.breaks = lambda _: self.random.random() < 0.5
        elif mood == 6:
            relay.loses_answer = lambda _: self.random.random() < 0.5

    def some(self, refusal: Refusal) -> Callable[[Consignment], dict[Address, Refusal]]:
        return lambda consignment: {each: refusal for each in consignment.recipients if self.random.random() < 0.5}

    async def act(self, kind: str, first: int, second: int) -> None:
        if kind == "send":
            await self.send(first, second)
        elif kind == "mood":
            self.mood(first, second)
        elif kind == "turns":
            await self.world.outgoing.round()
            for _ in range(first):
                await asyncio.sleep(0)
        elif kind == "kill":
            await self.world.restart()
        elif kind == "heard":
            self.world.outgoing.heard_from(NAMES[first])
        elif self.hours + first < 24 * 15:  # reports in mailboxes stay for 20 days
            self.hours += first
            await self.world.pass_time(first * 3600, step_s=1800)

    async def run(self, actions: list[tuple[str, int, int]]) -> None:
        self.people = await self.world.members(*SENDERS)
        for number in range(len(NAMES)):
            self.mood(number, self.random.randrange(7))
        for action in actions:
            await self.act(*action)
        for number in range(len(NAMES)):
            self.mood(number, 0)
        await self.world.pass_time(3 * 3600, step_s=900)
        await self.check()

    async def check(self) -> None:
        assert self.world.outgoing.pending == 0, self.world.outgoing.states()
        got = Counter(
            (each, message.split(b"Message-ID: ")[1].split(b"\r")[0]) for name in NAMES for each, message in self.world.other(name).got
        )
        told: dict[int, list[bytes]] = {}
        for who, login in enumerate(self.people):
            told[who] = [report for report in await self.world.read(login) if b"\r\nAction: failed\r\n" in report]
        for who, mark, recipients in self.sent:
            about = [report for report in told[who] if b"Message-ID: " + mark in report]
            for each in recipients:
                is_told = any(str(each).encode() in report.split(b"rfc822-headers")[0] for report in about)
                assert got[each, mark] or is_told, (mark, each)
        totals = await self.world.store.totals()
        reports = sum([len(await self.world.read(login)) for login in self.people])
        assert (totals.entries, totals.bodies) == (reports, reports), "nothing is left behind in the store"


@settings(max_examples=60, deadline=None)
@given(st.lists(_ACTION, min_size=8, max_size=40), st.integers(0, 1 << 16))
def test_nothing_is_lost(actions: list[tuple[str, int, int]], seed: int) -> None:
    async def play() -> None:
        world = await OutWorld(seed=seed).start()
        world.change(unknown_per_minute=1000)
        try:
            await Play(world, seed).run(actions)
        finally:
            await world.outgoing.close()

    asyncio.run(play())
