# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may have a connection: decided when it is accepted, before any work is done for it, so that nobody can lock the others out.

A connection is a stranger's until somebody has logged in on it, or until it turns out to be a visit of the pages. Strangers are bounded by
network and in all; people who are logged in only by account and in all, so that a school behind one address finds room. When strangers are
too many, the one who was there longest goes if he had time enough to log in, else the newest is sent away: that keeps out whoever holds
connections without using them, and lets those finish who are about to log in when a whole town comes back after a cut.

The address is turned into a keyed hash of its network at once and forgotten; key and hashes live in RAM only.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b

PATIENCE_S = 15.0
"""TLS and a login on a line throttled to 1 kB/s take about 8 s."""
NETWORK_BYTES = {4: 4, 6: 8}
"""An IPv4 address stands for itself, of IPv6 the /64 that one customer has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Numbers of connections at the same time."""

    connections: int = 20_000
    strangers: int = 5_000
    strangers_per_network: int = 256
    visitors: int = 1_000
    visitors_per_network: int = 100
    per_account: int = 64


class _Kind(Enum):
    STRANGER = auto()
    VISITOR = auto()
    MEMBER = auto()
    GONE = auto()


class Ticket:
    """One connection's right to be there. `network` is opaque; equal for connections from one network."""

    __slots__ = ("_admission", "_drop", "_key", "_kind", "began_s", "network")

    def __init__(self, admission: "Admission", network: bytes, began_s: float, drop: Callable[[], None]) -> None:
        self._admission = admission
        self._drop = drop
        self._kind = _Kind.STRANGER
        self._key = self.network = network
        self.began_s = began_s

    @property
    def is_stranger(self) -> bool:
        return self._kind is _Kind.STRANGER

    def log_in(self, account: bytes) -> None:
        """From now on it counts for the account, whose oldest connection goes if these are too many."""
        if self.is_stranger:
            self._admission.move(self, _Kind.MEMBER, account)

    def visit(self) -> bool:
        """It is a visit of the pages. False: there are too many, from this network or in all."""
        return self.is_stranger and self._admission.move(self, _Kind.VISITOR, self.network)

    def leave(self) -> None:
        """The connection is gone. May be called again."""
        if self._kind is not _Kind.GONE:
            self._admission.move(self, _Kind.GONE, b"")


class _Group:
    """Tickets of one kind in the order of their arrival, and by key."""

    def __init__(self, limit: int, limit_per_key: int) -> None:
        self.limit = limit
        self.limit_per_key = limit_per_key
        self.all: OrderedDict[Ticket, None] = OrderedDict()
        self.by_key: dict[bytes, OrderedDict[Ticket, None]] = {}

    def add(self, ticket: Ticket, key: bytes) -> None:
        self.all[ticket] = None
        self.by_key.setdefault(key, OrderedDict())[ticket] = None

    def remove(self, ticket: Ticket, key: bytes) -> None:
        del self.all[ticket]
        of_key = self.by_key[key]
        del of_key[ticket]
        if not of_key:
            del self.by_key[key]

    def in_the_way(self, key: bytes) -> Ticket | None:
        """The oldest ticket of the bound that one more would break."""
        of_key = self.by_key.get(key)
        if of_key is not None and len(of_key) >= self.limit_per_key:
            return next(iter(of_key))
        return self.oldest() if len(self.all) >= self.limit else None

    def oldest(self) -> Ticket | None:
        return next(iter(self.all), None)


class Admission:
    """All tickets."""

    def __init__(
        self, limits: AdmissionLimits, boot_key: bytes, monotonic: Callable[[], float], count: Callable[[str], None] = lambda _: None
    ) -> None:
        """`count` hears what was done to whom: the kind of event and nothing else."""
        self.limits = limits
        self._count = count
        self._boot_key = boot_key
        self._monotonic = monotonic
        self._groups = {
            _Kind.STRANGER: _Group(limits.strangers, limits.strangers_per_network),
            _Kind.VISITOR: _Group(limits.visitors, limits.visitors_per_network),
            _Kind.MEMBER: _Group(limits.connections, limits.per_account),
        }

    def __len__(self) -> int:
        return sum(len(group.all) for group in self._groups.values())

    @property
    def members(self) -> int:
        """Connections on which somebody is logged in."""
        return len(self._groups[_Kind.MEMBER].all)

    def enter(self, address: str, drop: Callable[[], None]) -> Ticket | None:
        """A stranger's ticket, or None: there is no room. `drop` ends the connection, now or later, and leads to `leave`."""
        network, now_s = self.network_of(address), self._monotonic()
        strangers = self._groups[_Kind.STRANGER]
        while self._is_full(strangers) or strangers.in_the_way(network) is not None:
            oldest = strangers.in_the_way(network) or strangers.oldest()
            if oldest is None or now_s - oldest.began_s < PATIENCE_S:
                self._count("connection.refused")
                return None
            self._send_away(oldest)
        ticket = Ticket(self, network, now_s, drop)
        strangers.add(ticket, network)
        return ticket

    def _is_full(self, strangers: _Group) -> bool:
        return len(strangers.all) + self.members >= self.limits.connections

    def move(self, ticket: Ticket, kind: _Kind, key: bytes) -> bool:
        """For tickets only. False: there was no room for another visitor."""
        group = self._groups.get(kind)
        while group is not None and (oldest := group.in_the_way(key)) is not None:
            if kind is _Kind.VISITOR and self._monotonic() - oldest.began_s < PATIENCE_S:
                self._count("visit.refused")
                return False
            self._send_away(oldest)
        self._groups[ticket._kind].remove(ticket, ticket._key)
        ticket._kind, ticket._key = kind, key
        if group is not None:
            group.add(ticket, key)
        return True

    def _send_away(self, ticket: Ticket) -> None:
        ticket.leave()
        self._count("connection.gave_way")
        ticket._drop()

    def network_of(self, address: str) -> bytes:
        """A keyed hash of the network that `address` lies in."""
        parsed = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        network = parsed.packed[: NETWORK_BYTES[parsed.version]]
        return blake2b(network, key=self._boot_key, person=b"razdar network", digest_size=16).digest()
