# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was learnt about hosts: which of the two ways works, how much they take over HTTPS, which addresses were dead a moment ago.

In RAM, bounded, and forgotten after a while, because hosts change. It only orders and spares attempts: nothing that is remembered makes
a host unreachable, so that whoever hears of a sign of life may try at once.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from razdar.ports.clock import Clock

ENTRIES_MAX = 10_000
UNSUPPORTED_S = 1_800.0
"""A host without `/mxdeliv` gets it some day; other relays ask again after half an hour, too."""
BROKEN_S = 300.0
SIZE_S = 86_400.0
DEAD_S = 60.0

V = TypeVar("V")


class _Fading(Generic[V]):
    """A bounded dictionary whose entries end by themselves; the oldest gives way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: str, value: V, seconds: float) -> None:
        self._entries[key] = (self._clock.monotonic() + seconds, value)
        self._entries.move_to_end(key)
        if len(self._entries) > ENTRIES_MAX:
            self._entries.popitem(last=False)

    def get(self, key: str) -> V | None:
        until, value = self._entries.get(key, (0.0, None))
        if value is not None and until <= self._clock.monotonic():
            del self._entries[key]
            return None
        return value

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)


class Memory:
    """Of all hosts."""

    def __init__(self, clock: Clock) -> None:
        self._avoided: _Fading[bool] = _Fading(clock)
        self._limits: _Fading[int] = _Fading(clock)
        self._dead: _Fading[bool] = _Fading(clock)

    def avoid_https(self, host: str, seconds: float) -> None:
        """SMTP comes first there for so long."""
        self._avoided.put(host, True, seconds)

    def favour_https(self, host: str) -> None:
        """As if nothing had been learnt: it worked, or SMTP did not."""
        self._avoided.drop(host)

    def avoids_https(self, host: str) -> bool:
        return self._avoided.get(host) is not None

    def too_big(self, host: str, size_bytes: int) -> None:
        """A body of this size was refused there over HTTPS."""
        known = self._limits.get(host)
        self._limits.put(host, min(size_bytes, known or size_bytes), SIZE_S)

    def fits(self, host: str, size_bytes: int) -> bool:
        limit = self._limits.get(host)
        return limit is None or size_bytes < limit

    def dead(self, place: str) -> None:
        """Nobody answered there. A place is an address, a blank and a port."""
        self._dead.put(place, True, DEAD_S)

    def alive(self, place: str) -> None:
        self._dead.drop(place)

    def sorted(self, addresses: tuple[str, ...], port: int) -> list[str]:
        """The dead ones last; none is left out."""
        return sorted(addresses, key=lambda each: self._dead.get(f"{each} {port}") is not None)
