# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a relay is well, from signs that it sees in itself, and what an hour was like in one word.

A finding that is grave makes the relay `degraded`: somebody notices it. The others are for the operator to know in time. `down` is never
seen from inside; it is what nobody measured. Each finding has words for people, with what to do, in the pages' texts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["well", "degraded", "down", "unknown"]
STATES: Sequence[State] = ("well", "degraded", "down", "unknown")

CERTIFICATE_SOON_DAYS = 14
"""Renewal tools begin 30 days ahead; with 14 left they have failed several times."""
DISK_SOON_DAYS = 21
CROWDED = 0.8
STUCK_S = 4 * 3600
"""Where ages are known in relay days only, that is a day."""
HOUR_DOWN_MINUTES, HOUR_DEGRADED_MINUTES = 10, 10
"""An hour with less of it counts as well: a restart is no failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the relay sees of itself at this moment."""

    is_disk_full: bool = False
    disk_days_left: int | None = None
    memory_days_left: int | None = None
    certificate_days: int = 10_000
    """Until it ends; negative: it has."""
    is_self_signed: bool = False
    """Clients accept such a certificate whatever its date."""
    logins_waiting: int = 0
    logins_room: int = 1
    """How many logins may wait."""
    turned_away: int = 0
    """Connections refused for want of room since the last look."""
    bugs: int = 0
    """In the last hours."""
    oldest_peer_s: int = 0
    """How long the oldest message for another relay waits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know; `key` names its words."""

    key: str
    is_grave: bool


def findings(signs: Signs) -> Sequence[Finding]:
    """The worst first; empty if all is well."""
    return [*_grave(signs), *_ahead(signs)]


def _grave(signs: Signs) -> Iterator[Finding]:
    if signs.is_disk_full:
        yield Finding("disk_full", True)
    if signs.certificate_days < 0 and not signs.is_self_signed:
        yield Finding("certificate_over", True)
    if signs.logins_waiting >= CROWDED * signs.logins_room:
        yield Finding("logins_crowded", True)
    if signs.oldest_peer_s >= STUCK_S:
        yield Finding("peers_stuck", True)


def _ahead(signs: Signs) -> Iterator[Finding]:
    if 0 <= signs.certificate_days < CERTIFICATE_SOON_DAYS and not signs.is_self_signed:
        yield Finding("certificate_soon", False)
    if signs.disk_days_left is not None and signs.disk_days_left <= DISK_SOON_DAYS and not signs.is_disk_full:
        yield Finding("disk_soon", False)
    if signs.memory_days_left is not None and signs.memory_days_left <= DISK_SOON_DAYS:
        yield Finding("memory_soon", False)
    if signs.turned_away:  # one network that asks for too much is turned away, too: that is the relay doing well
        yield Finding("no_room", False)
    if signs.bugs:
        yield Finding("bugs", False)


def state_of(found: Sequence[Finding]) -> State:
    """In one word."""
    return "degraded" if any(finding.is_grave for finding in found) else "well"


def hour_in_a_word(well: int, degraded: int, down: int) -> State:
    """From the minutes of each; `unknown` if nothing was measured."""
    if down >= HOUR_DOWN_MINUTES:
        return "down"
    if degraded >= HOUR_DEGRADED_MINUTES:
        return "degraded"
    return "well" if well + degraded + down else "unknown"


def worst(states: Sequence[State]) -> State:
    """Of a day: what was not measured counts only if nothing was."""
    return next((state for state in ("down", "degraded", "well") if state in states), "unknown")
