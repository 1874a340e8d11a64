# SPDX-License-Identifier: AGPL-3.0-or-later
"""`dclogin:` links: all that a Delta Chat app needs for one account, ports and self-signed hosts included, without any look-up.

Whoever has the link has the account, so it is shown once and never logged. The form is the client's (chatmail core, qr/dclogin_scheme.rs);
the password is percent-encoded, `@ [ ]` of the address stand as they are.
"""

from dataclasses import dataclass
from urllib.parse import quote

from razdar.model.address import Address

AUTOMATIC, STRICT, ANY_CERTIFICATE = 0, 1, 3
"""Values of `certificate_checks`; with the last one an active attacker on the network can take the password."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the app connects. `host` is a name or an IP address without brackets; `security` is ssl, starttls, plain or default."""

    host: str
    imap_port: int
    smtp_port: int
    security: str = "ssl"
    certificate_checks: int = AUTOMATIC


def dclogin(address: Address, password: str, server: Server | None = None) -> str:
    """The link. Without `server` the app finds host and ports by the address's domain (autoconfig, DNS)."""
    link = f"dclogin:{quote(str(address), safe='@[]:')}?p={quote(password, safe='')}&v=1"
    if server is None:
        return link
    host = quote(server.host, safe=":")
    return (
        f"{link}&ih={host}&ip={server.imap_port}&is={server.security}"
        f"&sh={host}&sp={server.smtp_port}&ss={server.security}&ic={server.certificate_checks}"
    )
