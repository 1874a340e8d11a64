"""How much memory messages on their way may take, in all: what a connection receives and has not handed over yet.

Small messages have a part of it that large ones cannot take, so that a day of many videos does not stop the chats. What a connection
holds is counted as it comes; whoever asks for more than there is waits or is sent away, by the caller.
"""

import asyncio
from collections import OrderedDict

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
