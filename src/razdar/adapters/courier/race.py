# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several ways to the same place, tried one after the other without waiting for the slow ones to fail (after RFC 8305, happy eyeballs).

The order is a preference: the next begins when the one before has failed, or has taken longer than its head start. Whoever arrives first
wins and the others are called back.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, Self, TypeVar

from razdar.ports.courier import Reason, Unreachable

TELLING = (
    Reason.OURSELVES,
    Reason.NOT_TRUSTED,
    Reason.NO_TLS,
    Reason.TOO_BUSY,
    Reason.BROKEN_OFF,
    Reason.NOT_CONNECTED,
    Reason.NO_ROUTE,
    Reason.NO_SUCH_DOMAIN,
    Reason.NO_MAIL_HERE,
)
"""The reason that says most, of several; somebody who answers is more than nobody."""


class Arrival(Protocol):
    """Whatever is at the end of a way."""

    def abort(self) -> None: ...


T = TypeVar("T", bound=Arrival)
Attempt = tuple[float, Callable[[], Awaitable[T]]]
"""How long (seconds) the attempts before it have for themselves, and the attempt, which raises Unreachable."""


class Race:
    """Collects who is on the way, so that nobody is forgotten."""

    def __init__(self) -> None:
        self._running: list[asyncio.Future[Arrival]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        for result in await asyncio.gather(*self._running, return_exceptions=True):
            if not isinstance(result, BaseException):
                result.abort()

    def start(self, attempt: Callable[[], Awaitable[Arrival]]) -> None:
        self._running.append(asyncio.ensure_future(attempt()))

    async def next(self, patience_s: float | None) -> tuple[Arrival | None, list[Reason]]:
        """The first arrival, if there is one by now, and why others failed meanwhile."""
        if not self._running:
            return None, []
        await asyncio.wait(self._running, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        reasons: list[Reason] = []
        for task in [each for each in self._running if each.done()]:
            self._running.remove(task)
            error = task.exception()
            if error is None:
                return task.result(), reasons
            if not isinstance(error, Unreachable):
                raise error
            reasons.append(error.reason)
        return None, reasons

    @property
    def is_running(self) -> bool:
        return bool(self._running)


async def first(attempts: Sequence[Attempt[T]]) -> T:
    """The first that arrives. Unreachable, with the most telling reason, if none does."""
    waiting, reasons = deque(attempts), list[Reason]()
    async with Race() as race:
        while waiting or race.is_running:
            if waiting:
                race.start(waiting.popleft()[1])
            arrived, failed = await race.next(waiting[0][0] if waiting else None)
            if arrived is not None:
                return arrived  # type: ignore[return-value]  # it came out of one of `attempts`
            reasons += failed
    raise Unreachable(most_telling(reasons))


def most_telling(reasons: Sequence[Reason]) -> Reason:
    """NOT_CONNECTED if there is none."""
    return min(reasons, key=TELLING.index, default=Reason.NOT_CONNECTED)
