# SPDX-License-Identifier: AGPL-3.0-or-later
"""What waits for one other relay, in the order in which it goes, and what of it is on a line now.

A value without tasks: the run (peer_run.py) opens entries and carries them. What one person sends stays in order, because nothing is taken
whose sender has something on a line. A message that the line broke at several times goes last.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from razdar.model.ids import Uid
from razdar.services.settlement import Waiting
from razdar.workers.peer import Peer
from razdar.workers.sending_memory import LARGE_BYTES

WINDOW = 64
"""Entries that are opened ahead, 500 bytes each."""
MESSAGES_A_LINE = 16
"""A further line is wanted for each so many messages that could go at once."""


@dataclass(slots=True, eq=False)
class Backlog:
    peer: Peer
    _seen: int = 0
    """UID; up to here everything that waits was found in the store when the run began."""
    _uids: deque[Uid] = field(default_factory=deque)
    _opened: list[Waiting] = field(default_factory=list)
    _carried: dict[int, int] = field(default_factory=dict)
    """Sizes of what is on a line now, by the sender's lane."""

    # what there is

    def found(self, known: Sequence[Uid]) -> int:
        """The store shows these, in their order. How many wait, with what was told of meanwhile."""
        self._seen = known[-1] if known else 0
        self._uids = deque(sorted([*known, *(uid for uid in self._uids if uid > self._seen)], key=self.peer.is_blamed))
        for uid in self.peer.deferred.keys() - set(self._uids):
            self.peer.forget(uid)
        return len(self._uids)

    def add(self, uid: Uid) -> bool:
        """This one has come. False: the store had shown it before its news arrived."""
        if uid <= self._seen:
            return False
        self._uids.append(uid)
        return True

    # what is opened

    @property
    def is_short(self) -> bool:
        """Whether more should be opened."""
        return bool(self._uids) and len(self._opened) < WINDOW // 2

    @property
    def is_trial(self) -> bool:
        """Whether the relay did not answer the last time and there is something to try it with."""
        return bool(self._opened) and self.peer.pace.failures > 0

    def to_open(self, now_s: float) -> list[Uid]:
        """The next that are opened, without what was turned away and is not due."""
        window = 1 if self.peer.pace.failures else WINDOW  # one is enough to find the door closed
        uids = [self._uids.popleft() for _ in range(min(window, len(self._uids)))]
        return [uid for uid in uids if uid not in self.peer.deferred or self.peer.deferred[uid].due_s <= now_s]

    def opened(self, found: Sequence[Waiting]) -> None:
        if found and not self._opened:
            self.peer.oldest_day = found[0].queued_day
        self._opened += sorted(found, key=lambda waiting: self.peer.is_blamed(waiting.uid))

    # what is on a line

    def take(self) -> Waiting | None:
        """Something whose sender has nothing on a line; it is on one until `put_down`."""
        for number, waiting in enumerate(self._opened):
            if waiting.lane not in self._carried:
                del self._opened[number]
                self._carried[waiting.lane] = waiting.secret.size_bytes
                return waiting
        return None

    def put_down(self, waiting: Waiting) -> None:
        self._carried.pop(waiting.lane, None)

    @property
    def is_quiet(self) -> bool:
        return not self._carried and not self._opened

    @property
    def is_held_up(self) -> bool:
        """Whether nothing but large messages is on the lines."""
        return bool(self._carried) and all(size >= LARGE_BYTES for size in self._carried.values())

    def wants_line(self, lines: int) -> bool:
        """Whether one more than these would carry something that could go at once."""
        free = len({waiting.lane for waiting in self._opened} - self._carried.keys())
        return free > 0 and (self.is_held_up or len(self._opened) >= MESSAGES_A_LINE * lines)
