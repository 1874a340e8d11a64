# SPDX-License-Identifier: AGPL-3.0-or-later
"""A relay's queue over a real store in a process of its own, to be killed at any moment.

python -m tests.integration.queue_program work FOLDER      people send and other relays do as they please, until killed
python -m tests.integration.queue_program finish FOLDER    all relays are well; ends when nothing waits, and tells who was told what

A line for each message that was accepted, for each recipient whose relay has taken it, and in the end for each report.
"""

import asyncio
import random
import re
import sys
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.integration.store_program import opened, say
from tests.outbound_world import FakeRelay, OutWorld, far
from tests.service_world import login_of

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.ports.courier import Consignment, Reason
from razdar.services.accounts import Login
from razdar.vault.account_key import PrivateKey

DOMAINS = ("one.example", "two.example", "three.example")
NAMES = ("clara", "david", "elena")
SENDERS = ("anna", "boris", "fatima")


async def person(world: OutWorld, name: str) -> Login:
    """With the same key in every process."""
    login, record = login_of(name)
    key = PrivateKey(login.account, X25519PrivateKey.from_private_bytes(blake2b(name.encode(), digest_size=32).digest()))
    await world.store.create_account(replace(record, public_key=key.public_bytes()))
    return Login(login.address, login.account, key, key.public_bytes())


class Moody(FakeRelay):
    """Takes, refuses, puts off, breaks lines and loses answers; says what it took before it answers."""

    def __init__(self, *, is_well: bool) -> None:
        super().__init__()
        self.is_well = is_well
        self.refuse = self.decide
        self.loses_answer = lambda _: self.chance(0.05)
        self.breaks = lambda _: self.chance(0.05)

    def chance(self, part: float) -> bool:
        return not self.is_well and random.random() < part

    def decide(self, consignment: Consignment) -> dict[Address, Refusal]:
        self.down = Reason.NOT_CONNECTED if self.chance(0.05) else None
        refused = {each: Refusal(550, "5.1.1", "no") for each in consignment.recipients if self.chance(0.1)}
        refused |= {each: Refusal(450, "4.2.1", "later") for each in consignment.recipients if self.chance(0.1)}
        mark = consignment.message.split(b"Message-ID: ")[1].split(b"\r")[0].decode()
        for each in consignment.recipients:
            if each not in refused:
                say("got", mark, each)
        return refused


async def started(folder: Path, *, is_well: bool) -> tuple[OutWorld, list[Login]]:
    world = OutWorld(seed=random.getrandbits(60))
    world.build(await opened(folder))
    world.change(unknown_per_minute=1000)
    for domain in DOMAINS:
        world.courier.relays[domain] = Moody(is_well=is_well)
    await world.start()
    return world, [await person(world, name) for name in SENDERS]


async def work(folder: Path) -> None:
    world, people = await started(folder, is_well=False)
    async with asyncio.TaskGroup() as group:
        for login in people:
            group.create_task(send(world, login))
        group.create_task(run(world))


async def send(world: OutWorld, login: Login) -> None:
    while True:
        mark = f"<{random.getrandbits(60)}@x>"
        recipients = [far(name, domain) for domain in DOMAINS for name in NAMES if random.random() < 0.3]
        message = b"Message-ID: " + mark.encode() + b"\r\nSubject: x\r\n\r\nx\r\n"
        if recipients and await world.put(login, recipients, message) is None:
            say("accepted", mark, *recipients)
        await asyncio.sleep(random.random() * 0.01)


async def run(world: OutWorld) -> None:
    while True:
        for relay in world.courier.relays.values():
            relay.down = None if relay.down is None or random.random() < 0.5 else relay.down
        world.clock.monotonic_s += 60
        await world.outgoing.round()
        await asyncio.sleep(0.002)


async def finish(folder: Path) -> None:
    world, people = await started(folder, is_well=True)
    while world.outgoing.pending:
        world.clock.monotonic_s += 3600
        await world.work()
    for login in people:
        for report in await world.read(login):
            mark = re.findall(rb"^Message-ID: (.*?)\r$", report.split(b"rfc822-headers")[1], re.M)[0].decode()
            say("told", mark, *(each.decode() for each in re.findall(rb"Final-Recipient: rfc822; (\S+)", report)))
    totals = await world.store.totals()
    say("left", totals.entries, totals.bodies)
    await world.store.close()


if __name__ == "__main__":
    asyncio.run({"work": work, "finish": finish}[sys.argv[1]](Path(sys.argv[2])))
