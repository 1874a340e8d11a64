"""Relay days: the only time by which anything is ever deleted.

A stored counter goes up by one after each 24 hours of running, measured on the monotonic clock. A wall clock that is a year wrong deletes
nothing, and days during which the relay stood still do not count. The hours already run of the present day are lost at a restart, so a
relay that restarts often keeps mail a little longer than promised, never shorter.
"""

from razdar.ports.clock import Clock
from razdar.ports.store import Store

DAY_S = 86_400.0


class Calendar:
    """Knows the relay day and takes it forward."""

    def __init__(self, store: Store, clock: Clock, day: int) -> None:
        self._store = store
        self._clock = clock
        self._began = clock.monotonic()
        self.day = day
        """The relay day now."""
        self.is_standing = False
        """A cut that we noticed or were told of: the days stand still while this is set."""

    async def tick(self) -> bool:
        """Called every few minutes. True if a new day began; what had its time is gone then."""
        if self.is_standing:
            self._began = self._clock.monotonic()
            return False
        if self._clock.monotonic() - self._began < DAY_S:
            return False
        self._began += DAY_S
        self.day = await self._store.next_day()
        await self._store.expire()
        return True
