# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was done at the operator's console, by kind and hour: no address, no name, no word that somebody typed.

An entry holds the kind of action and, for settings, which one went from which value to which; these are the relay's own words. The hour is
the relay clock's. A log that cannot be read is an empty log.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from razdar.ports.clock import Clock

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done."""

    hour: int
    """Since 1970."""
    kind: str
    setting: str = ""
    before: str = ""
    after: str = ""


class ActionLog:
    """The last thousand."""

    def __init__(self, clock: Clock, kept: bytes, save: Callable[[bytes], Awaitable[None]]) -> None:
        """`kept`: what `save` was given last, empty if nothing."""
        self._clock = clock
        self._save = save
        self._entries = _read(kept)

    async def add(self, kind: str, setting: str = "", before: str = "", after: str = "") -> None:
        """It stands in the log and on disk."""
        self._entries = [*self._entries, Entry(self._clock.now() // 3600, kind, setting, before, after)][-KEPT:]
        lines = (json.dumps([each.hour, each.kind, each.setting, each.before, each.after]) for each in self._entries)
        await self._save("".join(f"{line}\n" for line in lines).encode())

    def latest(self, count: int = KEPT) -> Sequence[Entry]:
        """The newest first."""
        return self._entries[::-1][:count]


def _read(kept: bytes) -> Sequence[Entry]:
    try:
        rows = [json.loads(line) for line in kept.decode().splitlines()]
        return [Entry(int(hour), *map(str, words)) for hour, *words in rows]
    except (ValueError, TypeError):
        return []
