# SPDX-License-Identifier: AGPL-3.0-or-later
"""All live mail connections, and the bounds that each of them has.

Their number is bounded here as the last resort; who may come in at all is decided earlier (admission.py).
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from razdar.servers.memory import MemoryBudget, Transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Bounds of one connection, whatever it speaks."""

    login_s: float = 60.0
    """Time to log in, the TLS handshake included."""
    idle_s: float = 1800.0
    """A connection that says nothing for so long is closed."""
    linger_s: float = 5.0
    """However slowly the peer reads our last word, it has so long for that."""
    ahead_bytes: int = 262_144
    """Pipelined input beyond this waits in the kernel, output beyond this in the engine and the handler."""


class Leaving(Protocol):
    """What the end of the relay asks of a connection."""

    def say_goodbye(self) -> None: ...
    def abort(self) -> None: ...


class Registry:
    """All live connections, so that their number is bounded and they can be ended together."""

    def __init__(self, limit: int, memory: MemoryBudget | None = None, transfers: Transfers | None = None) -> None:
        self.limit = limit
        self.memory = memory or MemoryBudget()
        self.transfers = transfers or Transfers()
        self.live: set[Leaving] = set()
        self.refused = 0
        self._emptied = asyncio.Event()

    def admit(self, connection: Leaving) -> bool:
        if len(self.live) >= self.limit:
            self.refused += 1
            return False
        self.live.add(connection)
        return True

    def dismiss(self, connection: Leaving) -> None:
        """The connection is gone."""
        self.live.discard(connection)
        if not self.live:
            self._emptied.set()

    async def empty(self) -> None:
        """Returns when no connection is left. For the end of the relay, when no new ones are admitted."""
        self._emptied.clear()
        if self.live:
            await self._emptied.wait()
