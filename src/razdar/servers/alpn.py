# SPDX-License-Identifier: AGPL-3.0-or-later
"""Port 443 is shared: what the client names in the TLS handshake (ALPN, RFC 7301) decides who answers.

`imap` and `smtp` reach those engines, `http/1.1` or nothing the pages. A client that speaks another protocol than it named reaches an
engine that does not understand it and is refused there (VECTORS "ALPN cross-protocol").
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import cast

from razdar.servers.admission import Ticket
from razdar.servers.listening import Admitted

Factory = Callable[[], asyncio.BaseProtocol]
HTTP = "http/1.1"


class AlpnRouter(asyncio.Protocol):
    """Lives from the end of the handshake until it has handed the transport over, at once."""

    def __init__(self, factories: Mapping[str, Factory]) -> None:
        self._factories = factories
        self._ticket: Ticket | None = None

    def hold(self, ticket: Ticket) -> None:
        """For whoever answers."""
        self._ticket = ticket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class
        tls = transport.get_extra_info("ssl_object")
        name = tls.selected_alpn_protocol() if isinstance(tls, (ssl.SSLObject, ssl.SSLSocket)) else None
        protocol = self._factories.get(name or HTTP, self._factories[HTTP])()
        if self._ticket is not None and isinstance(protocol, Admitted):
            protocol.hold(self._ticket)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
