# SPDX-License-Identifier: AGPL-3.0-or-later
"""IP addresses as text and in domain literals, read in one way by all who decide by them. What an address may be used for, they say."""

import ipaddress

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_V6 = "ipv6:"
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
"""RFC 6052 section 2.1, RFC 8215; of the second the usual layout, with the IPv4 address at the end."""


def parse_ip(text: str) -> IpAddress | None:
    """None: it is none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def unwrapped(text: str) -> IpAddress | None:
    """None: it is none. IPv4 inside IPv6: mapped (RFC 4291 section 2.5.5.2), NAT64 (RFC 6052), 6to4 (RFC 3056)."""
    ip = parse_ip(text)
    if not isinstance(ip, ipaddress.IPv6Address):
        return ip
    if any(ip in network for network in _NAT64):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def is_literal(domain: str) -> bool:
    """`[192.0.2.7]` and alike, whether there is an address in it or not."""
    return domain.startswith("[")


def literal_of(domain: str) -> str | None:
    """The address in a domain literal (RFC 5321 section 4.1.3) in its one canonical spelling; None if `domain` is none."""
    if not (is_literal(domain) and domain.endswith("]")):
        return None
    text = domain[1:-1].lower()
    address = parse_ip(text.removeprefix(_V6))
    if address is None or "%" in text or text.startswith(_V6) != (address.version == 6):
        return None
    return str(address)
