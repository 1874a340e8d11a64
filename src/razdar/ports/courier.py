# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way to another relay: a line is opened to a domain and carries one consignment after the other.

The courier knows routes, connections, TLS and the two protocols that relays speak: `/mxdeliv` over HTTPS, and SMTP on port 25. It keeps
nothing and repeats nothing: whether and when something is tried again is the queue's decision (workers/outbound.py).

"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from razdar.model.address import Address
from razdar.model.verdict import Refusal


class Reason(Enum):
    """Why another relay cannot be reached; the operator sees these words for a peer, nothing else."""

    NO_SUCH_DOMAIN = "no-such-domain"
    """DNS says so for certain."""
    NO_MAIL_HERE = "no-mail-here"
    """A null MX (RFC 7505)."""
    OURSELVES = "ourselves"
    """Its route ends at this relay although the name is not ours."""
    NO_ROUTE = "no-route"
    """Nobody could tell its address now: DNS does not answer, or the name is outside DNS and nobody entered it."""
    NOT_CONNECTED = "not-connected"
    """No address of it takes a connection."""
    NOT_TRUSTED = "not-trusted"
    """Its certificate is not the pinned one, or no authority vouches for it."""
    NO_TLS = "no-tls"
    """It offers no encryption."""
    BROKEN_OFF = "broken-off"
    """It went silent, hung up or answered nonsense."""
    TOO_BUSY = "too-busy"
    """It said 421 or the like, to everything."""


PERMANENT = frozenset({Reason.NO_SUCH_DOMAIN, Reason.NO_MAIL_HERE, Reason.OURSELVES})
"""Trying again is of no use."""


class Unreachable(Exception):  # noqa: N818 - a state of the other relay, named like one
    """No line, or the line is gone. What was sent on it last may or may not have arrived. Its text is the reason, nothing personal."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Consignment:
    """One message for some people of one domain."""

    sender: Address | None
    """None: the null sender of a delivery report."""
    recipients: tuple[Address, ...]
    """At least one, all of the line's domain."""
    message: bytes
    """With CRLF at the end of every line, signed already."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the other relay said."""

    refused: Mapping[Address, Refusal]
    """Who will not get it, permanently or for now, in the other relay's words (shortened, printable ASCII). The others have it."""


class Line(Protocol):
    """An open connection to one relay. One consignment at a time."""

    async def send(self, consignment: Consignment) -> Outcome:
        """The other relay has taken responsibility for everybody who is not in `refused`. Raises `Unreachable`; then the line is dead."""

    async def close(self) -> None:
        """The connection ends politely if it can. Never raises."""


class Courier(Protocol):
    """Opens lines."""

    async def open(self, domain: str) -> Line:
        """A line to whatever serves `domain` (a name, or an IP literal in brackets) at this moment. Raises `Unreachable`."""
