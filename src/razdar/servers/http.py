"""The HTTP edge: connections in, ASGI calls out, with a bound on everything a peer can make us keep.

uvicorn's h11 protocol does the talking; it is made for connections that our own listeners accept (plain ports) or that were found to be
HTTP by ALPN on port 443. What this adds: strict heads (http_head.py), one deadline per phase of an exchange, bounded bodies and a bounded
number of connections. There is no access log, and the peer's address is forgotten before the first byte is read: neither the application
nor a log can name anybody. No Date field is sent, because a relay in a cut may have a wrong clock (RFC 9110 section 6.6.1). It knows no
pages, no routes.
"""

import asyncio
import enum
import logging
from dataclasses import dataclass, field
from http import HTTPStatus

import h11
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from razdar.servers.admission import Ticket
from razdar.servers.http_head import HeadLimits, StrictConnection
from razdar.servers.journal import Journal

# uvicorn writes the peer's address (at trace level) and exceptions with their text to its logger. This one hangs in no tree and drops all.
_SILENT = logging.Logger("silent", level=logging.CRITICAL + 1)
REFUSED_LINGER_S = 1.0  # a connection beyond the bound gets one word and is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of the edge, chosen for a small machine and for lines throttled to 1 kB/s."""

    head: HeadLimits = field(default_factory=HeadLimits)
    body_bytes: int = 65_536
    """The largest form; ours hold an address and a password."""
    request_s: float = 20
    """From the first moment until the whole request is here: 1 kB of head takes 1 s on a throttled line."""
    answer_s: float = 60
    """Until the application has answered."""
    keep_alive_s: int = 15
    """A connection waits so long for the next request."""
    linger_s: float = 45
    """After that, so long may the last answer take to leave: the font's 46 kB at 1 kB/s. Then the connection is cut off."""
    connections: int = 1_000
    """At the same time; further ones get 503."""


class HttpEdge:
    """Makes a protocol for each connection; all of them share one application and one bound."""

    def __init__(self, app: ASGIApp, limits: HttpLimits, journal: Journal) -> None:
        self.app: ASGIApp = BoundedApp(app, limits.body_bytes, journal)
        self.limits = limits
        self._state = ServerState()
        self._config = Config(
            self.app,
            interface="asgi3",
            http=H11Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=logging.INFO,  # never uvicorn's trace level, which names peers
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=limits.keep_alive_s,
        )
        self._config.load()

    @property
    def connections(self) -> int:
        """Open at this moment."""
        return len(self._state.connections)

    def protocol_factory(self) -> asyncio.Protocol:
        """A fresh protocol: for `loop.create_server`, or for `set_protocol` and `connection_made` on a connection that is already open."""
        return EdgeProtocol(self._config, self._state, self.limits)

    def close(self) -> None:
        """Idle connections are closed at once, the others after the answer they wait for."""
        for connection in list(self._state.connections):
            if not connection.transport.is_closing():
                connection.shutdown()


class Phase(enum.Enum):
    """Where an exchange is; each phase has one deadline."""

    RECEIVING = enum.auto()
    ANSWERING = enum.auto()
    IDLE = enum.auto()
    CLOSING = enum.auto()


class EdgeProtocol(H11Protocol):
    """uvicorn's protocol with deadlines, strict heads and no memory of who is there."""

    def __init__(self, config: Config, state: ServerState, limits: HttpLimits) -> None:
        super().__init__(config, state, {})
        self.conn = self._strict = StrictConnection(limits.head)
        self.logger = self.access_logger = _SILENT
        self.access_log = False
        self._limits = limits
        self._phase = Phase.RECEIVING
        self._ticket: Ticket | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.app_state["more_time"] = self._more_time

    def hold(self, ticket: Ticket) -> None:
        """Before `connection_made`. The application sees the opaque network only, so that guessing can be slowed."""
        self._ticket = ticket
        self.app_state["network"] = ticket.network

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.client = None
        if len(self.connections) > self._limits.connections or (self._ticket is not None and not self._ticket.visit()):
            self._refuse(503, REFUSED_LINGER_S)
        else:
            self._enter(Phase.RECEIVING, self._limits.request_s)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._phase is Phase.CLOSING:
            return
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            if self._phase is not Phase.RECEIVING:  # one byte more does not move the deadline of the same request
                self._enter(Phase.RECEIVING, self._limits.request_s)
        elif self._phase is Phase.RECEIVING:
            self._enter(Phase.ANSWERING, self._limits.answer_s)

    def _more_time(self) -> None:
        """For answers that are longer than a page: called after each part that has left, it gives the next one as long."""
        if self._phase is Phase.ANSWERING:
            self._enter(Phase.ANSWERING, self._limits.answer_s)

    def on_response_complete(self) -> None:
        self._enter(Phase.IDLE, self._limits.keep_alive_s + self._limits.linger_s)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._ticket is not None:
            self._ticket.leave()
        self._phase = Phase.CLOSING
        self._cancel_deadline()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls this for whatever h11 or StrictConnection refused to read."""
        self._refuse(self._strict.refused.status)

    def _refuse(self, status: int, linger_s: float | None = None) -> None:
        """Says why and closes; if an answer was already on its way, only closes."""
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self.transport.write(_plain_answer(status))
        if self.cycle is not None:
            self.cycle.disconnected = True  # what the application still says goes nowhere
            self.cycle.message_event.set()
        self._enter(Phase.CLOSING, self._limits.linger_s if linger_s is None else linger_s)
        self.transport.close()

    def _enter(self, phase: Phase, deadline_s: float) -> None:
        self._cancel_deadline()
        self._phase = phase
        self._deadline = self.loop.call_later(deadline_s, self._too_late)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if self._phase is Phase.RECEIVING and not self.transport.is_closing():
            self._refuse(408)
        else:
            self.transport.abort()


def _plain_answer(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain\r\nContent-Length: {len(phrase) + 1}\r\nConnection: close\r\n\r\n"
    return f"{head}{phrase}\n".encode("ascii")


class BoundedApp:
    """The application behind a bound on request bodies and behind a net for its bugs.

    Too much of a body raises HTTPException(413) where the application reads it, so that it can show a page of its own. An answer that is
    given before the whole body was read closes the connection: the rest is never read, so it can never be taken for a request.
    """

    def __init__(self, app: ASGIApp, body_bytes: int, journal: Journal) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(scope, receive, send, self._body_bytes)
        try:
            await self._app(scope, body.receive, body.send)
        except ClientDisconnect:
            pass
        except HTTPException as refused:
            await body.answer(refused.status_code)
        except Exception as bug:
            self._journal.bug(bug)  # the pages answer their own bugs (web/middleware.py); this is the net below them
            await body.answer(500)


class _Body:
    """One request's body on its way in, and the answer on its way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit_bytes: int) -> None:
        headers = dict(scope["headers"])
        self._announced_bytes = int(headers.get(b"content-length", b"0"))
        self._is_complete = self._announced_bytes == 0 and b"transfer-encoding" not in headers
        self._left_bytes = limit_bytes
        self._receive = receive
        self._send = send
        self._is_answered = False

    async def receive(self) -> Message:
        if self._announced_bytes > self._left_bytes:
            raise HTTPException(413)
        message = await self._receive()
        if message["type"] == "http.request":
            size_bytes = len(message.get("body", b""))
            self._left_bytes -= size_bytes
            self._announced_bytes = max(0, self._announced_bytes - size_bytes)
            if self._left_bytes < 0:
                raise HTTPException(413)
            self._is_complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_answered = True
            if not self._is_complete:
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
        await self._send(message)

    async def answer(self, status: int) -> None:
        """A last word if the application said none."""
        if self._is_answered:
            return
        text = HTTPStatus(status).phrase.encode() + b"\n"
        await self.send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await self.send({"type": "http.response.body", "body": text})
