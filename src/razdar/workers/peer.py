# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the queue's worker knows of one other relay, and the book of lines that may be open at the same time."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from razdar.model.ids import Uid
from razdar.policy.retry import BREAKS, RESTED, Pace
from razdar.ports.courier import PERMANENT, Outcome, Reason
from razdar.services.queue_folders import PeerFolder


@dataclass(slots=True, eq=False)
class Peer:
    """In RAM; a restart begins with nothing but the folder, and with the first try at once."""

    folder: PeerFolder
    oldest_day: int
    """The relay day on which the first of what waits was queued, as far as was looked."""
    pace: Pace = RESTED
    reason: Reason | None = None
    """Why it could not be reached the last time; None: it could, or nobody has tried."""
    deferred: dict[Uid, Pace] = field(default_factory=dict)
    """Messages that were turned away for now."""
    breaks: Counter[Uid] = field(default_factory=Counter)
    """How often the line broke at a message."""
    done: dict[Uid, Outcome] = field(default_factory=dict)
    """What was sent while the store could not note it."""
    review_s: float = 0.0
    """When to look for messages whose time is over or whose sender has to hear that it takes long."""
    expired_day: int = 0
    """The relay day of the last look for the first."""
    told_until: int = 0
    """UID; up to here nobody has to hear anything more."""
    scheduled_s: float | None = None
    is_working: bool = False
    stop: Callable[[], None] = lambda: None
    """Nothing more is heard of its folder."""

    @property
    def is_gone(self) -> bool:
        """Whether its name seems to have ended."""
        return self.reason in PERMANENT

    def due_s(self) -> float | None:
        """When something has to be done for it; None: nothing has."""
        if self.is_working or not self.folder.waiting:
            return None
        return min(self.review_s, self.send_s())

    def send_s(self) -> float:
        """When to send what waits."""
        if self.folder.waiting > len(self.deferred):
            return self.pace.due_s
        return max(self.pace.due_s, min(pace.due_s for pace in self.deferred.values()))

    # what happens to it

    def sign(self, at_s: float) -> None:
        """It may be back: everything of it is tried then."""
        self.pace = self.pace.sign(at_s)
        self.deferred = {uid: pace.sign(at_s) for uid, pace in self.deferred.items()}

    def leave_alone(self, until_s: float) -> None:
        """Nothing is done for it before then, through no fault of its own."""
        self.pace = replace(self.pace, due_s=max(self.pace.due_s, until_s))
        self.review_s = max(self.review_s, until_s)

    def failed(self, reason: Reason, now_s: float, chance: float) -> None:
        """It could not be reached."""
        self.pace, self.reason = self.pace.failed(now_s, chance), reason

    def reached(self) -> bool:
        """It takes messages. Whether it could not be reached before."""
        was_lost = self.pace.failures > 0
        self.pace, self.reason = RESTED, None
        return was_lost

    def defer(self, uid: Uid, now_s: float, chance: float) -> None:
        """This message is tried again later; the others go on."""
        self.deferred[uid] = self.deferred.get(uid, RESTED).failed(now_s, chance)

    def broke_at(self, uid: Uid) -> bool:
        """The line broke at this message. Whether it did so often that the message may be the cause."""
        self.breaks[uid] += 1
        return self.is_blamed(uid)

    def is_blamed(self, uid: Uid) -> bool:
        """Whether the line broke at this message so often that it goes last."""
        return self.breaks.get(uid, 0) >= BREAKS

    def forget(self, uid: Uid) -> None:
        """It waits no more."""
        self.deferred.pop(uid, None)
        self.breaks.pop(uid, None)
        self.done.pop(uid, None)


class Lines:
    """How many lines are open. Relays that did not answer the last time have half of them, so that those that do never wait for them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: dict[bool, int] = {False: 0, True: 0}

    @property
    def used(self) -> Mapping[bool, int]:
        """By whether the relay did not answer the last time."""
        return self._used

    @property
    def is_scarce(self) -> bool:
        """Whether a line that is not needed should be given back."""
        return sum(self._used.values()) >= self._limit // 2

    def take(self, *, is_suspect: bool) -> bool:
        """One more is open, if there is one left."""
        if sum(self._used.values()) >= self._limit or (is_suspect and self._used[True] >= self._limit // 2):
            return False
        self._used[is_suspect] += 1
        return True

    def give(self, *, is_suspect: bool) -> None:
        """It is closed."""
        self._used[is_suspect] -= 1
