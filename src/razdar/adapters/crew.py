# SPDX-License-Identifier: AGPL-3.0-or-later
"""The crew as a thread pool with lanes before it. `cryptography` releases the interpreter lock inside Argon2, so two threads use two cores
(measured: 7.5 ms for one derivation alone, 3.9 ms each with two threads).

Lanes are served in turn, and when the queue is full the longest lane gives way: whoever floods from one network waits behind himself.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from razdar.ports.crew import CrewBusy

T = TypeVar("T")
Turn = asyncio.Future[None]


class ThreadCrew:
    """`at_once` threads; at most `waiting` pieces of work queue for them."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="razdar-crew")
        self._free = at_once
        self._limit = waiting
        self._waiting = 0
        self._busy = 0
        self._lanes: OrderedDict[bytes, deque[Turn]] = OrderedDict()

    @property
    def pending(self) -> int:
        """Work that waits or is being done."""
        return self._waiting + self._busy

    async def run(self, work: Callable[[], T], lane: bytes = b"") -> T:
        if not self._free:
            await self._queue(lane)
        else:
            self._free -= 1
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._busy -= 1
            self._next()

    async def _queue(self, lane: bytes) -> None:
        """Returns with a thread to use."""
        if self._waiting >= self._limit:
            self._make_room(lane)
        turn: Turn = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(lane, deque()).append(turn)
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None:  # the thread was ours already
                self._next()
            raise
        finally:
            self._leave(lane, turn)

    def _make_room(self, lane: bytes) -> None:
        """The newest of the longest lane gives way; to a lane that is as long it does not."""
        longest = max(self._lanes, key=lambda each: len(self._lanes[each]), default=lane)
        if len(self._lanes.get(longest, ())) <= len(self._lanes.get(lane, ())) + 1:
            raise CrewBusy
        turn = self._lanes[longest][-1]
        self._leave(longest, turn)
        if not turn.done():
            turn.set_exception(CrewBusy())

    def _leave(self, lane: bytes, turn: Turn) -> None:
        """It waits no more; nothing happens if it had left before."""
        turns = self._lanes.get(lane, ())
        if turn not in turns:
            return
        self._lanes[lane].remove(turn)
        self._waiting -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]

    def _next(self) -> None:
        """The thread goes to the lane whose turn it is, or is free. Whoever was cancelled just now is passed over."""
        while self._lanes:
            lane, turns = next(iter(self._lanes.items()))
            turn = turns[0]
            self._leave(lane, turn)
            if lane in self._lanes:
                self._lanes.move_to_end(lane)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def close(self) -> None:
        """Work that has begun is finished, the rest is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
