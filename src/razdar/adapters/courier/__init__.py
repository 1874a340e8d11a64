# SPDX-License-Identifier: AGPL-3.0-or-later
"""The way to other relays: finds out where a domain's mail goes, and opens a line there. Implements ports/courier.py.

The operator's peer book first, then IP literals (policy/ip.py), then DNS (policy/route.py). Hosts are tried in the order DNS gives; of each
host all addresses and both ways, overlapping (race.py). It keeps nothing but what memory.py remembers for a while, and is called for many
domains at once: what one of them costs in time, no other pays.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing

from razdar.adapters.courier.line import Dialer, RelayLine
from razdar.adapters.courier.memory import Memory
from razdar.adapters.courier.patience import Patience
from razdar.adapters.courier.race import most_telling
from razdar.adapters.courier.stream import Contexts
from razdar.adapters.courier.ways import Host
from razdar.policy.ip import is_literal, literal_of
from razdar.policy.route import NoRoute, Standing, is_host, mx_hosts, standing
from razdar.policy.trust import Trust, trust_in
from razdar.ports.clock import Clock
from razdar.ports.courier import Reason, Unreachable
from razdar.ports.resolver import NoSuchName, PeerBook, Resolver, ResolverUnavailable

__all__ = ["Patience", "RelayCourier"]

HTTPS_PORT = 443
SMTP_PORT = 25
_REASONS = {
    NoRoute.NO_MAIL_HERE: Reason.NO_MAIL_HERE,
    NoRoute.OURSELVES: Reason.OURSELVES,
    NoRoute.NO_USABLE_HOST: Reason.NO_ROUTE,
}


class RelayCourier:
    """`ports.courier.Courier`."""

    def __init__(
        self,
        resolver: Resolver,
        peers: PeerBook,
        clock: Clock,
        name: str,
        own_addresses: Callable[[], Collection[str]],
        *,
        own_names: Collection[str] = (),
        shuffle: Callable[[list[str]], None] | None = None,
        authorities: ssl.SSLContext | None = None,
        patience: Patience | None = None,
    ) -> None:
        """`name`: this relay's domain, said in EHLO. `own_names`: hosts that are this relay besides it. `shuffle` orders equal hosts.

        `authorities`: a verifying client context in place of the system's, for tests and islands with an authority of their own.
        """
        self._resolver = resolver
        self._peers = peers
        self._own_names = frozenset({name, *own_names})
        self._own_addresses = own_addresses
        self._shuffle = shuffle or random.SystemRandom().shuffle
        self._patience = patience or Patience()
        self._dialer = Dialer(name, Contexts(authorities), Memory(clock), self._patience)

    async def open(self, domain: str) -> RelayLine:
        """As `ports.courier.Courier.open`."""
        try:
            async with asyncio.timeout(self._patience.open):
                return await self._open(domain)
        except TimeoutError:
            raise Unreachable(Reason.NOT_CONNECTED) from None

    async def _open(self, domain: str) -> RelayLine:
        reasons: list[Reason] = []
        async with aclosing(self._hosts(domain)) as hosts:
            async for host in hosts:
                try:
                    return RelayLine(host, self._dialer, await self._dialer.either(host))
                except Unreachable as gone:
                    reasons.append(gone.reason)
        raise Unreachable(most_telling(reasons) if reasons else Reason.NO_ROUTE)

    async def _hosts(self, domain: str) -> AsyncGenerator[Host, None]:
        """In the order to try, each looked up when it is its turn. Unreachable if there is none."""
        peer = self._peers.find(domain)
        if peer is not None:
            bare = literal_of(domain) if is_literal(domain) else domain
            yield Host(bare or domain, trust_in(domain, peer.pin), peer.https_port, peer.smtp_port, peer.addresses)
        elif is_literal(domain):
            yield self._literal(domain)
        else:
            async for host in self._from_dns(domain):
                yield host

    def _literal(self, domain: str) -> Host:
        address = literal_of(domain)
        if address is None:
            raise Unreachable(Reason.NO_SUCH_DOMAIN)
        (only,) = self._callable((address,)) or (None,)
        if only is None:
            raise Unreachable(Reason.NO_ROUTE)
        return _standard(address, trust_in(domain), (address,))

    async def _from_dns(self, domain: str) -> AsyncGenerator[Host, None]:
        names, is_implicit = await self._mx(domain)
        is_first = True
        for name in names:
            addresses = await self._addresses(name, is_implicit=is_implicit)
            try:
                usable = self._callable(addresses)
            except Unreachable:
                if is_first:
                    raise
                return  # we are one of the later hosts: those before us were tried, those after us are not our business
            is_first = False
            if usable:
                yield _standard(name, trust_in(domain), usable)

    async def _mx(self, domain: str) -> tuple[list[str], bool]:
        """Names of hosts in order, and whether it is the domain itself for want of an MX (RFC 5321 section 5.1)."""
        if not is_host(domain):
            raise Unreachable(Reason.NO_SUCH_DOMAIN)
        try:
            answer = await self._resolver.mx(domain)
        except NoSuchName:
            return [domain], True
        except ResolverUnavailable:
            raise Unreachable(Reason.NO_ROUTE) from None
        hosts = mx_hosts([(mx.preference, mx.host) for mx in answer.values], self._own_names, self._shuffle)
        if isinstance(hosts, NoRoute):
            raise Unreachable(_REASONS[hosts])
        return hosts, False

    async def _addresses(self, name: str, *, is_implicit: bool) -> tuple[str, ...]:
        """Empty if this host cannot be called now."""
        try:
            return (await self._resolver.addresses(name)).values
        except NoSuchName:
            if is_implicit:
                raise Unreachable(Reason.NO_SUCH_DOMAIN) from None
        except ResolverUnavailable:
            pass
        return ()

    def _callable(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """Those that may be called on a stranger's word; OURSELVES if one is this machine."""
        own = self._own_addresses()
        standings = {address: standing(address, own) for address in addresses}
        if Standing.OURSELVES in standings.values():
            raise Unreachable(Reason.OURSELVES)
        return tuple(address for address, what in standings.items() if what is Standing.USABLE)


def _standard(name: str, trust: Trust, addresses: tuple[str, ...]) -> Host:
    return Host(name, trust, HTTPS_PORT, SMTP_PORT, addresses)
