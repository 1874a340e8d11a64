# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whoever has a domain has DNS servers that say nothing; questions for it do not stand before those for others."""

import asyncio

import pytest
from tests.lab.dns_server import DnsServer
from tests.unit.test_dns import ZONE, Time

from razdar.adapters.dns import AT_ONCE_MAX, ZONE_AT_ONCE_MAX, DnsResolver
from razdar.adapters.known_names import KnownNames
from razdar.ports.resolver import Mx, ResolverUnavailable

pytestmark = pytest.mark.anyio


class Tarpit(DnsServer):
    """Never answers for names below `.slow`."""

    async def _answer(self, packet: bytes, way: str) -> bytes | None:
        answer = await super()._answer(packet, way)
        return None if self.asked[-1][0].endswith(".slow") else answer


async def held(resolver: DnsResolver, names: list[str]) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(resolver.txt(name)) for name in names]


async def given_up(resolver: DnsResolver, tasks: list[asyncio.Task[object]]) -> None:
    await resolver.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, ResolverUnavailable) for each in results)


@pytest.mark.slow
async def test_one_domain_has_few_questions_at_once() -> None:
    """Keys of other names are found while a thousand questions for one domain wait."""
    async with Tarpit({**ZONE, "sel._domainkey.two.example": {"TXT": ['"v=DKIM1"']}}) as server:
        resolver = DnsResolver(KnownNames(None), Time(), servers=[server.server])
        tasks = await held(resolver, [f"s{number}._domainkey.x{number}.evil.slow" for number in range(200)])
        await server.questions(ZONE_AT_ONCE_MAX)
        async with asyncio.timeout(1):
            assert (await resolver.txt("sel._domainkey.two.example")).values == (b"v=DKIM1",)
        assert len([name for name, _, _ in server.asked if name.endswith(".slow")]) == ZONE_AT_ONCE_MAX
        await given_up(resolver, tasks)


@pytest.mark.slow
async def test_keys_do_not_stand_before_the_ways_to_others() -> None:
    """With a domain for each question strangers can delay the proof of others, but no mail of our people."""
    async with Tarpit(ZONE) as server:
        resolver = DnsResolver(KnownNames(None), Time(), servers=[server.server])
        tasks = await held(resolver, [f"sel._domainkey.evil{number}.slow" for number in range(200)])
        await server.questions(AT_ONCE_MAX // 2)
        async with asyncio.timeout(1):
            assert (await resolver.mx("one.example")).values == (Mx(10, "a.one.example"),)
        await given_up(resolver, tasks)
