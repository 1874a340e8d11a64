# SPDX-License-Identifier: AGPL-3.0-or-later
"""The connection loop that SMTP and IMAP share: bytes go into a protocol engine, events come out, a handler answers them.

`asyncio.Protocol`, not streams: an idle connection owns a transport, an engine and one timer, no task and no buffer. A task lives only
while a handler waits for the store. One event is handled at a time; what the client pipelines behind it waits in the engine, and when that
grows too long the socket is not read any more. The same when a client does not read what it is sent: nothing more is read, done or written
for it, and after the idle time it is cut off. What it holds in memory is counted (memory.py). Nothing about the peer's address is asked or
kept.
"""

import asyncio
import ssl
from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any, cast

from razdar.servers.admission import Ticket
from razdar.servers.deadlines import Deadlines
from razdar.servers.engine import Engine
from razdar.servers.journal import Journal
from razdar.servers.memory import Holding
from razdar.servers.registry import ConnectionLimits, Registry

HANDSHAKE_S = 30.0
SHUTDOWN_S = 5.0


class PeerGone(Exception):  # noqa: N818 - nobody's fault
    """The connection ended while its answer was being written; whatever was under way stops."""


class Connection(asyncio.Protocol):
    """One client. Subclasses say what an event means."""

    def __init__(self, registry: Registry, journal: Journal, tls: ssl.SSLContext, limits: ConnectionLimits) -> None:
        self._registry = registry
        self._journal = journal
        self._tls = tls
        self.limits = limits
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable: asyncio.Event | None = None
        self._deadlines = Deadlines(limits)
        self._is_upgrading = False
        self._is_reading = True
        self._is_lost = False
        self._ticket: Ticket | None = None
        self._holding = Holding(registry.memory)
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

    @abstractmethod
    def take_output(self) -> bytes:
        """The next bytes to send, not many more than `limits.ahead_bytes` where the engine can cut them."""

    @property
    @abstractmethod
    def account(self) -> bytes | None:
        """Who is logged in; then the idle time counts instead of the time to log in."""

    @property
    def is_logged_in(self) -> bool:
        return self.account is not None

    @property
    def held_bytes(self) -> int:
        """What it counts for in the memory of all."""
        return self.engine.held_bytes if self.engine is not None else 0

    def tick(self) -> None:
        """About once a minute."""

    def closed(self) -> None:
        """The connection is gone; no step is running any more."""

    def hold(self, ticket: Ticket) -> None:
        """Before `connection_made`."""
        self._ticket = ticket

    @property
    def origin(self) -> bytes:
        """Stands for the network it comes from; nothing else can be done with it."""
        return self._ticket.network if self._ticket is not None else b""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class
        self._transport = transport
        if not self._registry.admit(self):
            transport.abort()
            return
        self._deadlines.begin(self._on_tick)
        transport.set_write_buffer_limits(high=self.limits.ahead_bytes)
        self.engine = self.make_engine(transport.get_extra_info("ssl_object") is not None)
        self.pump()

    def data_received(self, data: bytes) -> None:
        if self.engine is None or self._is_upgrading:
            return  # bytes sent in clear after STARTTLS are dropped (CVE-2011-0411)
        self._deadlines.heard()
        try:
            self.engine.receive(data)
            self._count_memory()
            self.pump()
        except Exception as error:  # our bug; its text may hold what the peer sent, so it must not get to asyncio's log
            self._journal.bug(error)
            self.abort()

    def eof_received(self) -> bool:
        return False  # close

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self._registry.dismiss(self)
        self._count_memory()
        if self._ticket is not None:
            self._ticket.leave()
        self._deadlines.stop()
        if self._writable is not None:
            self._writable.set()
        if self._task is not None:
            self._task.add_done_callback(lambda _: self.closed())
        elif self.engine is not None:
            self.closed()

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None
            self.flush()
            asyncio.get_running_loop().call_soon(self.pump)

    # the loop

    def pump(self) -> None:
        """Take the next event unless one is in progress; send what there is to send."""
        engine = self.engine
        if engine is None or self._transport is None:
            return
        may_go_on = self._task is None and self._writable is None and not self._is_upgrading
        if may_go_on and not self._transport.is_closing():
            step = self.next_step()
            if step is not None:
                self._task = asyncio.get_running_loop().create_task(self._run(step))
        self.flush()
        if engine.is_closing:
            if not self._is_lost:
                self._deadlines.end_soon(self.abort)
            if self._task is None and self._writable is None and not self._transport.is_closing():
                self._transport.close()
        self._throttle(engine)

    async def _run(self, step: Coroutine[Any, Any, None]) -> None:
        """Steps until the engine has no more events, so that pipelined commands cost one task."""
        following: Coroutine[Any, Any, None] | None = step
        try:
            while following is not None:
                await self._attempt(following)
                following = await self._next_in_the_row()
        finally:
            self._task = None
            if self._transport is not None and not self._transport.is_closing():
                asyncio.get_running_loop().call_soon(self.pump)

    async def _next_in_the_row(self) -> Coroutine[Any, Any, None] | None:
        """The next step once the peer has room for more answers and the other connections had their turn."""
        if self.engine is None or self._is_upgrading:
            return None
        try:
            await self.drain()
        except PeerGone:
            return None
        if self._deadlines.is_late and not self.is_logged_in:
            self.end(is_timeout=True)
            return None
        if self.engine.buffered_bytes:
            await asyncio.sleep(0)
        return None if self._transport is None or self._transport.is_closing() else self.next_step()

    async def _attempt(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            await step
        except PeerGone:
            return
        except Exception as error:  # our bug: told to the journal by its kind, to the peer as a temporary failure
            self._journal.bug(error)
            try:
                self.fail()
            except RuntimeError:  # it had been answered already
                self.abort()
        finally:
            self._count_memory()
            if self._ticket is not None and self.account is not None:
                self._ticket.log_in(self.account)

    def _count_memory(self) -> None:
        """Whoever sends more than there is memory for is cut off in words; what is lost holds nothing."""
        held_bytes = 0 if self._is_lost else self.held_bytes
        if held_bytes == self._holding.size_bytes or self._holding.count(held_bytes):
            return
        if self.engine is not None and not self.engine.is_closing:
            self._journal.count("memory.refused")
            self.engine.give_up()
            self._count_memory()

    def reserve_now(self, size_bytes: int) -> bool:
        """Whether there is memory for so much; if so it counts from now on, until the engine's own count is looked at again."""
        return self._holding.reserve(size_bytes)

    async def reserve(self, size_bytes: int, patience_s: float) -> bool:
        """As `reserve_now`, with so much patience. Raises `PeerGone`."""
        if not await self._holding.wait(size_bytes, patience_s):
            return False
        if self._is_lost:
            self._count_memory()
            raise PeerGone
        return True

    def flush(self) -> None:
        """What is queued is with the transport, as far as the peer takes it; the rest follows when it has read."""
        transport = self._transport
        while self.engine is not None and transport is not None and self._writable is None and not transport.is_closing():
            output = self.take_output()
            if not output:
                return
            transport.write(output)

    async def drain(self) -> None:
        """Returns when the peer has read enough for more to be sent. Raises `PeerGone`."""
        self.flush()
        while self._writable is not None and not self._is_lost:
            await self._writable.wait()
            self.flush()
        if self._is_lost or (self._transport is not None and self._transport.is_closing()):
            raise PeerGone

    def _throttle(self, engine: Engine) -> None:
        assert self._transport is not None
        wants = self._writable is None and (engine.buffered_bytes < self.limits.ahead_bytes or self._task is None)
        if wants != self._is_reading and not self._transport.is_closing() and not self._is_upgrading:
            self._is_reading = wants
            (self._transport.resume_reading if wants else self._transport.pause_reading)()

    async def start_tls(self) -> None:
        """The 220 or OK is sent, the handshake done and the engine told; what came in clear before is dropped."""
        assert self._transport is not None
        assert self.engine is not None
        self._is_upgrading = True
        self.flush()
        loop, handshake_s = asyncio.get_running_loop(), min(HANDSHAKE_S, self.limits.login_s)
        try:
            transport = await loop.start_tls(
                self._transport,
                self,
                self._tls,
                server_side=True,
                ssl_handshake_timeout=handshake_s,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        except (TimeoutError, OSError, ssl.SSLError):
            self.abort()
            self.connection_lost(None)  # uvloop does not say so when the peer goes during the handshake
            return
        if transport is None or self._is_lost:
            self.connection_lost(None)
            return
        self._transport = transport
        self._is_upgrading = False
        self.engine.tls_started()

    # time and end

    def _on_tick(self) -> None:
        assert self._transport is not None
        if self._writable is not None:
            self._deadlines.took(self._transport.get_write_buffer_size())
        is_idle = self._deadlines.look(is_logged_in=self.is_logged_in)
        if is_idle and self._writable is not None:
            self.abort()
            return
        if self._task is None and (is_idle or self._deadlines.is_late):
            self.end(is_timeout=True)
            self.pump()
            return
        self.tick()
        self.flush()
        self._deadlines.again(self._on_tick)

    def abort(self) -> None:
        """The connection is gone at once."""
        if self._transport is not None:
            self._transport.abort()

    def say_goodbye(self) -> None:
        """The relay stops: the client is told and the connection closes, after the command in progress."""
        if self.engine is not None and not self._is_upgrading:
            self.end(is_timeout=False)
            self.pump()
