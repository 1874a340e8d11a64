# SPDX-License-Identifier: AGPL-3.0-or-later
"""The plan played on a real relay: people log in, submit through SMTP and look after their mail through IMAP; then the disk is seized.

`Truth` is what we know because we were there, kept outside of the relay's data: which message waits in which mailbox. The seizures are
plain copies of the relay's files: in the middle of traffic with the log, after the pause that empties the log, and after a clean stop.
"""

import asyncio
import random
import shutil
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.load import Imap, Person, Smtp
from tests.lab.relay import Relay
from tests.linkage.plan import Habit, Message, Pair, Plan, Round, pairs_of
from tests.mail.make import encrypted_message

from razdar.adapters.sqlite import open_store
from razdar.model.address import parse_address
from razdar.vault.account_key import derive_id

SETTINGS = {"send_per_minute": 1_000_000, "send_burst": 1_000_000, "unknown_per_minute": 1_000_000, "push": "false"}
LOGINS_AT_ONCE = 8
CALM_S = 30.0
PATIENCE_S = 300.0
LOG_BYTES = 1_500_000
"""A log of this size is worth a seizure: some dozens of short messages, or one large one."""


@dataclass
class Truth:
    """Messages have numbers in the order in which they were submitted; people count from 0."""

    people: int
    waiting: list[dict[int, int]]
    """For each person what waits in the INBOX: UID → message."""
    arrived: list[list[int]]
    """For each person every message that ever came."""
    sizes: dict[int, int] = field(default_factory=dict)
    """Bytes of each message as it was submitted."""
    places: dict[tuple[int, int], int] = field(default_factory=dict)
    """(message, person) → place among the recipients."""

    def waiting_together(self) -> set[Pair]:
        """Pairs in whose mailboxes the same message waits."""
        return _together([waiting.values() for waiting in self.waiting])

    def arrived_together(self) -> set[Pair]:
        """Pairs who ever got the same message."""
        return _together(self.arrived)


def _together(mailboxes: Sequence[Iterable[int]]) -> set[Pair]:
    readers: dict[int, list[int]] = {}
    for person, messages in enumerate(mailboxes):
        for number in set(messages):
            readers.setdefault(number, []).append(person)
    return set().union(*(pairs_of(tuple(people)) for people in readers.values()))


@dataclass
class Seizure:
    """Copies of `store.db` and, if there was one, its log."""

    database: Path
    log: Path

    @property
    def log_bytes(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0


@dataclass
class Town:
    """Use `play`; afterwards `truth`, `seizures` and `log_emptied_s` are there."""

    plan: Plan
    folder: Path
    relay: Relay = field(init=False)
    people: list[Person] = field(default_factory=list)
    truth: Truth = field(init=False)
    seizures: dict[str, Seizure] = field(default_factory=dict)
    log_emptied_s: float = 0.0
    """From the last `250` until the log was empty."""

    def faces(self) -> dict[bytes, int]:
        """Account id → person, for somebody who has the server's keys and knows the addresses; 4 ms for each."""
        key = (self.relay.data / "keys" / "id_key").read_bytes()
        addresses = [parse_address(person.address) for person in self.people]
        return {derive_id(key, address): person for person, address in enumerate(addresses) if address}

    def __post_init__(self) -> None:
        people = len(self.plan.habits)
        self.relay = Relay(self.folder / "relay", domain="town.example", settings=SETTINGS)
        self.truth = Truth(people, [{} for _ in range(people)], [[] for _ in range(people)])

    async def play(self) -> None:
        """All days are over; the relay has ended and its files are copied."""
        dice = random.Random(f"people {self.plan.seed}")
        for day, steps in enumerate(self.plan.days):
            if day:
                await self._pass_night()
            await asyncio.to_thread(self.relay.start)
            if not day:
                self.people = [_person(dice, self.relay.name) for _ in self.plan.habits]
            await self._register(dice)
            is_last = day == len(self.plan.days) - 1
            await _Day(self, list(steps), seize_at=len(steps) * 2 // 3 if is_last else None).play()
            if is_last:
                await self._wait_for_empty_log()
                self.seize("idle")
            await asyncio.to_thread(self.relay.stop)
        self.seize("stopped")

    async def _register(self, dice: random.Random) -> None:
        """Everybody has an account, made by a login in random order. One that nobody has used yet does not outlive the night."""
        unused = [person for person, arrived in zip(self.people, self.truth.arrived, strict=True) if not arrived]
        gate = asyncio.Semaphore(LOGINS_AT_ONCE)

        async def log_in(person: Person) -> None:
            async with gate:
                (await Imap.open("127.0.0.1", self.relay.port("imaps"), person)).line.close()

        await asyncio.gather(*map(log_in, dice.sample(unused, len(unused))))

    async def _pass_night(self) -> None:
        """A relay day takes 24 hours of running; here the store is told so while the relay stands."""
        store = await open_store(self.relay.data, reserve_bytes=0, wal_bytes=8_388_608)
        await store.next_day()
        await store.expire()
        await store.close()

    async def _wait_for_empty_log(self) -> None:
        log = self.relay.data / "store.db-wal"
        began = time.monotonic()
        while log.stat().st_size:
            assert time.monotonic() < began + CALM_S, "the log is not emptied in a pause"
            await asyncio.sleep(0.005)  # a file of another process; nothing announces it
        self.log_emptied_s = time.monotonic() - began

    def seize(self, name: str) -> None:
        """Copies what lies there now."""
        target = self.folder / name
        target.mkdir()
        for suffix in ("-wal", ""):
            source = self.relay.data / f"store.db{suffix}"
            if source.exists():
                shutil.copyfile(source, target / source.name)
        self.seizures[name] = Seizure(target / "store.db", target / "store.db-wal")


@dataclass
class _Day:
    """One relay day: connections stay open until its end. `seize_at`: after how many steps the running relay's files are copied, as soon
    as its log is worth it."""

    town: Town
    steps: list[Message | Round]
    seize_at: int | None
    smtp: dict[int, Smtp] = field(default_factory=dict)

    async def play(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            for place, step in enumerate(self.steps):
                if isinstance(step, Message):
                    await self._send(step)
                else:
                    await self._look_after(step.person)
                if self.seize_at is not None and place >= self.seize_at:
                    self._seize_in_traffic(is_last=place == len(self.steps) - 1)
        for smtp in self.smtp.values():
            smtp.line.close()

    def _seize_in_traffic(self, *, is_last: bool) -> None:
        """The relay stands as if its power cord were pulled, at a moment when the log holds something."""
        town = self.town
        log = town.relay.data / "store.db-wal"
        if not is_last and log.stat().st_size < LOG_BYTES:
            return
        assert town.relay.process is not None
        town.relay.process.send_signal(signal.SIGSTOP)
        try:
            is_being_emptied = (town.relay.data / "store.db").stat().st_mtime_ns > log.stat().st_mtime_ns
            if is_last or not is_being_emptied:
                town.seize("traffic")
                self.seize_at = None
        finally:
            town.relay.process.send_signal(signal.SIGCONT)

    async def _send(self, message: Message) -> None:
        town = self.town
        smtp = self.smtp.get(message.sender)
        if smtp is None:
            port = town.relay.port("submissions")
            smtp = self.smtp[message.sender] = await Smtp.open("127.0.0.1", port, town.people[message.sender])
        readers = [town.people[reader].address for reader in message.readers]
        content = encrypted_message(town.people[message.sender].address, readers, message.size_bytes, seed=message.number)
        await smtp.send(readers, content)
        town.truth.sizes[message.number] = len(content)
        for place, reader in enumerate(message.readers):
            town.truth.places[message.number, reader] = place
            town.truth.arrived[reader].append(message.number)
            town.truth.waiting[reader][len(town.truth.arrived[reader])] = message.number

    async def _look_after(self, person: int) -> None:
        town = self.town
        waiting = town.truth.waiting[person]
        if not waiting:
            return
        imap = await Imap.open("127.0.0.1", town.relay.port("imaps"), town.people[person])
        await imap.command("SELECT INBOX")
        habit = town.plan.habits[person]
        if habit is Habit.QUICK:
            await self._delete(imap, person, sorted(waiting))
        elif habit is Habit.KEEPER:
            await imap.command(f"UID FETCH {_set(sorted(waiting))} (BODY.PEEK[HEADER])")
            await imap.command(f"UID STORE {_set(sorted(waiting))} +FLAGS.SILENT (\\Seen)")
        else:
            await self._file(imap, person, sorted(waiting))
        imap.line.close()

    async def _file(self, imap: Imap, person: int, uids: list[int]) -> None:
        """A third is copied into a folder and stays, a third of the rest goes."""
        await imap.command('LIST "" "*"')
        if not any(b"Archive" in each.text for each in await imap.command('LIST "" "Archive"')):
            await imap.command("CREATE Archive")
        await imap.command(f"UID COPY {_set(uids[::3])} Archive")
        if uids[1::3]:
            await self._delete(imap, person, uids[1::3])

    async def _delete(self, imap: Imap, person: int, uids: list[int]) -> None:
        await imap.command(f"UID STORE {_set(uids)} +FLAGS.SILENT (\\Deleted)")
        await imap.command("CLOSE")
        for uid in uids:
            del self.town.truth.waiting[person][uid]


def _person(dice: random.Random, domain: str) -> Person:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return Person("".join(dice.choices(letters, k=9)) + "@" + domain, "".join(dice.choices(letters, k=22)))


def _set(uids: list[int]) -> str:
    return ",".join(map(str, uids))
