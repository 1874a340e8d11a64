# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which hosts take mail for a domain, in which order, and which of their addresses may be called.

RFC 5321 section 5.1 (MX, implicit MX, equal preferences in random order, ourselves among the hosts), RFC 7505 (null MX). Whoever owns a
domain chooses where its MX points, so addresses are judged, too: this machine and what only means something on this machine's own wire are
never called on a stranger's word (docs/federation.md, "Where a stranger may send us"). Knows neither DNS nor sockets; chance is handed in.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Sequence
from enum import Enum, auto

from razdar.policy.ip import unwrapped

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_IPV6_IN_USE = (ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("fc00::/7"))
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


class NoRoute(Enum):
    """Why there is nothing to call."""

    NO_MAIL_HERE = auto()
    OURSELVES = auto()
    NO_USABLE_HOST = auto()


class Standing(Enum):
    """What an address is to us."""

    USABLE = auto()
    OURSELVES = auto()
    FORBIDDEN = auto()


def is_host(name: str) -> bool:
    """Whether it can be looked up and named in a TLS handshake; an IP address is none (RFC 1035 section 3.3.9)."""
    return _HOST.fullmatch(name) is not None and not name.rpartition(".")[2].isdigit()


def mx_hosts(records: Sequence[tuple[int, str]], own_names: Collection[str], shuffle: Callable[[list[str]], None]) -> list[str] | NoRoute:
    """The hosts to try, in order, of MX records given as (preference, host).

    From our own name on, all are left out: whoever comes after us expects us to hold the mail (RFC 5321 section 5.1).
    """
    if all(not host for _, host in records):
        return NoRoute.NO_MAIL_HERE
    ours = [preference for preference, host in records if host in own_names]
    kept = [(preference, host) for preference, host in records if not ours or preference < min(ours)]
    ordered: list[str] = []
    for level in sorted({preference for preference, _ in kept}):
        equal = sorted({host for preference, host in kept if preference == level and is_host(host)} - set(ordered))
        shuffle(equal)
        ordered += equal
    if ordered:
        return ordered
    return NoRoute.OURSELVES if ours else NoRoute.NO_USABLE_HOST


def standing(address: str, own_addresses: Collection[str]) -> Standing:
    """What calling `address`, learnt from DNS or written by a person as a literal, would mean.

    Private ranges are usable: towns without the Internet live there. What is wrapped in an IPv6 address is judged by what is inside.
    """
    ip = unwrapped(address)
    if ip is None:
        return Standing.FORBIDDEN
    if ip.is_loopback or ip.is_unspecified or ip in {unwrapped(each) for each in own_addresses}:
        return Standing.OURSELVES
    if ip.is_link_local or ip.is_multicast:
        return Standing.FORBIDDEN
    if isinstance(ip, ipaddress.IPv4Address) and (ip.is_reserved or ip in _THIS_NETWORK):
        return Standing.FORBIDDEN
    if isinstance(ip, ipaddress.IPv6Address) and not any(ip in network for network in _IPV6_IN_USE):
        return Standing.FORBIDDEN  # site-local, IPv4-compatible and -translated (RFC 3879, RFC 4291 section 2.5.5.1, RFC 7915)
    return Standing.USABLE
