# SPDX-License-Identifier: AGPL-3.0-or-later
"""What proves that a message from another relay is from the domain that its `From:` names.

A name is proven by its DKIM signature (policy/alignment.py). An address literal has no place in DNS for a key: it is proven when the
message comes from that very address, or when whoever answers there says that it is sending it (the call-back). Names that the operator
entered by hand can be proven in the same way as literals, with the entered addresses in place of the literal. Other relays check
nothing for literals, so anybody could write as `user@[192.0.2.7]` there; not here.
"""

import ipaddress
from collections.abc import Sequence
from enum import Enum, auto

from razdar.policy.ip import IpAddress, is_literal, literal_of, parse_ip, unwrapped

_NEAR = {4: 24, 6: 64}
"""Bits that two addresses of one local network share."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""RFC 4291 section 2.4; what lies outside of it and is not local by name is old or means IPv4 in one more way."""


class Way(Enum):
    """One kind of proof."""

    SOURCE = auto()
    """It is proven already: the message comes from an address of the domain."""
    SIGNATURE = auto()
    """The domain has signed it."""
    CALL_BACK = auto()
    """Whoever answers at the domain's address confirms it."""


def ways_to_prove(domain: str, source: str, *, entered: Sequence[str] = (), has_keys: bool = False) -> tuple[Way, ...]:
    """What may prove mail from `domain`, the cheapest first; any one of them is enough. Empty: nothing can.

    `source` is the address it comes from, `entered` and `has_keys` are what the operator wrote down for the domain. Entered keys are the
    only proof for a name that has them: addresses can be taken over, the keys not.
    """
    if has_keys and not is_literal(domain):
        return (Way.SIGNATURE,)
    addresses = list(entered) or [literal for literal in [literal_of(domain)] if literal is not None]
    if any(is_same(source, address) for address in addresses):
        return (Way.SOURCE,)
    call_back = (Way.CALL_BACK,) if addresses else ()
    return call_back if is_literal(domain) else (Way.SIGNATURE, *call_back)


def is_same(address: str, other: str) -> bool:
    """Whether both are the same address, however they are spelled; an IPv4 address within IPv6 is that IPv4 address."""
    one, two = _plain(address), _plain(other)
    return one is not None and one == two


def may_call_back(address: str, source: str) -> bool:
    """Whether somebody at `source` may make us connect to `address`.

    To a public address: yes, it costs him more than it. To one inside of some network only if he is there himself, so that nobody can reach
    from outside through us what stands behind our firewall, nor this machine's own services. An address that is wrapped in an IPv6 address
    is judged by what is inside.
    """
    target, asker = unwrapped(address), _plain(source)
    if target is None or target.is_multicast or target.is_unspecified:
        return False
    if target.is_global and (target.version == 4 or target in _GLOBAL_UNICAST):
        return True
    return asker is not None and asker.version == target.version and _network(target) == _network(asker)


def _network(address: IpAddress) -> object:
    return ipaddress.ip_network((address, _NEAR[address.version]), strict=False)


def _plain(text: str) -> IpAddress | None:
    address = parse_ip(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
