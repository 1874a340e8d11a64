# SPDX-License-Identifier: AGPL-3.0-or-later
"""Time and randomness are passed in, never reached for."""

from typing import Protocol


class Clock(Protocol):
    """Two clocks: the wall's, which may be wrong, and one that only goes forward."""

    def now(self) -> int:
        """Unix seconds, UTC. For internal dates and headers only; nothing is ever deleted by it."""

    def monotonic(self) -> float:
        """Seconds that only go forward, from an arbitrary start. For rates, timeouts and relay days."""


class Entropy(Protocol):
    """Unpredictable bytes."""

    def __call__(self, count: int, /) -> bytes:
        """`count` random bytes, fit for keys."""
