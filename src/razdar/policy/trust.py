# SPDX-License-Identifier: AGPL-3.0-or-later
"""How another relay proves who it is, by its certificate.

A known peer is known by the fingerprint that the operator entered or that was seen first; then neither authority nor name matter. Whoever
has a name that authorities can vouch for must have it vouched for. IP literals and names that begin with an underscore cannot have that,
by agreement among chatmail relays: with them encryption keeps out who only listens. Nobody is ever spoken to without TLS.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum, auto


class Check(Enum):
    """What is asked of a certificate."""

    AUTHORITY = auto()
    """An authority of the system vouches for it, and it carries the host's name."""
    PIN = auto()
    """It is this one."""
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Trust:
    """What is asked of one relay."""

    check: Check
    pin: str = ""
    """SHA-256 of the certificate (DER) in lower-case hex, for PIN."""

    def accepts(self, certificate: bytes | None) -> bool:
        """Whether the certificate (DER) that was shown is the pinned one; authorities are asked during the handshake."""
        if self.check is not Check.PIN:
            return True
        return certificate is not None and hmac.compare_digest(hashlib.sha256(certificate).hexdigest(), self.pin)


def trust_in(domain: str, pin: str = "") -> Trust:
    """What is asked of a relay of `domain`: the part behind the @, not the host that its MX names."""
    if pin:
        return Trust(Check.PIN, pin)
    return Trust(Check.NOTHING if domain.startswith(("[", "_")) else Check.AUTHORITY)
