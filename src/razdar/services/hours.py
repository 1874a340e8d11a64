# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of each hour, and the book of hours as bytes for a file.

An hour holds totals that have been rounded already (policy/totals.py); nothing finer is ever written down. A book that cannot be read is an
empty book: charts are not worth a relay that does not start.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from razdar.policy.health import STATES, State

HOUR_S = 3600
HOURS_KEPT = 32 * 24
DAYS_KEPT = 90
MIB = 1_048_576
_FORMAT = 1
_LETTERS: Mapping[str, State] = {"w": "well", "g": "degraded", "d": "down", "u": "unknown"}
_LETTER_OF = {state: letter for letter, state in _LETTERS.items()}
assert set(_LETTER_OF) == set(STATES)


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour's totals, rounded. None: there are too few people to keep it. Sizes in MiB; -1: not known."""

    hour: int
    """Hours since 1970, UTC, by the relay's own clock."""
    connections: int | None = None
    """The most at one moment."""
    accepted: int | None = None
    delivered: int | None = None
    refused: Mapping[str, int] | None = None
    """By reason."""
    waiting: int | None = None
    """Messages for other relays, the most at one moment."""
    attacks: Mapping[str, int] = field(default_factory=dict)
    disk_free: int = -1
    store: int = -1
    memory: int = -1
    memory_free: int = -1


@dataclass(slots=True)
class Book:
    """All hours, and in one word how each of the last ninety days' hours was."""

    hours: dict[int, Hour] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    seen: int = 0
    """Unix seconds at which the relay was last known to run; 0: never. By its own clock."""
    seconds: tuple[int, int, int] = (0, 0, 0)
    """Of the hour in which it was seen: well, degraded, down."""

    def forget_old(self, hour: int) -> None:
        """Before `hour`, what had its time goes. What lies after it stays: perhaps it is the clock that is wrong."""
        for old in [each for each in self.hours if each <= hour - HOURS_KEPT]:
            del self.hours[old]
        for old in [each for each in self.states if each <= hour - DAYS_KEPT * 24]:
            del self.states[old]

    def pack(self) -> bytes:
        hours = [_row(each) for _, each in sorted(self.hours.items())]
        days: dict[int, list[str]] = {}
        for hour, state in sorted(self.states.items()):
            days.setdefault(hour // 24, ["u"] * 24)[hour % 24] = _LETTER_OF[state]
        states = {str(day): "".join(letters) for day, letters in days.items()}
        return json.dumps(
            {"format": _FORMAT, "seen": self.seen, "seconds": self.seconds, "states": states, "hours": hours}, separators=(",", ":")
        ).encode()


def unpack(content: bytes) -> Book:
    """The book that was packed; an empty one if this is none."""
    try:
        return _read(json.loads(content))
    except (ValueError, TypeError, KeyError, LookupError, AttributeError):
        return Book()


def _read(kept: Any) -> Book:
    if kept["format"] != _FORMAT:
        raise ValueError(kept["format"])
    well, degraded, down = map(int, kept["seconds"])
    states = {
        int(day) * 24 + number: _LETTERS[letter] for day, letters in kept["states"].items() for number, letter in enumerate(letters[:24])
    }
    hours = [Hour(*row) for row in kept["hours"]]
    known: dict[int, State] = {hour: state for hour, state in states.items() if state != "unknown"}
    return Book({each.hour: each for each in hours}, known, int(kept["seen"]), (well, degraded, down))


def _row(hour: Hour) -> Sequence[object]:
    people = (hour.connections, hour.accepted, hour.delivered, hour.refused, hour.waiting)
    return (hour.hour, *people, hour.attacks, hour.disk_free, hour.store, hour.memory, hour.memory_free)
