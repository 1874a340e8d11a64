# SPDX-License-Identifier: AGPL-3.0-or-later
"""Relay days: the only time by which anything is ever deleted.

A stored counter goes up by one after each 24 hours of running, measured on the monotonic clock. A wall clock that is a year wrong deletes
nothing, and time during which the relay stood still does not count: a process that was stopped, a virtual machine that was paused while its
clock went on, a cut that the operator told of (setting `days_stand_still`). How far the present day has come is stored every ten minutes,
so that a laptop that is switched off every evening has days too; at most that much of a day is lost at a restart.
"""

from collections.abc import Callable

from razdar.ports.clock import Clock
from razdar.ports.store import Store

DAY_S = 86_400.0
GAP_S = 600.0
"""Of a longer silence between two ticks only so much counts: it was not the relay that ran."""
NOTED_MINUTES = 10


def _never() -> bool:
    return False


class Calendar:
    """Knows the relay day and takes it forward."""

    def __init__(self, store: Store, clock: Clock, day: int, minutes: int = 0, is_standing: Callable[[], bool] = _never) -> None:
        """`minutes` of the day have passed already. While `is_standing()`, the days stand still."""
        self._store = store
        self._clock = clock
        self._is_standing = is_standing
        self._ticked_s = clock.monotonic()
        self._ran_s = minutes * 60.0
        self._noted_minutes = minutes
        self.day = day
        """The relay day now."""

    async def tick(self) -> bool:
        """Called every few minutes. True if a new day began; what had its time is gone then."""
        now_s = self._clock.monotonic()
        passed_s, self._ticked_s = now_s - self._ticked_s, now_s
        if self._is_standing():
            return False
        self._ran_s += min(passed_s, GAP_S)
        if self._ran_s < DAY_S:
            await self._note()
            return False
        self._ran_s -= DAY_S
        self._noted_minutes = 0
        self.day = await self._store.next_day()
        await self._store.expire()
        return True

    async def _note(self) -> None:
        minutes = int(self._ran_s // 60)
        if minutes >= self._noted_minutes + NOTED_MINUTES:
            await self._store.note_minutes(minutes)
            self._noted_minutes = minutes
