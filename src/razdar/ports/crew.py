# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work that is slow for the processor (Argon2, sealing a large audience, encrypting a large body), kept off the event loop."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class CrewBusy(Exception):  # noqa: N818 - a state of the crew, named like one
    """Too much of it is waiting already; the caller asks its peer to come again."""


class Crew(Protocol):
    """A few threads and a bounded queue before them."""

    async def run(self, work: Callable[[], T], lane: bytes = b"") -> T:
        """What `work()` returned, or whatever it raised. Those who wait in different lanes take turns.

        Raises `CrewBusy` at once when the queue is full and this lane is as long as any, or later, for the sake of a shorter lane.
        """
