# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP edge: connections in, ASGI calls out, with a bound on everything a peer can make us keep.

uvicorn's h11 protocol does the talking; it is made for connections that our own listeners accept (plain ports) or that were found to be
HTTP by ALPN on port 443. What this adds: strict heads (http_head.py), one deadline per phase of an exchange, bounded bodies and a bounded
number of connections. There is no access log, and the peer's address is forgotten before the first byte is read: neither the application
nor a log can name anybody. No Date field is sent, because a relay in a cut may have a wrong clock (RFC 9110 section 6.6.1). It knows no
pages. A few paths are for programs and have bounds of their own (`Route`), and only these are told where a request comes from.
"""

import asyncio
import enum
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import h11
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from razdar.servers.admission import Ticket
from razdar.servers.http_bounds import BoundedApp, Route
from razdar.servers.http_head import HeadLimits, StrictConnection
from razdar.servers.journal import Journal

# uvicorn writes the peer's address (at trace level) and exceptions with their text to its logger. This one hangs in no tree and drops all.
_SILENT = logging.Logger("silent", level=logging.CRITICAL + 1)
REFUSED_LINGER_S = 1.0  # a connection beyond the bound gets one word and is gone
PROGRESS_S, PROGRESS_BYTES = 60.0, 6_000
"""A long body on a `Route` is waited for as long as it gets on: a tenth of what a line throttled to 1 kB/s carries."""


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

    def __init__(self, app: ASGIApp, limits: HttpLimits, journal: Journal, routes: Mapping[str, Route] | None = None) -> None:
        """`routes`: what answers at these paths in place of `app`."""
        self.routes = dict(routes or {})
        self.app: ASGIApp = BoundedApp(app, limits.body_bytes, journal, self.routes)
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
        return EdgeProtocol(self._config, self._state, self.limits, self.routes)

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

    def __init__(self, config: Config, state: ServerState, limits: HttpLimits, routes: Mapping[str, Route]) -> None:
        super().__init__(config, state, {})
        self._routes = routes
        self.conn = self._strict = StrictConnection(limits.head, {path: route.head for path, route in routes.items() if route.head})
        self.logger = self.access_logger = _SILENT
        self.access_log = False
        self._limits = limits
        self._phase = Phase.RECEIVING
        self._ticket: Ticket | None = None
        self._received_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self.app_state["more_time"] = self._more_time
        self.app_state["source"] = self._source

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
        self._received_bytes += len(data)
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

    def _source(self) -> str:
        """The peer's address, asked of the socket when it is needed. http_bounds.py hides this from all but routes."""
        name = self.transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    def _enter(self, phase: Phase, deadline_s: float) -> None:
        self._cancel_deadline()
        self._received_bytes = 0
        self._phase = phase
        self._deadline = self.loop.call_later(deadline_s, self._too_late)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_getting_on(self) -> bool:
        """Whether what is still coming is a body that may be long, and it is coming."""
        is_long = self.conn.their_state is h11.SEND_BODY and self.scope["path"] in self._routes
        return is_long and self._received_bytes >= PROGRESS_BYTES

    def _too_late(self) -> None:
        if self._phase is Phase.RECEIVING and self._is_getting_on():
            self._enter(Phase.RECEIVING, PROGRESS_S)
        elif self._phase is Phase.RECEIVING and not self.transport.is_closing():
            self._refuse(408)
        else:
            self.transport.abort()


def _plain_answer(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase
    head = f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain\r\nContent-Length: {len(phrase) + 1}\r\nConnection: close\r\n\r\n"
    return f"{head}{phrase}\n".encode("ascii")
