# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many connections other relays may have, at port 25 and with `/mxdeliv` together, so that one of them cannot shut the others out.

One network has a few places, all have many, and half of them are kept for networks that have brought proven mail since this relay started:
whoever comes from a thousand addresses to hold places finds the relays that we know still served.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable

KNOWN_MAX = 10_000


class PeerSlots:
    """Networks are opaque (servers/admission.py)."""

    def __init__(self, in_all: int, per_network: int, count: Callable[[str], None] = lambda _: None) -> None:
        """`count` hears that somebody was turned away, not who."""
        self._in_all = in_all
        self._per_network = per_network
        self._count = count
        self._taken: Counter[bytes] = Counter()
        self._strangers = 0
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        return self._taken.total()

    def enter(self, network: bytes) -> "PeerSlot | None":
        """A place, to be left once; None if there is none."""
        is_known = network in self._known
        if (
            self._taken[network] >= self._per_network
            or len(self) >= self._in_all
            or (not is_known and self._strangers >= self._in_all // 2)
        ):
            self._count("peer.refused")
            return None
        self._taken[network] += 1
        self._strangers += not is_known
        return PeerSlot(self, network, is_known)

    def proved(self, network: bytes) -> None:
        """Something proven came from there; its next connections find a place."""
        self._known[network] = None
        self._known.move_to_end(network)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def _leave(self, network: bytes, *, is_known: bool) -> None:
        self._taken[network] -= 1
        self._strangers -= not is_known
        if not self._taken[network]:
            del self._taken[network]


class PeerSlot:
    """One place."""

    __slots__ = ("_is_known", "_is_left", "_network", "_slots")

    def __init__(self, slots: PeerSlots, network: bytes, is_known: bool) -> None:
        self._slots = slots
        self._network = network
        self._is_known = is_known
        self._is_left = False

    def proved(self) -> None:
        """Proven mail came through it."""
        self._slots.proved(self._network)

    def leave(self) -> None:
        """The place is free; may be called again."""
        if not self._is_left:
            self._is_left = True
            self._slots._leave(self._network, is_known=self._is_known)
