"""The connection loop that SMTP and IMAP share: bytes go into a protocol engine, events come out, a handler answers them.

`asyncio.Protocol`, not streams: an idle connection owns a transport, an engine and one timer, no task and no buffer. A task lives only
while a handler waits for the store. One event is handled at a time; what the client pipelines behind it waits in the engine, and when that
grows too long the socket is not read any more. Nothing about the peer's address is asked or kept.
"""

import asyncio
import ssl
from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any, Protocol, cast

from razdar.servers.journal import Journal

READ_AHEAD_BYTES = 262_144  # pipelined input beyond this waits in the kernel
WRITE_AHEAD_BYTES = 1_048_576  # output beyond this waits in the handler
TICK_S = 60.0
HANDSHAKE_S = 30.0


class Engine(Protocol):
    """What both protocol engines offer (wire/smtp/session.py, wire/imap/session.py)."""

    def receive(self, data: bytes) -> None: ...
    def take_output(self) -> bytes: ...
    def tls_started(self) -> None: ...
    @property
    def is_closing(self) -> bool: ...
    @property
    def buffered_bytes(self) -> int: ...


class PeerGone(Exception):  # noqa: N818 - nobody's fault
    """The connection ended while its answer was being written; whatever was under way stops."""


class Registry:
    """All live connections, so that their number is bounded and they can be ended together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.live: set[Connection] = set()
        self.refused = 0
        self._emptied = asyncio.Event()

    def admit(self, connection: "Connection") -> bool:
        if len(self.live) >= self.limit:
            self.refused += 1
            return False
        self.live.add(connection)
        return True

    def dismiss(self, connection: "Connection") -> None:
        """The connection is gone."""
        self.live.discard(connection)
        if not self.live:
            self._emptied.set()

    async def empty(self) -> None:
        """Returns when no connection is left. For the end of the relay, when no new ones are admitted."""
        self._emptied.clear()
        if self.live:
            await self._emptied.wait()


class Connection(asyncio.Protocol):
    """One client. Subclasses say what an event means."""

    def __init__(self, registry: Registry, journal: Journal, tls: ssl.SSLContext, login_s: float, idle_s: float) -> None:
        self._registry = registry
        self._journal = journal
        self._tls = tls
        self._login_s = login_s
        self._idle_s = idle_s
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writable: asyncio.Event | None = None
        self._began = self._last_heard = 0.0
        self._is_upgrading = False
        self._is_reading = True
        self.engine: Engine | None = None

    # what subclasses fill in

    @abstractmethod
    def make_engine(self, is_tls: bool) -> Engine:
        """A fresh engine."""

    @abstractmethod
    def next_step(self) -> Coroutine[Any, Any, None] | None:
        """The work for the next event, or None if the engine has none."""

    @abstractmethod
    def fail(self) -> None:
        """Answer the event in progress with a temporary failure: the fault is ours."""

    @abstractmethod
    def end(self, is_timeout: bool) -> None:
        """Queue the protocol's word of farewell; the engine closes."""

    @property
    @abstractmethod
    def is_logged_in(self) -> bool:
        """Whether the idle time counts instead of the time to log in."""

    def tick(self) -> None:
        """About once a minute."""

    def closed(self) -> None:
        """The connection is gone; no step is running any more."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class
        self._transport = transport
        if not self._registry.admit(self):
            transport.close()
            return
        loop = asyncio.get_running_loop()
        self._began = self._last_heard = loop.time()
        transport.set_write_buffer_limits(high=WRITE_AHEAD_BYTES)
        self.engine = self.make_engine(transport.get_extra_info("ssl_object") is not None)
        self._timer = loop.call_later(min(TICK_S, self._login_s), self._on_tick)
        self.pump()

    def data_received(self, data: bytes) -> None:
        if self.engine is None or self._is_upgrading:
            return  # bytes sent in clear after STARTTLS are dropped (CVE-2011-0411)
        self._last_heard = asyncio.get_running_loop().time()
        self.engine.receive(data)
        self.pump()

    def eof_received(self) -> bool:
        return False  # close

    def connection_lost(self, exc: Exception | None) -> None:
        self._registry.dismiss(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._writable is not None:
            self._writable.set()
        if self._task is not None:
            self._task.add_done_callback(lambda _: self.closed())
        elif self.engine is not None:
            self.closed()

    def pause_writing(self) -> None:
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # the loop

    def pump(self) -> None:
        """Take the next event unless one is in progress; send what there is to send."""
        engine = self.engine
        if engine is None or self._transport is None:
            return
        if self._task is None and not self._is_upgrading and not self._transport.is_closing():
            step = self.next_step()
            if step is not None:
                self._task = asyncio.get_running_loop().create_task(self._run(step))
        self.flush()
        if self._task is None and engine.is_closing and not self._transport.is_closing():
            self._transport.close()
        self._throttle(engine)

    async def _run(self, step: Coroutine[Any, Any, None]) -> None:
        """Steps until the engine has no more events, so that pipelined commands cost one task."""
        following: Coroutine[Any, Any, None] | None = step
        try:
            while following is not None and self._transport is not None:
                await self._attempt(following)
                self.flush()
                closing = self._transport.is_closing() or self.engine is None or self._is_upgrading
                following = None if closing else self.next_step()
        finally:
            self._task = None
            if self._transport is not None and not self._transport.is_closing():
                asyncio.get_running_loop().call_soon(self.pump)

    async def _attempt(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            await step
        except PeerGone:
            return
        except Exception as error:  # our bug: told to the journal by its kind, to the peer as a temporary failure
            self._journal.bug(error)
            self.fail()

    def flush(self) -> None:
        """Everything queued is with the transport."""
        if self.engine is not None and self._transport is not None and not self._transport.is_closing():
            output = self.engine.take_output()
            if output:
                self._transport.write(output)

    async def drain(self) -> None:
        """Returns when the peer has read enough for more to be sent."""
        self.flush()
        if self._writable is not None:
            await self._writable.wait()
        if self._transport is not None and self._transport.is_closing():
            raise PeerGone

    def _throttle(self, engine: Engine) -> None:
        assert self._transport is not None
        wants = engine.buffered_bytes < READ_AHEAD_BYTES or self._task is None
        if wants != self._is_reading and not self._transport.is_closing() and not self._is_upgrading:
            self._is_reading = wants
            (self._transport.resume_reading if wants else self._transport.pause_reading)()

    async def start_tls(self) -> None:
        """The 220 or OK is sent, the handshake done and the engine told; what came in clear before is dropped."""
        assert self._transport is not None
        assert self.engine is not None
        self._is_upgrading = True
        self.flush()
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport, self, self._tls, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (TimeoutError, OSError, ssl.SSLError):
            self.abort()
            return
        self._transport = transport
        self._is_upgrading = False
        self.engine.tls_started()

    # time and end

    def _on_tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        too_late = (not self.is_logged_in and now - self._began >= self._login_s) or now - self._last_heard >= self._idle_s
        if too_late and self._task is None:
            self.end(is_timeout=True)
            self.pump()
            return
        self.tick()
        self.flush()
        self._timer = loop.call_later(TICK_S, self._on_tick)

    def abort(self) -> None:
        """The connection is gone at once."""
        if self._transport is not None:
            self._transport.abort()

    def say_goodbye(self) -> None:
        """The relay stops: the client is told and the connection closes, after the command in progress."""
        if self.engine is not None and not self._is_upgrading:
            self.end(is_timeout=False)
            self.pump()
