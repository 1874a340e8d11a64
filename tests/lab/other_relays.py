# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other relays for our courier to meet, each wrong in its own way: a scripted HTTPS server, and SMTP by aiosmtpd or by script.

All on loopback, on ports of the system's choice, in the test's own event loop; a peer book leads there.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import h11
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.lab.tls import self_signed

from razdar.adapters.clock import SystemClock
from razdar.adapters.courier import Patience, RelayCourier
from razdar.ports.resolver import Answer, Mx, NoSuchName, Peer, ResolverUnavailable

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
SHORT = Patience(connect=2, hello=5, open=10, reply=2, verdict=2, write=2, close=0.5, next_address=0.3, next_way=0.5, second_choice=1)
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Dns:
    """What a resolver says; a missing name does not exist, `None` is silence."""

    mx_of: Mapping[str, list[tuple[int, str]] | None] = field(default_factory=dict)
    addresses_of: Mapping[str, list[str] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def mx(self, domain: str) -> Answer[Mx]:
        return Answer(tuple(Mx(*each) for each in self._known(self.mx_of, domain)), is_remembered=False)

    async def addresses(self, host: str) -> Answer[str]:
        return Answer(tuple(self._known(self.addresses_of, host)), is_remembered=False)

    async def txt(self, name: str) -> Answer[bytes]:
        raise NoSuchName

    def _known(self, names: Mapping[str, list[T] | None], name: str) -> list[T]:
        self.asked.append(name)
        if name not in names:
            raise NoSuchName
        found = names[name]
        if found is None:
            raise ResolverUnavailable
        return found


class Book:
    """A peer book in memory."""

    def __init__(self, *peers: Peer) -> None:
        self.peers = {peer.name: peer for peer in peers}

    def find(self, name: str) -> Peer | None:
        return self.peers.get(name.lower())


def peer(name: str, https_port: int, smtp_port: int, *addresses: str, pin: str = "") -> Peer:
    return Peer(name, addresses or (LOOPBACK,), https_port, smtp_port, pin, (), is_confirmed=bool(pin))


def courier(book: Book, authorities: ssl.SSLContext | None = None, dns: Dns | None = None, patience: Patience = SHORT) -> RelayCourier:
    return RelayCourier(
        dns or Dns(), book, SystemClock(), "relay.example", lambda: ["198.51.100.1"], authorities=authorities, patience=patience
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, as a server uses it and as a client that trusts it does."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path, *names: str) -> "Identity":
        folder.mkdir(exist_ok=True)
        return cls(*self_signed(folder, *names))

    def server(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        return made

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificate.read_text())


@dataclass(slots=True)
class Request:
    """What came to an HTTPS server."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


Answerer = Callable[[Request], tuple[int, bytes]]


@dataclass(slots=True)
class Web:
    """An HTTPS server that answers as it is told and remembers what it was asked."""

    answer: Answerer
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    closes: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = h11.Connection(h11.SERVER)
        try:
            while await self._one(connection, reader, writer):
                connection.start_next_cycle()
        finally:
            writer.close()

    async def _one(self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request: Request | None = None
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Request):
                request = Request(event.method, event.target, list(event.headers), b"")
            elif isinstance(event, h11.Data) and request is not None:
                request.body += event.data
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                break
            else:
                return False
        self.requests.append(request)
        status, body = self.answer(request)
        headers = [("Content-Length", str(len(body)))] + ([("Connection", "close")] if self.closes else [])
        for part in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(part) or b"")
        await writer.drain()
        return not self.closes


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    identity: Identity | None = None,
    *,
    at: tuple[str, int] = (LOOPBACK, 0),
    context: ssl.SSLContext | None = None,
    socket: socket.socket | None = None,
) -> AsyncIterator[int]:
    """A server for the block; its port. On `socket`, which may be another machine's, if one is given."""
    tasks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the other side hung up, or the test is over
        finally:
            tasks.discard(task)
            writer.transport.abort()

    place: dict[str, Any] = {"sock": socket} if socket else {"host": at[0], "port": at[1]}
    server = await asyncio.start_server(served, ssl=identity.server() if identity else context, **place)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def web(identity: Identity, answer: Answerer, socket: socket.socket | None = None) -> AsyncIterator[Web]:
    made = Web(answer)
    async with listening(made.serve, identity, socket=socket) as made.port:
        yield made


@dataclass(slots=True)
class Postbox:
    """What aiosmtpd got, and whom it refuses with which words."""

    refuses: dict[str, str] = field(default_factory=dict)
    messages: list[tuple[str | None, list[str], bytes]] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    protocols: list[SMTP] = field(default_factory=list)
    port: int = 0

    @property
    def connections(self) -> int:
        return len(self.protocols)

    def hang_up(self) -> None:
        """Every connection ends."""
        for each in self.protocols:
            if each.transport is not None:
                cast("asyncio.Transport", each.transport).abort()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert session.ssl is not None
        assert isinstance(envelope.content, bytes)
        self.sessions.add(id(session))
        self.messages.append((envelope.mail_from or None, list(envelope.rcpt_tos), envelope.content))
        return "250 2.0.0 ok"


@asynccontextmanager
async def post(identity: Identity, socket: socket.socket | None = None, **refuses: str) -> AsyncIterator[Postbox]:
    """aiosmtpd, an SMTP server of other people's making, with STARTTLS that it insists on."""
    made = Postbox({f"{name}@peer.example": words for name, words in refuses.items()})
    loop = asyncio.get_running_loop()
    context = identity.server()

    def protocol() -> SMTP:
        made.protocols.append(
            SMTP(made, hostname="peer.example", tls_context=context, require_starttls=True, enable_SMTPUTF8=True, loop=loop)
        )
        return made.protocols[-1]

    place: dict[str, Any] = {"sock": socket} if socket else {"host": LOOPBACK, "port": 0}
    server = await loop.create_server(protocol, **place)
    try:
        made.port = server.sockets[0].getsockname()[1]
        yield made
    finally:
        server.close()
        made.hang_up()
        await asyncio.sleep(0)  # the transports say goodbye to their protocols
        await server.wait_closed()


async def free_port() -> int:
    """A port of loopback where nobody listens."""
    async with listening(_hang) as port:
        return port


async def _hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()
