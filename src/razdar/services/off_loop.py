# SPDX-License-Identifier: AGPL-3.0-or-later
"""Work whose time grows with what it is done on: a little of it is done on the spot, much of it by the crew, off the event loop.

Handing work to a thread costs more than a little of it takes, and much of it would hold up everybody else. Where the line is, the caller
says who knows what a piece costs.
"""

from collections.abc import Callable
from typing import TypeVar

from razdar.ports.crew import Crew

T = TypeVar("T")
INLINE_BYTES = 262_144
"""For a look at a message: the gate takes 1.2 ms for 200 kB and 60 ms for 10 MB (docs/encryption-policy.md)."""


async def off_loop(crew: Crew, work: Callable[[], T], amount: int, inline: int = INLINE_BYTES) -> T:
    """What `work()` returned, or whatever it raised. Up to an `amount` of `inline` nothing else happens meanwhile.

    Raises `CrewBusy`, if it is more.
    """
    return work() if amount <= inline else await crew.run(work)
