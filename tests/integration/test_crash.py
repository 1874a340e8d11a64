# SPDX-License-Identifier: AGPL-3.0-or-later
"""Power cuts: the relay is killed at random moments under load, and nothing that it said may turn out wrong afterwards.

Senders note what was acknowledged; devices note what they saw, under which UID and how often. A lost answer is followed by a second try in
half of the cases, as the apps do. Which moment is hit is a matter of chance: between two system calls, within a checkpoint, while the store
opens or closes; the seed is printed with a failure, but the machine's own timing is not to be had twice.
"""

import asyncio
import os
import random
import re
import shutil
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.lab.load import Device, Imap, Lost, Person, Refused, Smtp
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

from razdar.adapters.sqlite import open_store
from razdar.servers.control import ask

KILLS = 50
PEOPLE, SENDERS = 8, 4
IN_START_UP, IN_FAREWELL = 0.3, 0.15
"""Parts of the kills that fall between the start of the process and a moment after it is ready, and after SIGTERM."""
CALM_S = 60.0
SETTINGS = {"send_per_minute": 1_000_000, "send_burst": 1_000_000, "log_level": "debug", "push": "false"}
WAL_BYTES = (65_536, 262_144, 8_388_608)
"""With the first a checkpoint runs after every few messages, so that many kills fall into one."""


@dataclass
class Sent:
    """One message and what became of it, as far as the sender knows."""

    id: str
    recipients: Sequence[str]
    attempts: int = 0
    is_acknowledged: bool = False


@dataclass
class Town:
    """Everybody, the relay, and whether it is up."""

    relay: Relay
    dice: random.Random
    people: list[Person] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by every round of a device."""
    is_up: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False
    lost_answers: int = 0

    async def be_sender(self, person: Person) -> None:
        """Sends as fast as it is acknowledged, until it is over."""
        while not self.is_over:
            await self.is_up.wait()
            with suppress(Lost, TimeoutError, Refused):
                await self._send_many(person)
            await asyncio.sleep(0)

    async def _send_many(self, person: Person) -> None:
        smtp = await Smtp.open(self.relay.bind, self.relay.port("submissions"), person)
        try:
            while not self.is_over:
                await self._send(smtp, person)
        finally:
            smtp.line.close()

    async def _send(self, smtp: Smtp, person: Person) -> None:
        sent = self._again(person) or self._new(person)
        sent.attempts += 1
        try:
            await smtp.send(sent.recipients, self._message(sent, person))
        except Lost:
            self.lost_answers += 1
            raise
        sent.is_acknowledged = True

    def _again(self, person: Person) -> Sent | None:
        """The last message of this person, if its answer was lost and the app tries again."""
        mine = [sent for sent in self.sent[-SENDERS * 3 :] if sent.id.startswith(person.address)]
        return mine[-1] if mine and not mine[-1].is_acknowledged and self.dice.random() < 0.5 else None

    def _new(self, person: Person) -> Sent:
        chosen = self.dice.sample(self.people, self.dice.choice([1, 1, 1, 2, 3, PEOPLE]))
        self.sent.append(Sent(f"{person.address}-{len(self.sent)}", [other.address for other in chosen]))
        return self.sent[-1]

    def _message(self, sent: Sent, person: Person) -> bytes:
        size_bytes = 100_000 if sent.id.endswith("0") else 3_000
        whole = encrypted_message(person.address, sent.recipients, size_bytes, seed=len(self.sent))
        start = whole.index(b"Message-ID: <") + len(b"Message-ID: <")
        return whole[:start] + sent.id.encode() + whole[whole.index(b">", start) :]


@asynccontextmanager
async def living(town: Town) -> AsyncIterator[None]:
    """Every device is awake and every sender writes while the block runs."""
    tasks = [asyncio.create_task(device.live(town.is_up.wait)) for device in town.devices]
    tasks += [asyncio.create_task(town.be_sender(person)) for person in town.people[:SENDERS]]
    try:
        yield
        town.is_over = True
        await asyncio.gather(*tasks[PEOPLE:])
        await _calm(town, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _calm(town: Town, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Everything acknowledged has been seen and nothing waits, or there was time enough."""
    for task in tasks[:PEOPLE]:
        task.add_done_callback(lambda _: town.news.set())
    with suppress(TimeoutError):
        async with asyncio.timeout(CALM_S):
            while (missing(town) or waiting(town.relay)) and not any(task.done() for task in tasks[:PEOPLE]):
                town.news.clear()
                await town.news.wait()
    for task in tasks[:PEOPLE]:
        if task.done():
            task.result()


def missing(town: Town) -> list[tuple[str, str]]:
    """Acknowledged messages and recipients who have not seen them."""
    seen = {device.person.address: set(device.shown) for device in town.devices}
    return [(sent.id, who) for sent in town.sent if sent.is_acknowledged for who in sent.recipients if sent.id not in seen[who]]


def waiting(relay: Relay) -> int:
    return int(ask(relay.data, {"op": "status"})["waiting_messages"])


# killing


def spawn(relay: Relay, wal_bytes: int) -> float:
    """The process has begun; returns when."""
    relay.settings = SETTINGS | {"wal_bytes": wal_bytes}
    relay.spawn()
    return time.monotonic()


async def until_ready(relay: Relay, started: float, limit_s: float) -> float | None:
    """Seconds that it took, or None if the limit came first."""
    while not relay.is_ready():
        assert relay.process is not None
        assert relay.process.poll() is None, f"the relay ended by itself with {relay.process.returncode}:\n{relay.output()}"
        if time.monotonic() - started > limit_s:
            return None
        await asyncio.sleep(0.005)  # a file of another process
    return time.monotonic() - started


async def one_life(town: Town, usual_s: float) -> float | None:
    """Start, load, kill -9. How long the start took, if it came that far."""
    relay, dice = town.relay, town.dice
    started = spawn(relay, dice.choice(WAL_BYTES))
    is_early = dice.random() < IN_START_UP
    took_s = await until_ready(relay, started, dice.uniform(0, 1.1 * usual_s) if is_early else 30.0)
    assert took_s is not None or is_early, f"not ready in 30 s:\n{relay.output()}"
    if took_s is not None:
        town.is_up.set()
        await asyncio.sleep(dice.uniform(0, 0.1 if is_early else 1.5))  # the moment is the point
    if dice.random() < IN_FAREWELL and relay.process is not None:
        relay.process.terminate()
        await asyncio.sleep(dice.uniform(0, 0.2))
    town.is_up.clear()
    relay.kill()
    return took_s


def copy_store(data: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in data.glob("store*"):
        shutil.copy(file, folder)


async def opening_s(data: Path, folder: Path) -> float:
    """How long the store takes to open after a kill: on a copy, so that the relay finds what the kill left."""
    copy_store(data, folder)
    began = time.monotonic()
    store = await open_store(folder, reserve_bytes=0, wal_bytes=1 << 20)
    took_s = time.monotonic() - began
    await store.close()
    return took_s


@pytest.mark.slow
def test_fifty_power_cuts_lose_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("RAZDAR_SEED") or random.randrange(1 << 32))
    print(f"RAZDAR_SEED={seed}")
    asyncio.run(_fifty_power_cuts(tmp_path, random.Random(seed)))


async def _fifty_power_cuts(folder: Path, dice: random.Random) -> None:
    town = Town(Relay(folder / "relay"), dice)
    first_s = await until_ready(town.relay, spawn(town.relay, WAL_BYTES[0]), 30.0)
    assert first_s is not None
    await _move_in(town)
    starts, openings = [first_s], []
    async with living(town):
        town.is_up.set()
        await asyncio.sleep(0.5)  # load on the first life too
        town.is_up.clear()
        town.relay.kill()
        for _ in range(KILLS - 1):
            openings.append(await opening_s(town.relay.data, folder / "copy"))
            took_s = await one_life(town, statistics.median(starts))
            starts += [took_s] if took_s is not None else []
        await until_ready(town.relay, spawn(town.relay, WAL_BYTES[-1]), 30.0)
        town.is_up.set()
    _print_figures(town, starts, openings)
    try:
        _judge_messages(town)
        _judge_mailboxes(town)
        assert statistics.median(openings) < 1.0
        assert max(openings) < 3.0, "the machine may be busy, but not that busy"
        assert waiting(town.relay) == 0, "what nobody sees still waits"
        assert ask(town.relay.data, {"op": "status"})["stored_bodies"] == 0, "bodies without a reader are left"
        town.relay.stop()
    finally:
        town.relay.kill()
    _judge_files(town.relay)


async def _move_in(town: Town) -> None:
    """Everybody has an account that was used; their devices have looked into the empty mailbox once."""
    town.people = [Person(f"{random_text(9)}@{town.relay.name}", random_text(22)) for _ in range(PEOPLE)]
    imaps = town.relay.port("imaps")
    town.devices = [Device(person, town.relay.bind, imaps, on_round=town.news.set) for person in town.people]
    for person in town.people:
        imap = await Imap.open(town.relay.bind, imaps, person)
        await imap.command("CREATE used")
        imap.line.close()


def _judge_messages(town: Town) -> None:
    assert missing(town) == [], "acknowledged and never seen"
    copies = {device.person.address: Counter(name for names in device.names.values() for name in names) for device in town.devices}
    for sent in town.sent:
        arrived = {who: copies[who][sent.id] for who in sent.recipients}
        assert max(arrived.values()) <= sent.attempts, f"{sent.attempts} attempts made {arrived} copies"
        assert len(set(arrived.values())) == 1, f"one transaction for all recipients, but {arrived}"
    known = {(sent.id, who) for sent in town.sent for who in sent.recipients}
    shown = {(name, device.person.address) for device in town.devices for name in device.shown}
    assert shown <= known, "a message for somebody else, or of nobody"


def _judge_mailboxes(town: Town) -> None:
    for device in town.devices:
        assert all(len(names) == 1 for names in device.names.values()), "a UID was given out twice"
        assert len(device.validities) == 1, "a crash is no restore"
        assert device.next_uids == sorted(device.next_uids), "UIDNEXT fell"
        assert device.risen == [], "a message whose deletion was confirmed came back"


def _judge_files(relay: Relay) -> None:
    with closing(sqlite3.connect(relay.data / "store.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not {'"bug"', '"crash"'} & set(re.findall(r'"\w+"', relay.output()))
    assert "Traceback" not in relay.output()


def _print_figures(town: Town, starts: Sequence[float], openings: Sequence[float]) -> None:
    acknowledged = sum(sent.is_acknowledged for sent in town.sent)
    print(
        f"{len(town.sent)} messages, {acknowledged} acknowledged, {town.lost_answers} answers lost, "
        f"{sum(sent.attempts > 1 for sent in town.sent)} tried again; store opened in {statistics.median(openings):.3f} s "
        f"(longest {max(openings):.3f}), ready in {statistics.median(starts):.2f} s (longest {max(starts):.2f})"
    )
