# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends what waits for one other relay, from the first line that opens until nothing is left or the relay cannot be reached.

One line carries one message after the other. What one person sends stays in order: no two lines carry messages of the same sender at the
same time. More lines are opened when many messages of different senders wait, or when a large one would hold up somebody else's short one.

Nothing is lost when this stops at any point: an entry leaves the store when the other relay has taken responsibility or the sender has a
report. A message whose answer was lost is sent again, and the reader's app shows it once.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from razdar.model.ids import Uid
from razdar.model.verdict import Refusal
from razdar.policy.retry import BREAKS, DEFERRED_IN_A_ROW, RESTED
from razdar.ports.clock import Clock
from razdar.ports.courier import Consignment, Courier, Line, Outcome, Reason, Unreachable
from razdar.ports.crew import CrewBusy
from razdar.ports.store import Store, StoreUnavailable
from razdar.services.queue_folders import QueueFolders
from razdar.services.queued import Queued
from razdar.services.settlement import Settlement, Waiting
from razdar.workers.peer import Lines, Peer
from razdar.workers.sending_memory import COPIES, LARGE_BYTES, Memory

WINDOW = 64
"""Entries that are opened ahead, 500 bytes each."""
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
    _uids: deque[Uid] = field(default_factory=deque)
    _todo: list[Waiting] = field(default_factory=list)
    _carried: dict[int, int] = field(default_factory=dict)
    """Sizes of what is on a line now, by lane."""
    _lanes: int = 0
    _deferred_in_a_row: int = 0
    _is_over: bool = False
    _began_s: float = 0.0
    _seen: int = 0
    """UID; up to here everything that waits was found in the store when the run began."""
    _filling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _group: asyncio.TaskGroup | None = None
    _task: asyncio.Task[None] | None = None
    _sending: dict[Uid, tuple[float, Waiting]] = field(default_factory=dict)
    """What is on a line, or waits for it to open, since when."""

    async def run(self) -> None:
        """Raises `StoreUnavailable`, `CrewBusy` in an exception group; the peer's pace says whether the relay was reached."""
        self._began_s = self.tools.clock.monotonic()
        self._task = asyncio.current_task()
        known = await self.tools.store.uids(self.peer.folder.mailbox)
        self._seen = known[-1] if known else 0
        self._uids = deque(sorted([*known, *(uid for uid in self._uids if uid > self._seen)], key=self._is_suspect))
        self.tools.settlement.recount(self.peer.folder, len(self._uids))
        for uid in self.peer.deferred.keys() - set(self._uids):
            self.peer.forget(uid)
        try:
            async with asyncio.TaskGroup() as self._group:
                self._open_lane()
        finally:
            self._group, self._is_over = None, True

    def _is_suspect(self, uid: Uid) -> bool:
        """Whether the line broke at it so often that it goes last."""
        return self.peer.breaks[uid] >= BREAKS if uid in self.peer.breaks else False

    def tell(self, uid: Uid) -> None:
        """This one has come. The store may have shown it to us before its news arrived."""
        if uid <= self._seen:
            return
        self._uids.append(uid)
        self._news.set()
        if self._carried and all(size >= LARGE_BYTES for size in self._carried.values()):
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
        lane = _Lane()
        try:
            while (waiting := await self._next(is_first=is_first)) is not None:
                try:
                    await self._carry(lane, waiting)
                except (StoreUnavailable, CrewBusy):
                    raise
                except Exception:  # a bug that this message meets must not stand in the way of the others
                    self._defer(waiting)
                    raise
                finally:
                    self._carried.pop(waiting.lane, None)
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
            for number, waiting in enumerate(self._todo):
                if waiting.lane not in self._carried:
                    del self._todo[number]
                    self._carried[waiting.lane] = waiting.secret.size_bytes
                    self._want_more()
                    return waiting
            if not is_first or not await self._wait():
                return None
        return None

    def _want_more(self) -> None:
        """Opens a further lane for each 16 messages that could go at once."""
        free = len({waiting.lane for waiting in self._todo} - self._carried.keys())
        is_large = all(size >= LARGE_BYTES for size in self._carried.values())
        if (is_large and free) or (free and len(self._todo) >= 16 * self._lanes):
            self._open_lane()

    async def _wait(self) -> bool:
        """Whether there may be something."""
        is_quiet = not self._carried and not self._todo
        patience_s = (0.0 if self.tools.lines.is_scarce else self.tools.linger_s) if is_quiet else None
        if patience_s == 0.0:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._news.wait()
                return True
        return False

    async def _fill(self) -> None:
        async with self._filling:
            while self._uids and len(self._todo) < WINDOW // 2:
                window = 1 if self.peer.pace.failures else WINDOW  # one is enough to find the door closed
                uids = [self._uids.popleft() for _ in range(min(window, len(self._uids)))]
                now_s = self.tools.clock.monotonic()
                due = [uid for uid in uids if uid not in self.peer.deferred or self.peer.deferred[uid].due_s <= now_s]
                opened = await self.tools.settlement.opened(self.peer.folder, due)
                if opened and not self._todo:
                    self.peer.oldest_day = opened[0].queued_day
                self._todo += sorted(opened, key=lambda waiting: self._is_suspect(waiting.uid))
                if self._todo and self.peer.pace.failures:
                    return

    # on the line

    async def _carry(self, lane: "_Lane", waiting: Waiting) -> None:
        """The message was sent and settled, or the run is over."""
        size_bytes = COPIES * waiting.secret.size_bytes
        await self.tools.memory.take(size_bytes)
        try:
            queued = await self.tools.settlement.content(self.peer.folder, waiting)
            if queued is None:
                return
            if waiting.uid not in self.peer.done:
                self._sending[waiting.uid] = self.tools.clock.monotonic(), waiting
                try:
                    outcome = await self._send(lane, queued, waiting)
                finally:
                    del self._sending[waiting.uid]
                if outcome is None:
                    return
                self.peer.done[waiting.uid] = outcome
            await self._settle(waiting, queued, self.peer.done[waiting.uid])
        finally:
            await self.tools.memory.give(size_bytes)

    async def _send(self, lane: "_Lane", queued: Queued, waiting: Waiting) -> Outcome | None:
        """On the lane's line, or if that has ended by itself on a new one. None: the relay cannot be reached."""
        author = queued.author.address if queued.author is not None else None
        recipients = queued.to(self.peer.folder.domain)
        if not recipients:
            return Outcome({})
        consignment = Consignment(author, recipients, queued.message)
        if lane.line is not None:
            try:
                return await lane.line.send(consignment)
            except Unreachable:  # it may have been closed between two messages, for any reason
                await lane.close()
        try:
            lane.line = await self.tools.courier.open(self.peer.folder.domain)
            return await lane.line.send(consignment)
        except Unreachable as error:
            self._fail(error.reason, waiting if lane.line is not None else None)
            await lane.close()
            return None

    def _fail(self, reason: Reason, broke_at: Waiting | None) -> None:
        """The relay cannot be reached now; every lane ends."""
        now_s, chance = self.tools.clock.monotonic(), self.tools.chance()
        if not self._is_over:
            self.peer.pace, self.peer.reason, self._is_over = self.peer.pace.failed(now_s, chance), reason, True
            self.tools.note(f"queue.{reason.value}")
        self._news.set()
        if broke_at is not None:
            self.peer.breaks[broke_at.uid] += 1
            if self.peer.breaks[broke_at.uid] >= BREAKS:
                self._defer(broke_at)

    def _defer(self, waiting: Waiting) -> None:
        pace = self.peer.deferred.get(waiting.uid, RESTED)
        self.peer.deferred[waiting.uid] = pace.failed(self.tools.clock.monotonic(), self.tools.chance())

    async def _settle(self, waiting: Waiting, queued: Queued, outcome: Outcome) -> None:
        everybody = queued.to(self.peer.folder.domain)
        failed = [(address, refusal) for address, refusal in outcome.refused.items() if not refusal.is_temporary]
        later = [address for address in everybody if _is_temporary(outcome.refused.get(address))]
        if everybody and len(later) == len(everybody):
            self._turned_away(waiting)
            return
        self._deferred_in_a_row = 0
        self._reached()
        if len(failed) + len(later) < len(everybody):
            await self.tools.folders.exchanged(self.peer.folder.domain)
            self.tools.note("queue.sent")
        rest = await self.tools.settlement.settle(self.peer.folder, waiting, queued, failed, later)
        self.peer.forget(waiting.uid)
        if rest is not None:  # announced just now, and no lane has had its turn since
            self.peer.deferred[rest] = RESTED.failed(self.tools.clock.monotonic(), self.tools.chance())

    def _turned_away(self, waiting: Waiting) -> None:
        """For now, for everybody. When that happens several times in a row the relay wants nothing at all."""
        self.peer.done.pop(waiting.uid, None)
        self._defer(waiting)
        self.tools.note("queue.turned-away")
        self._deferred_in_a_row += 1
        if self._deferred_in_a_row >= DEFERRED_IN_A_ROW:
            self._fail(Reason.TOO_BUSY, None)

    def _reached(self) -> None:
        was_lost = self.peer.pace.failures > 0
        self.peer.pace, self.peer.reason = RESTED, None
        if was_lost:
            self.tools.came_back(self.peer)


class _Lane:
    """A line, while it is open."""

    def __init__(self) -> None:
        self.line: Line | None = None

    async def close(self) -> None:
        line, self.line = self.line, None
        if line is not None:
            await line.close()


def _is_temporary(refusal: Refusal | None) -> bool:
    return refusal is not None and refusal.is_temporary
