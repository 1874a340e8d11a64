"""Relay days: the only time by which anything is ever deleted.

A stored counter goes up by one after each 24 hours of running, measured on the monotonic clock. A wall clock that is a year wrong deletes
nothing, and time during which the relay stood still does not count: a cut, a process that was stopped, a virtual machine that was paused
while its clock went on. The hours already run of the present day are lost at a restart, so a relay that restarts often keeps mail a little
longer than promised, never shorter.
"""

from razdar.ports.clock import Clock
from razdar.ports.store import Store

DAY_S = 86_400.0
GAP_S = 600.0
"""Of a longer silence between two ticks only so much counts: it was not the relay that ran."""


class Calendar:
    """Knows the relay day and takes it forward."""

    def __init__(self, store: Store, clock: Clock, day: int) -> None:
        self._store = store
        self._clock = clock
        self._ticked_s = clock.monotonic()
        self._ran_s = 0.0
        self.day = day
        """The relay day now."""
        self.is_standing = False
        """A cut that we noticed or were told of: the days stand still while this is set."""

    async def tick(self) -> bool:
        """Called every few minutes. True if a new day began; what had its time is gone then."""
        now_s = self._clock.monotonic()
        passed_s, self._ticked_s = now_s - self._ticked_s, now_s
        if self.is_standing:
            return False
        self._ran_s += min(passed_s, GAP_S)
        if self._ran_s < DAY_S:
            return False
        self._ran_s -= DAY_S
        self.day = await self._store.next_day()
        await self._store.expire()
        return True
