# SPDX-License-Identifier: AGPL-3.0-or-later
"""A relay with a queue, and other relays that are a table: up or down, willing or not, with everything they were ever given.

`OutWorld` is `World` with the way to other relays built in. Time goes only when a test says so: `await world.work()` does whatever is due
now, `await world.pass_time(seconds)` lets it pass, the relay days with it.
"""

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.service_world import DOMAIN, World, address

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.policy.queue_room import QueueRoom
from razdar.policy.rate import RateBook
from razdar.ports.courier import Consignment, Line, Outcome, Reason, Unreachable
from razdar.ports.resolver import Peer as BookPeer
from razdar.ports.store import Store
from razdar.servers.journal import Journal
from razdar.services.accounts import Login
from razdar.services.deliver import Deliver
from razdar.services.outbound import Outbound
from razdar.services.queue_folders import QueueFolders
from razdar.services.reporter import Reporter
from razdar.services.settlement import Settlement
from razdar.vault.queue_key import queue_owner
from razdar.workers.outbound import Outgoing

OTHER = "other.example"
NO_USER = Refusal(550, "5.1.1", "nobody of that name")
GREYLISTED = Refusal(450, "4.7.1", "come again")
HOUR = 3600.0


@dataclass
class FakeRelay:
    """Another relay."""

    down: Reason | None = None
    refuse: Callable[[Consignment], dict[Address, Refusal]] = lambda _: {}
    breaks: Callable[[Consignment], bool] = lambda _: False
    """The line breaks before the relay has the message."""
    loses_answer: Callable[[Consignment], bool] = lambda _: False
    """The line breaks after it has it."""
    before: Callable[[Consignment], "asyncio.Future[None] | None"] = lambda _: None
    """What to wait for while the message is on the line."""
    got: list[tuple[Address, bytes]] = field(default_factory=list)
    sent: list[Consignment] = field(default_factory=list)
    opened: int = 0
    open_lines: int = 0
    most_lines: int = 0


class FakeLine:
    def __init__(self, relay: FakeRelay) -> None:
        self.relay = relay
        self.is_open = True
        relay.open_lines += 1
        relay.most_lines = max(relay.most_lines, relay.open_lines)

    async def send(self, consignment: Consignment) -> Outcome:
        assert self.is_open
        await asyncio.sleep(0)
        wait = self.relay.before(consignment)
        if wait is not None:
            await wait
        if self.relay.down is not None or self.relay.breaks(consignment):
            raise Unreachable(self.relay.down or Reason.BROKEN_OFF)
        self.relay.sent.append(consignment)
        refused = self.relay.refuse(consignment)
        self.relay.got += [(each, consignment.message) for each in consignment.recipients if each not in refused]
        await asyncio.sleep(0)
        if self.relay.loses_answer(consignment):
            raise Unreachable(Reason.BROKEN_OFF)
        return Outcome(refused)

    async def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.relay.open_lines -= 1


class FakeCourier:
    """Implements `ports.courier.Courier`."""

    def __init__(self) -> None:
        self.relays: defaultdict[str, FakeRelay] = defaultdict(FakeRelay)

    async def open(self, domain: str) -> Line:
        relay = self.relays[domain]
        relay.opened += 1
        await asyncio.sleep(0)
        if relay.down is not None:
            raise Unreachable(relay.down)
        return FakeLine(relay)


class Book:
    """Implements `ports.resolver.PeerBook`."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find(self, name: str) -> BookPeer | None:
        return BookPeer(name, ("192.0.2.1",), 443, 25, "", (), is_confirmed=True) if name in self.names else None


class OutWorld(World):
    """The world that other relays belong to."""

    def build(self, store: Store) -> None:
        """A start of the relay; `courier` and what the other relays have live on."""
        self.courier: FakeCourier = getattr(self, "courier", FakeCourier())
        clock = getattr(self, "clock", None)
        super().build(store)
        self.starts = getattr(self, "starts", 0) + 1
        self.entropy = random.Random(f"world {self.seed} {self.starts}").randbytes
        self.parcels._entropy = self.entropy  # the same numbers after a restart would be the same bodies
        if clock is not None:
            self.clock.now_s = clock.now_s
        self.unknown: dict[str, Refusal] = getattr(self, "unknown", {})
        self.book, self.room, self.journal = Book(), QueueRoom(), Journal()
        self.queue_folders = QueueFolders(
            store, queue_owner(bytes(32), bytes(31) + b"q"), self.clock, self.calendar, self.entropy, lambda: self.settings
        )
        self.new_relays = RateBook(self.settings.unknown_per_minute, self.settings.unknown_per_minute)
        self.outbound = Outbound(
            self.queue_folders,
            self.parcels,
            self.room,
            self.book,
            self.new_relays,
            self.look,
            lambda message: b"DKIM-Signature: signed\r\n" + message,
            self.crew,
            self.clock,
            lambda: self.settings,
        )
        self.reporter = Reporter(DOMAIN, self.clock, self.entropy)
        self.settlement = Settlement(
            store,
            self.queue_folders,
            self.parcels,
            self.room,
            self.crew,
            self.reporter,
            self.calendar,
            self.journal.count,
        )
        self.outgoing = Outgoing(
            store,
            self.bus,
            self.courier,
            self.queue_folders,
            self.settlement,
            self.room,
            self.clock,
            self.calendar,
            lambda: self.settings,
            random.Random(f"chance {self.seed}").random,
            self.journal,
            linger_s=0.0,
        )
        self.onward = self.outbound
        self.deliver = Deliver(
            *(store, self.gatherer, self.parcels, self.onward, self.reporter, self.shares),
            *(lambda: self.settings, DOMAIN, self.woken.extend),
        )
        self.submit._deliver = self.deliver

    async def look(self, domain: str) -> Refusal | None:
        return self.unknown.get(domain)

    async def start(self) -> "OutWorld":
        self.calendar.day = await self.store.day()
        self.outgoing._day = self.calendar.day
        await self.outgoing.open()
        return self

    async def restart(self) -> None:
        """As after kill -9: tasks end wherever they are, and only the store is left."""
        await self.outgoing.close()
        self.build(self.store)
        await self.start()

    async def work(self) -> None:
        """Everything that is due now is done."""
        for _ in range(1000):
            await self.outgoing.round()
            await self.outgoing.settle_down()
            due = [peer.due_s() for peer in self.outgoing._peers.values()]
            is_waiting = any(self.outgoing._times._ready.values()) or self.outgoing._heard
            if not is_waiting and not any(each is not None and each <= self.clock.monotonic() for each in due):
                return
        raise AssertionError("there is no end")

    async def pass_time(self, seconds: float, step_s: float = 600.0) -> None:
        """Work is done after each step."""
        while seconds > 0:
            step = min(step_s, seconds)
            seconds -= step
            while step > 0:  # a longer silence between two ticks would not count
                tick = min(step, 600.0)
                self.clock.monotonic_s += tick
                self.clock.now_s += int(tick)
                step -= tick
                await self.calendar.tick()
            await self.work()

    async def pass_days(self, days: int) -> None:
        await self.pass_time(days * 86_400.0, step_s=3600.0)

    def other(self, domain: str = OTHER) -> FakeRelay:
        return self.courier.relays[domain]


def far(name: str, domain: str = OTHER) -> Address:
    return address(name, domain)


async def until(condition: Callable[[], bool]) -> None:
    """Others have their turn until it is so."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")


async def reports(world: OutWorld, login: Login) -> list[str]:
    """Actions of the reports in a mailbox."""
    return [re.findall(rb"Action: (\w+)", message)[0].decode() for message in await world.read(login) if b"delivery-status" in message]


async def is_queue_empty(world: OutWorld) -> bool:
    totals = [record.messages for record in await world.store.mailboxes(world.queue_folders.owner.account)]
    return not sum(totals) and not world.outgoing.pending
