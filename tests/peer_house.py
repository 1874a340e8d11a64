# SPDX-License-Identifier: AGPL-3.0-or-later
"""The doors for other relays on real sockets with real TLS, over a relay without a disk and a DNS of the test's own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uvloop
from starlette.responses import PlainTextResponse
from tests.lab.load import any_certificate
from tests.peer_world import AUTHOR, PeerWorld
from tests.service_world import DOMAIN, START_S

from razdar.adapters.tls import open_tls
from razdar.servers.http import HttpEdge, HttpLimits
from razdar.servers.journal import Journal
from razdar.servers.memory import MemoryBudget
from razdar.servers.mxdeliv import peer_routes
from razdar.servers.peer_slots import PeerSlots
from razdar.servers.registry import ConnectionLimits, Registry
from razdar.servers.smtp_relay import RelayConnection, RelayDesk
from razdar.services.accounts import Login
from razdar.services.confirmations import Sending
from razdar.settings import Settings
from razdar.wire.smtp.session import SmtpLimits


class Line:
    """A client that says what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, command: bytes = b"") -> bytes:
        """All lines of the next SMTP reply."""
        if command:
            await self.say(command + b"\r\n")
        lines = [await self.reader.readuntil(b"\r\n")]
        while lines[-1][3:4] == b"-":
            lines.append(await self.reader.readuntil(b"\r\n"))
        return b"".join(lines)

    async def rest(self) -> bytes:
        """Everything until the relay closes."""
        try:
            return await self.reader.read()
        except (ConnectionError, ssl.SSLError):
            return b""

    async def secure(self) -> None:
        """STARTTLS is done and EHLO said."""
        await self.reply()
        await self.reply(b"EHLO peer.example")
        assert (await self.reply(b"STARTTLS")).startswith(b"220")
        await self.writer.start_tls(any_certificate())
        await self.reply(b"EHLO peer.example")

    async def transaction(self, content: bytes, *recipients: object, sender: object = AUTHOR) -> bytes:
        """The last reply."""
        for command in [
            b"MAIL FROM:<%s>" % str(sender or "").encode(),
            *(b"RCPT TO:<%s>" % str(each).encode() for each in recipients),
            b"DATA",
        ]:
            reply = await self.reply(command)
            if not reply.startswith((b"250", b"354")):
                return reply
        return await self.reply(content.replace(b"\r\n.", b"\r\n..") + b".")

    async def answer(self) -> tuple[int, bytes, bytes]:
        """Status, head and body of the next HTTP answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        return int(head.split()[1]), head, await self.reader.readexactly(int(fields[b"content-length"]))


def request(content: bytes, *recipients: object, sender: object = AUTHOR, more: bytes = b"", length: bool = True) -> bytes:
    head = b"POST /mxdeliv HTTP/1.1\r\nHost: relay.example\r\nX-MAIL-FROM: %s\r\n" % str(sender or "").encode()
    head += b"".join(b"X-MAIL-TO: %s\r\n" % str(each).encode() for each in recipients)
    return head + more + (b"Content-Length: %d\r\n" % len(content) if length else b"") + b"\r\n" + content


@dataclass
class House:
    """A relay's doors for others, open on free ports."""

    world: PeerWorld
    desk: RelayDesk
    journal: Journal
    registry: Registry
    edge: HttpEdge
    sending: Sending
    ports: dict[str, int]

    @asynccontextmanager
    async def line(self, door: str = "https") -> AsyncIterator[Line]:
        tls = any_certificate() if door == "https" else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[door], ssl=tls, limit=1 << 20)
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def smtp(self) -> AsyncIterator[Line]:
        async with self.line("smtp") as line:
            await line.secure()
            yield line

    async def post(self, sent: bytes) -> tuple[int, bytes, bytes]:
        async with self.line() as line:
            await line.say(sent)
            return await line.answer()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is different from a house as it comes."""

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    http: HttpLimits = field(default_factory=HttpLimits)
    slots: PeerSlots = field(default_factory=lambda: PeerSlots(20, 100))
    memory: MemoryBudget = field(default_factory=MemoryBudget)
    is_federated: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


def live(folder: Path, test: Callable[[House, Login], Awaitable[None]], plan: Plan | None = None) -> None:
    """The test happens in a house where anna lives. `folder` keeps the certificate."""

    async def run() -> None:
        async with asyncio.timeout(20), house(folder, plan or Plan()) as built:
            await test(built, await built.world.member("anna"))
            assert built.journal.counts["bug"] == 0

    uvloop.run(run())  # as the relay itself


@asynccontextmanager
async def house(folder: Path, plan: Plan) -> AsyncIterator[House]:
    world = PeerWorld(settings=replace(Settings(), **plan.settings))
    tls = open_tls(folder, ["127.0.0.1"], START_S)
    journal, registry = Journal(), Registry(100)
    receive = world.receive if plan.is_federated else None
    smtp = SmtpLimits(message_bytes=3_000_000, recipients=40)
    desk = RelayDesk(receive, plan.slots, plan.memory, DOMAIN, smtp, 0.2)
    sending = Sending(world.clock, lambda: world.settings)
    edge = HttpEdge(PlainTextResponse("a page"), plan.http, journal, peer_routes(desk, sending, journal, plan.http.head.head_bytes))
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: RelayConnection(desk, registry, journal, tls.smtp, plan.limits), "127.0.0.1", 0),
        await loop.create_server(edge.protocol_factory, "127.0.0.1", 0, ssl=tls.shared),
        await loop.create_server(edge.protocol_factory, "127.0.0.1", 0),
    ]
    ports = {name: server.sockets[0].getsockname()[1] for name, server in zip(("smtp", "https", "http"), servers, strict=True)}
    try:
        yield House(world, desk, journal, registry, edge, sending, ports)
    finally:
        for server in servers:
            server.close()
        edge.close()
        for connection in tuple(registry.live):
            connection.abort()
