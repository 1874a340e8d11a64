# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two people on a relay who write to each other, for tests that take something away from the relay meanwhile.

`Post` notes which messages were acknowledged, by Message-ID; `fetch_everything` is the other side's app. SETTINGS take every limit away
that such a test would meet on its way.
"""

import asyncio

from tests.lab.load import Device, Imap, Lost, Person, Refused, Smtp
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

RESERVE_BYTES = 4 << 20
SETTINGS = {"send_per_minute": 1_000_000, "send_burst": 1_000_000, "push": "false", "log_level": "debug", "sender_share": 1}
SETTINGS |= {"reserve_bytes": RESERVE_BYTES, "wal_bytes": 1 << 20}
RECOVERY_S = 20.0
"""The relay looks for room ten times a second; the rest is for a busy machine."""


def somebody(relay: Relay) -> Person:
    return Person(f"{random_text(9)}@{relay.name}", random_text(22))


async def smtp(relay: Relay, person: Person) -> Smtp:
    return await Smtp.open(relay.bind, relay.port("submissions"), person)


async def imap(relay: Relay, person: Person) -> Imap:
    return await Imap.open(relay.bind, relay.port("imaps"), person)


def device(relay: Relay, person: Person) -> Device:
    return Device(person, relay.bind, relay.port("imaps"))


async def move_in(relay: Relay) -> tuple[Person, Person]:
    """Two people with accounts that are on disk, because they were used (services/newcomers.py)."""
    ali, bahar = somebody(relay), somebody(relay)
    for person in (ali, bahar):
        connection = await imap(relay, person)
        await connection.command("CREATE used")
        connection.line.close()
    return ali, bahar


class Post:
    """Somebody who writes and notes what was acknowledged, by Message-ID."""

    def __init__(self, relay: Relay, sender: Person, recipient: Person) -> None:
        self.relay = relay
        self.sender = sender
        self.recipient = recipient
        self.acknowledged: list[str] = []
        self._count = 0

    async def send(self, connection: Smtp, size_bytes: int = 200_000) -> None:
        self._count += 1
        message = encrypted_message(self.sender.address, [self.recipient.address], size_bytes, seed=self._count)
        await connection.send([self.recipient.address], message)
        start = message.index(b"Message-ID: <") + len(b"Message-ID: <")
        self.acknowledged.append(message[start : message.index(b">", start)].decode())

    async def send_five(self) -> None:
        """Over a connection of their own."""
        connection = await smtp(self.relay, self.sender)
        for _ in range(5):
            await self.send(connection)
        connection.line.close()

    async def fill(self, size_bytes: int = 200_000) -> str:
        """Sends until it is refused; what the relay said then."""
        connection = await smtp(self.relay, self.sender)
        try:
            for _ in range(10_000):
                await self.send(connection, size_bytes)
        except Refused as refused:
            return str(refused.args[0])
        finally:
            connection.line.close()
        raise AssertionError("this disk is never full")

    async def send_when_possible(self) -> None:
        """As the apps do: a log-in that fails costs nothing and is tried again."""
        async with asyncio.timeout(RECOVERY_S):
            while True:
                try:
                    connection = await smtp(self.relay, self.sender)
                    await self.send(connection, 3_000)
                except Refused as refused:
                    assert refused.args[0].startswith("421 4.3.1 ")  # noqa: PT017 - the answer on the way is the point
                    await asyncio.sleep(0.1)  # an app would wait 30 s
                else:
                    connection.line.close()
                    return


async def fetch_everything(relay: Relay, reader: Device) -> None:
    """Fetched, deleted, closed."""
    connection = await imap(relay, reader.person)
    try:
        while await reader.round(connection):
            pass
    finally:
        connection.line.close()


async def everybody_gets_in_again(relay: Relay) -> None:
    async with asyncio.timeout(RECOVERY_S):
        while True:
            try:
                (await imap(relay, somebody(relay))).line.close()
            except Lost:
                await asyncio.sleep(0.1)
            else:
                return
