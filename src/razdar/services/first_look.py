# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a name that nobody here has written to before exist at all?

Asked before the message is accepted, because a refusal is the one notice that every client shows (docs/interop.md, fact 1); a slip of the
pen in a name would otherwise become a report that most apps throw away. Only a certain answer counts: when DNS does not answer in time
the message waits in the queue like any other.
"""

import asyncio

from razdar.model.verdict import Refusal
from razdar.policy.ip import is_literal
from razdar.ports.resolver import NoSuchName, PeerBook, Resolver, ResolverUnavailable
from razdar.wire.smtp import replies

PATIENCE_S = 3.0
"""The client waits for it."""


class FirstLook:
    """Asks DNS, unless the operator wrote the name down or it is an IP address."""

    def __init__(self, resolver: Resolver, peers: PeerBook) -> None:
        self._resolver = resolver
        self._peers = peers

    async def __call__(self, domain: str) -> Refusal | None:
        """Why nobody of that domain can be reached, if that is certain."""
        if is_literal(domain) or self._peers.find(domain) is not None:
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._look(domain)
        except (TimeoutError, ResolverUnavailable):
            return None

    async def _look(self, domain: str) -> Refusal | None:
        try:
            answer = await self._resolver.mx(domain)
        except NoSuchName:
            pass
        else:
            is_null = all(not mx.host for mx in answer.values)  # RFC 7505
            return replies.DOMAIN_TAKES_NO_MAIL if is_null and not answer.is_remembered else None
        try:
            await self._resolver.addresses(domain)  # the implicit MX, RFC 5321 section 5.1
        except NoSuchName:
            return replies.NO_SUCH_DOMAIN
        return None
