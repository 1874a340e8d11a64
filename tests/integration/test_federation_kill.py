# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two relays write to each other while both are killed at random moments, the line between them flaps and loses every twentieth packet.

Every message that was acknowledged is in its recipient's mailbox in the end. Nothing may fail for good, so no sender holds a report either.
What came more than once, because an answer was lost, is counted: apps show a message once, by its Message-ID. The dice are seeded; the
machine's own timing is not to be had twice. `--federation-messages 1000` takes about three minutes on two busy cores.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.lab.federation import World, world
from tests.lab.hosted import HostedRelay
from tests.lab.load import Device, Lost, Person, Refused, Smtp
from tests.lab.relay import random_text
from tests.mail.make import encrypted_message

from razdar.servers.control import ask

pytestmark = [pytest.mark.slow, pytest.mark.namespace]

PEOPLE = 3
"""On each side."""
BETWEEN_KILLS = (10, 50)
"""So many acknowledged messages."""
IN_START_UP = 0.3
"""Part of the restarts that are killed as well, before they are ready or a moment later."""
CUT_S, WHOLE_S = (0.1, 1.5), (0.2, 3.0)
"""How long the line is cut and how long it is not."""
LOSS = 0.05
THINK_S = 0.8
"""The longest pause of a writer between two messages."""
CALM_S = 100.0
WORD_S = 2.0
LOOK_S = 0.05
AGAIN = 0.5
"""Part of the messages whose answer was lost that are sent again, as the apps do."""
SETTINGS = {"send_per_minute": 1_000_000, "send_burst": 1_000_000, "log_level": "debug"}


@dataclass
class Side:
    """A relay and its people."""

    relay: HostedRelay
    people: list[Person] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    is_up: asyncio.Event = field(default_factory=asyncio.Event)
    kills: int = 0


@dataclass
class War:
    """What goes on. `accepted`: Message-ID → the address it is for, once it was acknowledged."""

    planet: World
    sides: tuple[Side, Side]
    dice: random.Random
    to_send: int
    accepted: dict[str, str] = field(default_factory=dict)
    lost_answers: int = 0
    cuts: int = 0
    progress: asyncio.Event = field(default_factory=asyncio.Event)
    count: int = 0

    async def move_in(self) -> None:
        """Everybody has an account that was used, and a device that is awake."""
        for side in self.sides:
            for _ in range(PEOPLE):
                person = Person(f"{random_text(9)}@{side.relay.name}", random_text(22))
                device = Device(person, side.relay.bind, side.relay.port("imaps"), on_round=self.progress.set)
                side.people.append(person)
                side.devices.append(device)
            side.is_up.set()

    async def write(self, side: Side, person: Person) -> None:
        """One message after the other, until enough were acknowledged."""
        while len(self.accepted) < self.to_send:
            await side.is_up.wait()
            with suppress(Lost, TimeoutError, Refused):
                await self._write_on_one_line(side, person)
            await asyncio.sleep(0)

    async def _write_on_one_line(self, side: Side, person: Person) -> None:
        smtp = await Smtp.open(side.relay.bind, side.relay.port("submissions"), person)
        try:
            while len(self.accepted) < self.to_send:
                await self.post(smtp, side, person)
                await asyncio.sleep(self.dice.random() * THINK_S)  # so that what happens to the relays happens among the messages
        finally:
            smtp.line.close()

    async def post(self, smtp: Smtp, side: Side, person: Person) -> None:
        """One message for somebody on the other side is acknowledged."""
        other = self.sides[1] if side is self.sides[0] else self.sides[0]
        recipient = self.dice.choice(other.people).address
        name, message = self._message(person, recipient)
        try:
            await smtp.send([recipient], message)
        except Lost:
            self.lost_answers += 1
            if self.dice.random() < AGAIN:
                await self._again(side, person, recipient, name, message)
            raise
        self._note(name, recipient)

    async def _again(self, side: Side, person: Person, recipient: str, name: str, message: bytes) -> None:
        await side.is_up.wait()
        smtp = await Smtp.open(side.relay.bind, side.relay.port("submissions"), person)
        try:
            await smtp.send([recipient], message)
        finally:
            smtp.line.close()
        self._note(name, recipient)

    def _note(self, name: str, recipient: str) -> None:
        self.accepted[name] = recipient
        self.progress.set()

    def _message(self, person: Person, recipient: str) -> tuple[str, bytes]:
        self.count += 1
        size_bytes = 100_000 if self.count % 20 == 0 else 3_000
        message = encrypted_message(person.address, [recipient], size_bytes, seed=self.count)
        start = message.index(b"Message-ID: <") + len(b"Message-ID: <")
        return message[start : message.index(b">", start)].decode(), message

    def missing(self) -> list[str]:
        seen = {device.person.address: set(device.shown) for side in self.sides for device in side.devices}
        return [name for name, who in self.accepted.items() if name not in seen[who]]

    async def until_accepted(self, count: int) -> None:
        while len(self.accepted) < min(count, self.to_send):
            self.progress.clear()
            await self.progress.wait()

    async def kill(self) -> None:
        """One relay after the other, until all is sent; both are up then."""
        while len(self.accepted) < self.to_send:
            await self.until_accepted(len(self.accepted) + self.dice.randint(*BETWEEN_KILLS))
            side = self.dice.choice(self.sides)
            side.is_up.clear()
            await asyncio.sleep(self.dice.random() * 0.01)  # between any two steps
            await asyncio.to_thread(side.relay.kill)
            side.kills += 1
            while self.dice.random() < IN_START_UP:
                side.relay.spawn()
                await asyncio.sleep(self.dice.random() * 1.5)  # anywhere in the start
                await asyncio.to_thread(side.relay.kill)
                side.kills += 1
            await asyncio.to_thread(side.relay.start)
            side.is_up.set()

    async def flap(self) -> None:
        """Until cancelled."""
        one, other = (side.relay.host for side in self.sides)
        while True:
            self.planet.net.worsen(one, other, delay_s=0.02, loss=LOSS)
            await asyncio.sleep(self.dice.uniform(*WHOLE_S))
            self.planet.net.cut(one, other)
            self.cuts += 1
            await asyncio.sleep(self.dice.uniform(*CUT_S))

    async def calm(self) -> None:
        """The line is as bad as before but whole. Where nothing arrives for a while, somebody on each side says a word, a sign of life."""
        self.planet.net.worsen(*(side.relay.host for side in self.sides), delay_s=0.02, loss=LOSS)
        with suppress(TimeoutError):
            async with asyncio.timeout(CALM_S):
                while not await self._arrives_within(WORD_S):
                    await asyncio.gather(*(self._say_a_word(side) for side in self.sides))

    async def _arrives_within(self, patience_s: float) -> bool:
        """Whether every message is with its reader and no relay waits for an answer about one. Nothing new may be written meanwhile."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._everything()
                while self.waiting():  # noqa: ASYNC110 - a relay tells it only when asked
                    await asyncio.sleep(LOOK_S)
                return True
        return False

    async def _say_a_word(self, side: Side) -> None:
        with suppress(Lost, TimeoutError, Refused):
            smtp = await Smtp.open(side.relay.bind, side.relay.port("submissions"), side.people[0])
            try:
                await self.post(smtp, side, side.people[0])
            finally:
                smtp.line.close()

    async def _everything(self) -> None:
        while self.missing():
            self.progress.clear()
            await self.progress.wait()

    def waiting(self) -> int:
        return sum(each["waiting"] for each in self.queues())

    def queues(self) -> list[dict[str, Any]]:
        """What each relay says of the other."""
        return [each for side in self.sides for each in ask(side.relay.data, {"op": "queue"})["relays"]]


@asynccontextmanager
async def awake(war: War) -> AsyncIterator[None]:
    """All devices, during the block; what goes wrong in one of them is raised at the end."""
    tasks = [asyncio.create_task(device.live(side.is_up.wait)) for side in war.sides for device in side.devices]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [end for end in ends if not isinstance(end, asyncio.CancelledError)] == []


async def fight(war: War) -> None:
    await war.move_in()
    async with awake(war):
        flapping = asyncio.create_task(war.flap())
        writers = [war.write(side, person) for side in war.sides for person in side.people]
        await asyncio.gather(war.kill(), *writers)
        flapping.cancel()
        await war.calm()


def extra_copies(sides: Sequence[Side]) -> Counter[str]:
    """How often more than once each message was put into its mailbox."""
    times = Counter(name for side in sides for device in side.devices for names in device.names.values() for name in names)
    return Counter({name: count - 1 for name, count in times.items() if count > 1})


def test_nothing_is_lost_between_two_relays_that_are_killed(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    count, seed = request.config.getoption("--federation-messages"), random.randrange(1 << 30)
    with world(tmp_path / "world", hosts=2, seed=seed) as planet:
        sides = Side(planet.relay(2, "alpha.test", SETTINGS)), Side(planet.relay(3, "beta.test", SETTINGS))
        war = War(planet, sides, random.Random(seed), count)
        began = time.monotonic()
        asyncio.run(fight(war))
        took_s = time.monotonic() - began
        lost, twice = war.missing(), extra_copies(sides)
        shown = {name for side in sides for device in side.devices for name in device.shown}
        kills = sum(side.kills for side in sides)
        print(
            f"seed {seed}: {len(war.accepted)} messages in {took_s:.0f} s, {kills} kills, {war.cuts} cuts, {war.lost_answers} answers lost"
        )
        print(f"{twice.total()} copies too many of {len(twice)} messages, {len(lost)} lost, {war.waiting()} wait")
        assert not lost, war.queues()
        assert not war.waiting()
        assert len(shown) <= war.count, "no report: nothing failed for good"
        assert len(twice) < 0.1 * len(war.accepted), "sent again only where an answer was lost"
        for device in (device for side in sides for device in side.devices):
            assert device.risen == []
            assert [names for names in device.names.values() if len(names) > 1] == []
