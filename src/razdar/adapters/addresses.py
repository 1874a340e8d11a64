# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which addresses other machines can reach this one at, for links, codes and the certificate.

Asks the kernel only: a UDP socket is connected to an address reserved for documentation (RFC 5737, RFC 3849), which sends nothing, and
tells which address the default route would use. Where there is no default route, as in a building cut off from everything, the
interfaces are asked one by one. Link-local and loopback addresses are left out; a machine that has nothing else gets its loopback address.
"""

import array
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

_SIOCGIFCONF = 0x8912
_IFREQ_BYTES = 16 + struct.calcsize("@LLHBBB0L")
"""A name and, at its largest, a struct ifmap."""
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_IF_INET6 = Path("/proc/net/if_inet6")


def own_addresses(bind: Sequence[str]) -> tuple[str, ...]:
    """Addresses under which listeners bound to `bind` can be reached, the best first, IPv4 before IPv6 for the same route.

    An unspecified address (`0.0.0.0`, `::`) stands for all of its family. Never empty.
    """
    bound = [ipaddress.ip_address(each) for each in bind]
    families = {each.version for each in bound if each.is_unspecified}
    found = [str(each) for each in bound if not each.is_unspecified]
    found += [each for each in _machine_addresses() if ipaddress.ip_address(each).version in families]
    return tuple(dict.fromkeys(found)) or (("127.0.0.1",) if 4 in families else ("::1",))


def _machine_addresses() -> Iterator[str]:
    for candidate in (*_routed(), *_interfaces4(), *_interfaces6()):
        address = ipaddress.ip_address(candidate)
        if not (address.is_loopback or address.is_link_local or address.is_unspecified):
            yield str(address)


def _routed() -> Iterator[str]:
    for family, target in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                yield probe.getsockname()[0]
        except OSError:
            continue


def _interfaces4() -> Iterator[str]:
    """The IPv4 addresses of the interfaces (netdevice(7)). Not over netlink, which a hardened service may not use."""
    room = array.array("B", bytes(128 * _IFREQ_BYTES))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        answer = fcntl.ioctl(asker, _SIOCGIFCONF, struct.pack("iL", len(room), room.buffer_info()[0]))
    (length,) = struct.unpack_from("i", answer)
    for at in range(0, length, _IFREQ_BYTES):
        yield socket.inet_ntop(socket.AF_INET, room[at + 20 : at + 24].tobytes())


def _interfaces6() -> Iterator[str]:
    try:
        lines = _IF_INET6.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))
