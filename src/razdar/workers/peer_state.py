# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator sees of the relays that mail waits for: how much, since when, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from razdar.ports.courier import Reason
from razdar.workers.peer import Peer


@dataclass(frozen=True, slots=True)
class PeerState:
    """Of one other relay."""

    name: str
    waiting: int
    oldest_days: int
    """Relay days."""
    reason: Reason | None
    next_try_s: float | None
    """None: it is being tried at this moment."""


def states_of(peers: Iterable[Peer], today: int, now_s: float) -> list[PeerState]:
    """Those that something waits for, the one that waits longest first."""
    states = (_state(peer, today, now_s) for peer in peers if peer.folder.waiting)
    return sorted(states, key=lambda state: (-state.oldest_days, -state.waiting, state.name))


def _state(peer: Peer, today: int, now_s: float) -> PeerState:
    wait_s = None if peer.is_working else max(0.0, peer.send_s() - now_s)
    return PeerState(peer.folder.domain, peer.folder.waiting, today - peer.oldest_day, peer.reason, wait_s)


def shown(states: Sequence[PeerState]) -> list[dict[str, object]]:
    """For the control socket."""
    return [
        {
            "relay": state.name,
            "waiting": state.waiting,
            "oldest_days": state.oldest_days,
            "reason": state.reason.value if state.reason is not None else None,
            "next_try_seconds": None if state.next_try_s is None else round(state.next_try_s),
        }
        for state in states
    ]
