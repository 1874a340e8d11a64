# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much memory messages take that are on their way to other relays.

A film to a host that reads a few bytes a minute is there for hours, so short messages have a part that large ones cannot take.
"""

import asyncio

LARGE_BYTES = 262_144
LARGE_SHARE = 0.75
"""Part of the memory that large messages may take, so that short ones find room beside however slow films."""
COPIES = 4
"""What a message takes while it is on its way: as it lay there, opened, without its envelope, as it is written."""


class Memory:
    """How many bytes of messages are on their way, in all. One large one of any size is when no other is, and short ones beside it."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._small_bytes = min(COPIES * LARGE_BYTES, limit_bytes // 16)
        self._used_bytes = 0
        self._large_bytes = 0
        self._changed = asyncio.Condition()

    async def take(self, size_bytes: int) -> None:
        """Returns when there is room, which counts as taken."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_room(size_bytes))
            self._count(size_bytes)

    async def give(self, size_bytes: int) -> None:
        async with self._changed:
            self._count(-size_bytes)
            self._changed.notify_all()

    def _has_room(self, size_bytes: int) -> bool:
        if size_bytes <= self._small_bytes:
            return self._used_bytes + size_bytes <= max(self._limit_bytes, self._large_bytes + self._limit_bytes * (1 - LARGE_SHARE))
        return not self._large_bytes or self._large_bytes + size_bytes <= self._limit_bytes * LARGE_SHARE

    def _count(self, size_bytes: int) -> None:
        self._used_bytes += size_bytes
        if abs(size_bytes) > self._small_bytes:
            self._large_bytes += size_bytes
