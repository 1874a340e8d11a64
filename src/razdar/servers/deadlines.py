# SPDX-License-Identifier: AGPL-3.0-or-later
"""The clock of one connection: silence, the time to log in, and the moment that a last word has to leave.

One timer at a time. It wakes about once a minute, so that an idle connection costs next to nothing; nothing here is exact to the second.
"""

import asyncio
from collections.abc import Callable

from razdar.servers.registry import ConnectionLimits

TICK_S = 60.0
EARLY_S = 0.02
"""A timer of uvloop counts whole milliseconds from the last round of its loop, so it may wake us a little before its time."""


class Deadlines:
    """Begins with the connection and ends with it."""

    __slots__ = ("_began", "_cutoff", "_heard", "_limits", "_timer", "_unsent_bytes", "is_late")

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._began = self._heard = 0.0
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._cutoff: asyncio.TimerHandle | None = None
        self.is_late = False
        """At the last look the time to log in was over."""

    def begin(self, look: Callable[[], None]) -> None:
        """`look` is called at the first moment at which something may be over."""
        loop = asyncio.get_running_loop()
        self._began = self._heard = loop.time()
        self._timer = loop.call_later(min(TICK_S, self._limits.login_s, self._limits.idle_s), look)

    def again(self, look: Callable[[], None]) -> None:
        """The next look."""
        self._timer = asyncio.get_running_loop().call_later(min(TICK_S, self._limits.idle_s), look)

    def heard(self) -> None:
        """The peer said something."""
        self._heard = asyncio.get_running_loop().time()

    def took(self, unsent_bytes: int) -> None:
        """So much waits for the peer; whoever reads, however slowly, is not idle."""
        if unsent_bytes != self._unsent_bytes:
            self._unsent_bytes = unsent_bytes
            self.heard()

    def look(self, *, is_logged_in: bool) -> bool:
        """Whether the peer was silent for too long. `is_late` says from now on whether it should have logged in by now."""
        now = asyncio.get_running_loop().time() + EARLY_S
        self.is_late = not is_logged_in and now - self._began >= self._limits.login_s
        return now - self._heard >= self._limits.idle_s

    def end_soon(self, abort: Callable[[], None]) -> None:
        """However slowly the peer reads our last word, it has a moment for that and no more."""
        if self._cutoff is None:
            self._cutoff = asyncio.get_running_loop().call_later(self._limits.linger_s, abort)

    def stop(self) -> None:
        """The connection is gone."""
        for timer in (self._timer, self._cutoff):
            if timer is not None:
                timer.cancel()
