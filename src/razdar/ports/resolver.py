# SPDX-License-Identifier: AGPL-3.0-or-later
"""Names of other relays: what DNS says of them, or what the operator wrote down in its place.

A resolver answers from DNS and keeps good answers, so that a name known yesterday is known when DNS is gone; such an answer is marked.
A peer book holds what the operator entered by hand and replaces every look-up for its names. Neither is ever asked for local mail.
DNSSEC is not looked at: what a name's address is worth is shown by the certificate of the peer that answers there.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class NoSuchName(Exception):  # noqa: N818 - a fact about the name, named like one
    """The name certainly does not exist or has no record of this type (NXDOMAIN or NODATA, RFC 2308)."""


class ResolverUnavailable(Exception):  # noqa: N818 - a state of the resolver, named like one
    """Nobody could tell now, and nothing is remembered. Temporary: ask again later."""


@dataclass(frozen=True, slots=True)
class Mx:
    """One host that takes mail for a domain (RFC 5321 section 5.1)."""

    preference: int
    """Lower is tried first."""
    host: str
    """In lower case, without the last dot. Empty: the null MX, the domain takes no mail (RFC 7505)."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What is known of a name; `values` is never empty."""

    values: tuple[T, ...]
    is_remembered: bool
    """A good answer from earlier, given because DNS does not answer now."""


class Resolver(Protocol):
    """Look-ups. Each raises `NoSuchName` or `ResolverUnavailable` and nothing else, within a bounded time."""

    async def mx(self, domain: str) -> Answer[Mx]:
        """By ascending preference, equal ones in no particular order. Raises `NoSuchName` where there is no MX: the implicit MX is the
        caller's to try (RFC 5321 section 5.1)."""

    async def addresses(self, host: str) -> Answer[str]:
        """IPv6 and IPv4 as text, in the order to try."""

    async def txt(self, name: str) -> Answer[bytes]:
        """Each record's strings joined (RFC 6376 section 3.6.2.2)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What the operator entered for a name; replaces every look-up for it."""

    name: str
    """The domain as it stands in addresses, in lower case; `[192.0.2.7]` or `[IPv6:…]` for a literal."""
    addresses: tuple[str, ...]
    """IP addresses as text, in the order to try; never empty."""
    https_port: int
    smtp_port: int
    pin: str
    """SHA-256 of the certificate (DER) in lower-case hex; empty: the certificate is checked as for anybody."""
    dkim: tuple[tuple[str, bytes], ...]
    """Selectors with their key records, as TXT would answer; empty: the keys are looked up in DNS."""
    is_confirmed: bool
    """Somebody compared the pin with the peer's operator; False: it is what was seen first."""


class PeerBook(Protocol):
    """The names entered by hand."""

    def find(self, name: str) -> Peer | None:
        """The entry for this name in any case, or None."""
