# SPDX-License-Identifier: AGPL-3.0-or-later
"""Port 25: SMTP for other relays. STARTTLS comes first, nobody logs in, and what may happen is decided in services/receive.py.

The peer's address is asked of the socket for the one comparison with the sender's address (policy/proof.py), for as long as that takes, and
is kept nowhere. A connection that brings nothing proven within the time to log in is closed, unless a message is coming in on it; a message
that comes slower than a throttled line carries it ends the connection.
"""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from razdar.model.arrival import Arrival
from razdar.model.verdict import ACCEPT, Refusal, Verdict
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.servers.incoming_note import note_attempt, note_incoming
from razdar.servers.memory import SMALL_BYTES, Holding, MemoryBudget
from razdar.servers.peer_slots import PeerSlot, PeerSlots
from razdar.servers.smtp_line import SmtpLine
from razdar.services.receive import Receive
from razdar.wire.smtp import replies
from razdar.wire.smtp.events import ContentOffered, Event, MessageReceived, RecipientOffered, SenderOffered, TlsRequested
from razdar.wire.smtp.session import Role, SmtpLimits, SmtpSession

SLOWEST_BYTES = 6_000
"""Of a message, from one tick to the next (a minute): a tenth of what a line throttled to 1 kB/s carries."""


@dataclass(frozen=True, slots=True)
class RelayDesk:
    """What every connection of another relay needs."""

    receive: Receive | None
    """None: this relay takes nothing from others."""
    slots: PeerSlots
    memory: MemoryBudget
    hostname: str
    limits: SmtpLimits
    memory_wait_s: float = 15.0


class RelayConnection(SmtpLine):
    """One other relay, or somebody who behaves like one."""

    def __init__(self, desk: RelayDesk, *shared: Any) -> None:
        super().__init__(desk.hostname, desk.limits, Role.RELAY, *shared)
        self._desk = desk
        self._holding = Holding(desk.memory)
        self._slot: PeerSlot | None = None
        self._has_proven = False
        self._seen_bytes = 0

    @property
    def account(self) -> None:
        """Nobody's."""
        return None

    @property
    def is_logged_in(self) -> bool:
        """Whether it may stay: what came in was proven, or something is coming in."""
        return self._has_proven or self.engine.is_receiving_content

    @property
    def arrival(self) -> Arrival:
        """Where it comes from, for the policies."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return Arrival(self.origin, str(name[0]) if isinstance(name, tuple) else "")

    def make_engine(self, is_tls: bool) -> SmtpSession:
        engine = super().make_engine(is_tls)
        self._slot = self._desk.slots.enter(self.origin)
        if self._slot is None:
            engine.turn_away(replies.TOO_MANY_CONNECTIONS)
        return engine

    def next_step(self) -> Coroutine[Any, Any, None] | None:
        event = self.engine.next_event()
        return None if event is None else self._wait_for(event)

    def tick(self) -> None:
        """Whoever sends a message byte by byte holds a place for nothing."""
        seen_bytes = self.engine.held_bytes if self.engine.is_receiving_content else 0
        if seen_bytes and 0 <= seen_bytes - self._seen_bytes < SLOWEST_BYTES:
            self.end(is_timeout=True)
            self.pump()
        self._seen_bytes = seen_bytes

    def connection_lost(self, exc: Exception | None) -> None:
        if self._slot is not None:
            self._slot.leave()
        super().connection_lost(exc)

    async def _wait_for(self, event: Event) -> None:
        if isinstance(event, TlsRequested):
            await self.start_tls()
        elif not self.engine.is_closing:
            self.engine.answer(await self._decide(event))

    async def _decide(self, event: Event) -> Verdict:
        receive = self._desk.receive
        try:
            if isinstance(event, SenderOffered):
                return ACCEPT if receive is None else self._noted(receive.may_offer(self.arrival))
            if isinstance(event, RecipientOffered):
                verdict = replies.NOT_LOCAL if receive is None else await receive.check_recipient(self.arrival, event.address)
                return self._noted(verdict)
            if isinstance(event, ContentOffered):
                return ACCEPT if await self.reserve(SMALL_BYTES, self._desk.memory_wait_s) else replies.OVERLOADED
            if isinstance(event, MessageReceived) and receive is not None:
                return self._note(await receive(self.arrival, event.envelope, event.content))
        except StoreFull:
            return replies.STORE_FULL
        except (StoreUnavailable, CrewBusy):
            return replies.STORE_UNAVAILABLE
        return replies.NOT_LOCAL

    def _noted(self, verdict: Verdict) -> Verdict:
        note_attempt(self._journal, verdict)
        return verdict

    def _note(self, verdict: Verdict) -> Verdict:
        note_incoming(self._journal, verdict)
        if not isinstance(verdict, Refusal):
            self._has_proven = True
            if self._ticket is not None:
                self._ticket.log_in(self.origin)  # no stranger any more: a crowd of these does not push it out
            if self._slot is not None:
                self._slot.proved()
        return verdict
