# SPDX-License-Identifier: AGPL-3.0-or-later
"""How people reach this relay: the host, page and ports that links and codes carry.

A relay without a certificate that somebody vouches for is reached by an address, which may change; its name stays the same (DESIGN, "A name
for life"). The Host header of a request is never looked at: whoever sends it could choose where a link points.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from razdar.settings import Settings
from razdar.wire.links import ANY_CERTIFICATE, STRICT, Server

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Reach:
    """Made once; what a reload changes is asked for each time."""

    domain: str
    ports: Mapping[str, int]
    settings: Callable[[], Settings]
    is_self_signed: Callable[[], bool]
    own_addresses: Callable[[Sequence[str]], Sequence[str]]
    """This machine's addresses, the best first, never empty."""

    def host(self) -> str:
        """What links carry: the operator's word, the domain if a certificate vouches for it, else this machine's address."""
        settings = self.settings()
        if settings.advertise:
            return settings.advertise
        return self.own_addresses(settings.bind)[0] if self.is_self_signed() else self.domain

    def host_at(self, address: str) -> str:
        """As `host`; of this machine's addresses the one by which the visitor got here, if others can use it too."""
        is_for_us_alone = not address or ipaddress.ip_address(address).is_loopback
        return self.host() if self.settings().advertise or not self.is_self_signed() or is_for_us_alone else address

    def page(self) -> str:
        """The address of the welcome page."""
        host = self.host()
        port = "" if self.ports["https"] == HTTPS_PORT else f":{self.ports['https']}"
        return f"https://{f'[{host}]' if ':' in host else host}{port}/"

    def server(self, host: str) -> Server:
        """Where an app connects, and whether it must accept a certificate that nobody vouches for."""
        checks = ANY_CERTIFICATE if self.is_self_signed() else STRICT
        return Server(host, self.ports["imaps"], self.ports["submissions"], "ssl", checks)
