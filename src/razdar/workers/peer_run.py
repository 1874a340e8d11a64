# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends what waits for one other relay, from the first line that opens until nothing is left or the relay cannot be reached.

One line carries one message after the other. What one person sends stays in order: no two lines carry messages of the same sender at the
same time. More lines are opened when many messages of different senders wait, or when a large one would hold up somebody else's short one.

Nothing is lost when this stops at any point: an entry leaves the store when the other relay has taken responsibility or the sender has a
report. A message whose answer was lost is sent again, and the reader's app shows it once.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from razdar.model.ids import Uid
from razdar.model.verdict import Refusal
from razdar.policy.retry import DEFERRED_IN_A_ROW
from razdar.ports.clock import Clock
from razdar.ports.courier import Consignment, Courier, Line, Outcome, Reason, Unreachable
from razdar.ports.crew import CrewBusy
from razdar.ports.store import Store, StoreUnavailable
from razdar.services.queue_folders import QueueFolders
from razdar.services.queued import Queued
from razdar.services.settlement import Settlement, Waiting
from razdar.workers.backlog import Backlog
from razdar.workers.peer import Lines, Peer
from razdar.workers.sending_memory import COPIES, Memory

LANES = 4
"""Lines to one relay at the same time."""
LINGER_S = 10.0
"""An open line waits so long for another message."""
RUN_LONGEST_S = 300.0
"""Then all lines are given back and a new run begins, with what was turned away and is due again."""
STALLED_S, SLOWEST_BYTES_S = 60.0, 500.0
"""A message that takes longer than this, and longer than its size at this speed, gives its line back when others wait for one."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all runs share."""

    store: Store
    courier: Courier
    folders: QueueFolders
    settlement: Settlement
    clock: Clock
    chance: Callable[[], float]
    """Uniform in 0 to 1."""
    note: Callable[[str], None]
    lines: Lines
    memory: Memory
    came_back: Callable[[Peer], None]
    """Told when a relay that could not be reached takes a message."""
    linger_s: float = LINGER_S


@dataclass(slots=True, eq=False)
class PeerRun:
    """One use. `tell` says that there is more."""

    tools: Tools
    peer: Peer
    _backlog: Backlog = field(init=False)
    _lanes: int = 0
    _deferred_in_a_row: int = 0
    _is_over: bool = False
    _began_s: float = 0.0
    _filling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _group: asyncio.TaskGroup | None = None
    _task: asyncio.Task[None] | None = None
    _sending: dict[Uid, tuple[float, Waiting]] = field(default_factory=dict)
    """What is on a line, or waits for it to open, since when."""

    def __post_init__(self) -> None:
        self._backlog = Backlog(self.peer)

    async def run(self) -> None:
        """Raises `StoreUnavailable`, `CrewBusy` in an exception group; the peer's pace says whether the relay was reached."""
        self._began_s = self.tools.clock.monotonic()
        self._task = asyncio.current_task()
        known = await self.tools.store.uids(self.peer.folder.mailbox)
        self.tools.settlement.recount(self.peer.folder, self._backlog.found(known))
        try:
            async with asyncio.TaskGroup() as self._group:
                self._open_lane()
        finally:
            self._group, self._is_over = None, True

    def tell(self, uid: Uid) -> None:
        """This one has come."""
        if self._backlog.add(uid):
            self._news.set()
            if self._backlog.is_held_up:
                self._open_lane()

    def overdue_s(self, now_s: float) -> float:
        """For how long something is on a line that should have gone by now; 0 or less: nothing is."""
        late = (now_s - since_s - STALLED_S - each.secret.size_bytes / SLOWEST_BYTES_S for since_s, each in self._sending.values())
        return max(late, default=0.0)

    def give_way(self) -> None:
        """Others wait, and this relay takes its time: its lines are closed, and it counts as one that did not answer."""
        _, waiting = min(self._sending.values(), key=lambda pair: pair[0])
        self._fail(Reason.BROKEN_OFF, waiting)
        if self._task is not None:
            self._task.cancel()

    def _open_lane(self) -> None:
        """The first, or one more if there may be one."""
        if self._group is None or self._is_over or self._lanes >= LANES:
            return
        if self._lanes and not self.tools.lines.take(is_suspect=False):
            return
        self._group.create_task(self._lane(is_first=not self._lanes))
        self._lanes += 1

    async def _lane(self, *, is_first: bool) -> None:
        lane = _Lane(self.tools.courier, self.peer.folder.domain)
        try:
            while (waiting := await self._next(is_first=is_first)) is not None:
                try:
                    await self._carry(lane, waiting)
                except (StoreUnavailable, CrewBusy):
                    raise
                except Exception:  # a bug that this message meets must not stand in the way of the others
                    self._defer(waiting.uid)
                    raise
                finally:
                    self._backlog.put_down(waiting)
                    self._news.set()
        finally:
            self._lanes -= 1
            if not is_first:
                self.tools.lines.give(is_suspect=False)
            await lane.close()

    # what comes next

    async def _next(self, *, is_first: bool) -> Waiting | None:
        """Something whose sender has nothing on a line; None: this lane is not needed any more."""
        while not self._is_over and self.tools.clock.monotonic() < self._began_s + RUN_LONGEST_S:
            self._news.clear()
            await self._fill()
            waiting = self._backlog.take()
            if waiting is not None:
                if self._backlog.wants_line(self._lanes):
                    self._open_lane()
                return waiting
            if not is_first or not await self._wait():
                return None
        return None

    async def _wait(self) -> bool:
        """Whether there may be something."""
        patience_s = (0.0 if self.tools.lines.is_scarce else self.tools.linger_s) if self._backlog.is_quiet else None
        if patience_s == 0.0:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._news.wait()
                return True
        return False

    async def _fill(self) -> None:
        async with self._filling:
            while self._backlog.is_short:
                due = self._backlog.to_open(self.tools.clock.monotonic())
                self._backlog.opened(await self.tools.settlement.opened(self.peer.folder, due))
                if self._backlog.is_trial:
                    return

    # on the line

    async def _carry(self, lane: "_Lane", waiting: Waiting) -> None:
        """The message was sent and settled, or the run is over."""
        size_bytes = COPIES * waiting.secret.size_bytes
        await self.tools.memory.take(size_bytes)
        try:
            queued = await self.tools.settlement.content(self.peer.folder, waiting)
            if queued is not None and await self._is_answered(lane, waiting, queued):
                await self._settle(waiting, queued, self.peer.done[waiting.uid])
        finally:
            await self.tools.memory.give(size_bytes)

    async def _is_answered(self, lane: "_Lane", waiting: Waiting, queued: Queued) -> bool:
        """Whether the other relay has said what becomes of it: now, or earlier while the store could not note it."""
        if waiting.uid in self.peer.done:
            return True
        self._sending[waiting.uid] = self.tools.clock.monotonic(), waiting
        try:
            outcome = await self._send(lane, waiting, queued)
        finally:
            del self._sending[waiting.uid]
        if outcome is not None:
            self.peer.done[waiting.uid] = outcome
        return outcome is not None

    async def _send(self, lane: "_Lane", waiting: Waiting, queued: Queued) -> Outcome | None:
        """None: the relay cannot be reached."""
        author = queued.author.address if queued.author is not None else None
        recipients = queued.to(self.peer.folder.domain)
        if not recipients:
            return Outcome({})
        try:
            return await lane.send(Consignment(author, recipients, queued.message))
        except Unreachable as error:
            self._fail(error.reason, waiting if lane.is_open else None)
            await lane.close()
            return None

    def _fail(self, reason: Reason, broke_at: Waiting | None) -> None:
        """The relay cannot be reached now; every lane ends."""
        now_s, chance = self.tools.clock.monotonic(), self.tools.chance()
        if not self._is_over:
            self.peer.failed(reason, now_s, chance)
            self._is_over = True
            self.tools.note(f"queue.{reason.value}")
        self._news.set()
        if broke_at is not None and self.peer.broke_at(broke_at.uid):
            self._defer(broke_at.uid)

    def _defer(self, uid: Uid) -> None:
        self.peer.defer(uid, self.tools.clock.monotonic(), self.tools.chance())

    async def _settle(self, waiting: Waiting, queued: Queued, outcome: Outcome) -> None:
        everybody = queued.to(self.peer.folder.domain)
        failed = [(address, refusal) for address, refusal in outcome.refused.items() if not refusal.is_temporary]
        later = [address for address in everybody if _is_temporary(outcome.refused.get(address))]
        if everybody and len(later) == len(everybody):
            self._turned_away(waiting)
            return
        self._deferred_in_a_row = 0
        if self.peer.reached():
            self.tools.came_back(self.peer)
        if len(failed) + len(later) < len(everybody):
            await self.tools.folders.exchanged(self.peer.folder.domain)
            self.tools.note("queue.sent")
        rest = await self.tools.settlement.settle(self.peer.folder, waiting, queued, failed, later)
        self.peer.forget(waiting.uid)
        if rest is not None:  # announced just now, and no lane has had its turn since
            self._defer(rest)

    def _turned_away(self, waiting: Waiting) -> None:
        """For now, for everybody. When that happens several times in a row the relay wants nothing at all."""
        self.peer.done.pop(waiting.uid, None)
        self._defer(waiting.uid)
        self.tools.note("queue.turned-away")
        self._deferred_in_a_row += 1
        if self._deferred_in_a_row >= DEFERRED_IN_A_ROW:
            self._fail(Reason.TOO_BUSY, None)


class _Lane:
    """A line, while it is open."""

    def __init__(self, courier: Courier, domain: str) -> None:
        self._courier = courier
        self._domain = domain
        self._line: Line | None = None

    @property
    def is_open(self) -> bool:
        return self._line is not None

    async def send(self, consignment: Consignment) -> Outcome:
        """On the open line, or if that has ended by itself on a new one. Raises `Unreachable`."""
        if self._line is not None:
            try:
                return await self._line.send(consignment)
            except Unreachable:  # it may have been closed between two messages, for any reason
                await self.close()
        self._line = await self._courier.open(self._domain)
        return await self._line.send(consignment)

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()


def _is_temporary(refusal: Refusal | None) -> bool:
    return refusal is not None and refusal.is_temporary
