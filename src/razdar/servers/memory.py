# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much memory messages on their way may take, in all: in, until they are handed over, and out, until they are read.

Small messages have a part of it that large ones cannot take, so that a day of many videos does not stop the chats. What a connection
holds is counted as it comes; whoever asks for more than there is waits or is sent away, by the caller.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

LIMIT_BYTES = 268_435_456
"""Default for the settings' `memory_bytes`."""
SMALL_BYTES = 65_536
"""A message of text with its signature has 3 to 10 kB, one with a small picture 40."""
LARGE_SHARE = 0.75
"""Part of the whole that messages above that may fill."""


class MemoryBudget:
    """Bytes that are promised to connections."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self.used_bytes = 0
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    def resize(self, held_bytes: int, wanted_bytes: int) -> bool:
        """A holder of `held_bytes` has `wanted_bytes` from now on. False: there is no room for more, and nothing has changed."""
        grown = wanted_bytes - held_bytes
        if grown > 0 and self.used_bytes + grown > self._limit_bytes * (1.0 if wanted_bytes <= SMALL_BYTES else LARGE_SHARE):
            return False
        self.used_bytes += grown
        if grown < 0:
            self._wake()
        return True

    async def wait(self, held_bytes: int, wanted_bytes: int, patience_s: float) -> bool:
        """As `resize`, in the order of asking, but there are `patience_s` until it says False."""
        if (wanted_bytes <= SMALL_BYTES or not self._waiting) and self.resize(held_bytes, wanted_bytes):
            return True
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    await turn
                    if self.resize(held_bytes, wanted_bytes):
                        return True
                    del self._waiting[turn]
                    turn = asyncio.get_running_loop().create_future()
                    self._waiting[turn] = None
                    self._waiting.move_to_end(turn, last=False)
        except TimeoutError:
            return False
        finally:
            del self._waiting[turn]
            self._wake()

    def _wake(self) -> None:
        """The first in the queue looks again."""
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
            return


class Holding:
    """What one connection has of a budget."""

    __slots__ = ("_budget", "size_bytes")

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self.size_bytes = 0

    def count(self, size_bytes: int) -> bool:
        """So much is held from now on. False: there is no room for more, and nothing has changed."""
        if not self._budget.resize(self.size_bytes, size_bytes):
            return False
        self.size_bytes = size_bytes
        return True

    def reserve(self, size_bytes: int) -> bool:
        """Whether there is memory for so much; if so it counts, until the next `count`."""
        return self.count(max(size_bytes, self.size_bytes))

    async def wait(self, size_bytes: int, patience_s: float) -> bool:
        """As `reserve`, with so much patience."""
        wanted_bytes = max(size_bytes, self.size_bytes)
        if not await self._budget.wait(self.size_bytes, wanted_bytes, patience_s):
            return False
        self.size_bytes = wanted_bytes
        return True


class Transfers:
    """Large messages on their way out, whole in memory until the peer has read them, however slowly.

    When there is no room the account that holds most gives way, the transfer that began first; whoever asks for as much as that is asked to
    come again. So nobody can stop the others from reading their files by not reading his own.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._by_account: dict[bytes, OrderedDict[Callable[[], None], int]] = {}
        self.used_bytes = 0

    def begin(self, account: bytes, size_bytes: int, stop: Callable[[], None]) -> bool:
        """Whether the message may be loaded. `stop` names the transfer, ends it if need be, and leads to `end`."""
        wanted_bytes = self._held_by(account) + size_bytes
        while self.used_bytes + size_bytes > self._limit_bytes:
            largest = max(self._by_account, key=self._held_by, default=account)
            if self._held_by(largest) <= wanted_bytes:
                return False
            victim = next(iter(self._by_account[largest]))
            self.end(largest, victim)
            victim()
        transfers = self._by_account.setdefault(account, OrderedDict())
        transfers[stop] = transfers.get(stop, 0) + size_bytes
        self.used_bytes += size_bytes
        return True

    def end(self, account: bytes, stop: Callable[[], None]) -> None:
        """The peer has read it, or has gone. Nothing happens if it ended before."""
        transfers = self._by_account.get(account, OrderedDict())
        self.used_bytes -= transfers.pop(stop, 0)
        if not transfers:
            self._by_account.pop(account, None)

    def _held_by(self, account: bytes) -> int:
        return sum(self._by_account.get(account, {}).values())
