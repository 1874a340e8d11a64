# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is confirmed is on stable storage first. A kill -9 cannot show that, because the kernel keeps what a dead process wrote; so these
tests stand between the relay and the disk: they hold its fsync back and listen for a premature word, and they let it fail."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.lab.correspondence import Post, device, fetch_everything, move_in, smtp
from tests.lab.load import Device, Imap, Lost, Person, Refused, Smtp
from tests.lab.relay import Relay, random_text
from tests.lab.syncs import Mode, SyncGate, gated
from tests.mail.make import encrypted_message

pytestmark = pytest.mark.slow
SETTINGS = {"push": "false", "log_level": "debug", "reserve_bytes": 65_536, "send_burst": 1000}
PREMATURE_S = 0.5
"""A relay that does not wait answers within a few milliseconds."""
PATIENCE_S = 20.0


class Town:
    """Two people on a relay."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.ali, self.bahar = self.stranger(), self.stranger()
        self._count = 0
        self._connections: list[Smtp | Imap] = []

    def stranger(self) -> Person:
        return Person(f"{random_text(9)}@{self.relay.name}", random_text(22))

    async def smtp(self) -> Smtp:
        connection = await Smtp.open(self.relay.bind, self.relay.port("submissions"), self.ali)
        self._connections.append(connection)
        return connection

    async def imap(self, person: Person) -> Imap:
        connection = await Imap.open(self.relay.bind, self.relay.port("imaps"), person)
        self._connections.append(connection)
        return connection

    def hang_up(self) -> None:
        for connection in self._connections:
            connection.line.close()

    async def send(self, connection: Smtp) -> None:
        self._count += 1
        recipients = [self.bahar.address]
        await connection.send(recipients, encrypted_message(self.ali.address, recipients, 3000, seed=self._count))

    async def move_in(self) -> None:
        for person in (self.ali, self.bahar):
            await (await self.imap(person)).command("CREATE used")  # an account that was never used does not outlive a crash

    async def seen(self) -> int:
        """How many messages wait for Bahar's app; they are gone afterwards."""
        device, connection = Device(self.bahar, self.relay.bind, self.relay.port("imaps")), await self.imap(self.bahar)
        while await device.round(connection):
            pass
        return len(device.shown)


async def deliver(town: Town) -> Awaitable[object]:
    return town.send(await town.smtp())


async def first_use(town: Town) -> Awaitable[object]:
    """The first login leaves nothing on disk, the first use does (services/newcomers.py)."""
    return (await town.imap(town.stranger())).command("CREATE folder")


async def _with_a_message(town: Town) -> Imap:
    await town.send(await town.smtp())
    connection = await town.imap(town.bahar)
    await connection.command("SELECT INBOX")
    return connection


async def flag(town: Town) -> Awaitable[object]:
    return (await _with_a_message(town)).command("UID STORE 1 +FLAGS (\\Flagged)")


async def delete(town: Town) -> Awaitable[object]:
    connection = await _with_a_message(town)
    await connection.command("UID STORE 1 +FLAGS (\\Deleted)")
    return connection.command("EXPUNGE")


async def make_folder(town: Town) -> Awaitable[object]:
    return (await town.imap(town.bahar)).command("CREATE folder")


@pytest.mark.parametrize("prepare", [deliver, first_use, flag, delete, make_folder])
def test_nothing_is_confirmed_before_it_is_on_disk(tmp_path: Path, prepare: Callable[[Town], Awaitable[Awaitable[object]]]) -> None:
    relay = Relay(tmp_path / "relay", settings=SETTINGS)
    with gated(relay) as gate:
        asyncio.run(_nothing_is_confirmed(Town(relay), gate, prepare))


async def _nothing_is_confirmed(town: Town, gate: SyncGate, prepare: Callable[[Town], Awaitable[Awaitable[object]]]) -> None:
    await town.move_in()
    action, other = await prepare(town), await town.smtp()
    await asyncio.sleep(PREMATURE_S)  # the store's own chores of the pause are over
    await town.send(other)  # the log is not empty now; beginning it anew takes an fsync that proves nothing
    gate.set(Mode.HOLD)
    task = asyncio.ensure_future(action)
    assert await asyncio.to_thread(gate.arrived.wait, PATIENCE_S), "the disk was never asked"
    done, _ = await asyncio.wait([task], timeout=PREMATURE_S)
    assert not done, "confirmed while the disk was still at it"
    gate.set(Mode.PASS)
    async with asyncio.timeout(PATIENCE_S):
        await task
    town.hang_up()


def test_a_failing_fsync_acknowledges_nothing(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "relay", settings=SETTINGS)
    with gated(relay) as gate:
        asyncio.run(_failing_fsync(Town(relay), gate))
        relay.stop()
        assert '"crash"' not in relay.output()
        with closing(sqlite3.connect(relay.data / "store.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def _failing_fsync(town: Town, gate: SyncGate) -> None:
    await town.move_in()
    connection = await town.smtp()
    acknowledged = failed = 0
    for mode in (Mode.PASS, Mode.FAIL, Mode.FAIL, Mode.PASS, Mode.FAIL, Mode.PASS):
        gate.set(mode)
        try:
            await town.send(connection)
        except Refused as refused:
            assert refused.args[0].startswith("451 4.3.0 ")  # noqa: PT017 - both ends are possible, only this word is not
            failed += 1
        else:
            acknowledged += 1
    assert (acknowledged, failed) == (3, 3)
    newcomer = await town.imap(town.stranger())
    gate.set(Mode.FAIL)
    with pytest.raises(Refused, match="UNAVAILABLE"):
        await newcomer.command("CREATE folder")
    gate.set(Mode.PASS)
    town.relay.kill()
    town.relay.start()
    assert acknowledged <= await town.seen() <= acknowledged + failed
    town.hang_up()


POINTS = 24
"""More fsyncs than one start and one round of load take."""


def test_a_crash_at_each_fsync_in_turn(tmp_path: Path) -> None:
    """Start, deliveries, deletions, the store's chores: the process dies at the first fsync, at the second and so on, on the same data."""
    relay = Relay(tmp_path / "relay", settings=SETTINGS)
    with relay:
        people = asyncio.run(move_in(relay))
    post, reader = Post(relay, *people), device(relay, people[1])
    reached = [asyncio.run(_crash_at(relay, post, reader, point)) for point in range(POINTS)]
    assert sum(reached) >= POINTS // 2, "most points were there to crash at"
    with relay:
        asyncio.run(fetch_everything(relay, reader))
    assert set(post.acknowledged) <= set(reader.shown)
    assert all(len(names) == 1 for names in reader.names.values())
    assert len(reader.validities) == 1
    assert reader.next_uids == sorted(reader.next_uids)
    assert reader.risen == []
    with closing(sqlite3.connect(relay.data / "store.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def _crash_at(relay: Relay, post: Post, reader: Device, point: int) -> bool:
    """Whether the relay came so far as to call fsync so often."""
    with gated(relay, pass_first=point) as gate:
        living = asyncio.create_task(_live(relay, post, reader))
        arrived = await asyncio.to_thread(gate.arrived.wait, PATIENCE_S)
        relay.kill()
        (ending,) = await asyncio.gather(living, return_exceptions=True)
        assert ending is None, ending
    return arrived


async def _live(relay: Relay, post: Post, reader: Device) -> None:
    """Sends, fetches and deletes until the relay is gone."""
    try:
        await asyncio.to_thread(relay.wait_until_ready)
    except AssertionError:  # it was killed before that
        return
    while True:
        try:
            connection = await smtp(relay, post.sender)
            try:
                for size_bytes in (3_000, 60_000):
                    await post.send(connection, size_bytes)
            finally:
                connection.line.close()
            await fetch_everything(relay, reader)
        except Lost:
            return
