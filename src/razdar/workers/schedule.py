# SPDX-License-Identifier: AGPL-3.0-or-later
"""When something is to be done for which other relay, and who of those whose time has come has a line.

A value without tasks or a clock of its own: the worker (outbound.py) says what time it is and does what comes out. A relay has one time or
none; when that changes, its old one stays in the list and is passed over when it comes up.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from razdar.workers.peer import Lines, Peer

LOOK_S = 5.0
"""So often it is looked whether somebody holds a line too long while others wait for one."""


@dataclass(slots=True, eq=False)
class Schedule:
    lines: Lines
    _times: list[tuple[float, int, Peer]] = field(default_factory=list)
    """A heap; the numbers keep those of the same time in the order in which they came."""
    _numbers: Iterator[int] = field(default_factory=count)
    _ready: dict[bool, deque[Peer]] = field(default_factory=lambda: {False: deque(), True: deque()})
    """Whose time has come and who has no line yet, by whether they did not answer the last time."""

    def put(self, peer: Peer) -> bool:
        """Its time is in force, also that it has none. Whether it is a new one, which whoever sleeps until the next should know."""
        due_s = peer.due_s()
        is_new = due_s is not None and due_s != peer.scheduled_s
        if due_s is not None and is_new:
            heapq.heappush(self._times, (due_s, next(self._numbers), peer))
        peer.scheduled_s = due_s
        return is_new

    def pass_to(self, now_s: float) -> None:
        """Whoever's time has come is working, or waits for a line."""
        while self._times and self._times[0][0] <= now_s:
            due_s, _, peer = heapq.heappop(self._times)
            if peer.scheduled_s == due_s and not peer.is_working:
                peer.is_working = True
                peer.scheduled_s = None
                self._ready[peer.pace.failures > 0].append(peer)

    def begun(self) -> Iterator[tuple[Peer, bool]]:
        """Those who have a line from now on, each with whether it did not answer the last time; the line is to be given back."""
        for is_suspect, ready in self._ready.items():
            while ready and self.lines.take(is_suspect=is_suspect):
                yield ready.popleft(), is_suspect

    @property
    def wanted(self) -> int:
        """Relays that answered the last time and wait for a line."""
        return len(self._ready[False])

    def pause_s(self, now_s: float) -> float | None:
        """How long nothing has to be done unless something happens; None: for ever."""
        pause_s = max(0.0, self._times[0][0] - now_s) if self._times else None
        if self.wanted:
            return LOOK_S if pause_s is None else min(pause_s, LOOK_S)
        return pause_s
