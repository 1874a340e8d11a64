# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `ports.resolver.Resolver` promises, for the one in RAM and for the one that asks a real little DNS server over loopback."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from tests.lab.dns_server import DnsServer

from razdar.adapters.dns import DnsResolver
from razdar.adapters.known_names import KnownNames
from razdar.adapters.memory.names import MemoryResolver
from razdar.ports.resolver import Answer, Mx, NoSuchName, Resolver, ResolverUnavailable

pytestmark = pytest.mark.anyio

ZONE = {
    "one.example": {"MX": ["20 b.one.example.", "10 A.One.Example."], "TXT": ['"hello"']},
    "a.one.example": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1"]},
    "four.example": {"A": ["192.0.2.4"]},
    "silent.example": {"MX": ["0 ."]},
    "sel._domainkey.one.example": {"TXT": ['"v=DKIM1; " "p=AAAA"', '"other"']},
    "alias.example": {"CNAME": ["a.one.example."]},
    "_under.example": {"A": ["192.0.2.9"]},
}


@dataclass(frozen=True)
class World:
    resolver: Resolver
    silence: Callable[[], None]
    """DNS is dead from now on, and everything that was only cached is too old."""
    asked: Callable[[], int]


def memory() -> World:
    resolver = MemoryResolver(
        mxs={"one.example": [Mx(20, "b.one.example"), Mx(10, "a.one.example")], "silent.example": [Mx(0, "")]},
        hosts={
            "a.one.example": ["2001:db8::1", "192.0.2.1", "192.0.2.2"],
            "alias.example": ["2001:db8::1", "192.0.2.1", "192.0.2.2"],
            "four.example": ["192.0.2.4"],
            "_under.example": ["192.0.2.9"],
        },
        texts={"sel._domainkey.one.example": [b"v=DKIM1; p=AAAA", b"other"], "one.example": [b"hello"]},
    )

    def silence() -> None:
        resolver.is_silent = True

    return World(resolver, silence, lambda: len(resolver.asked))


@pytest.fixture(params=["memory", "dns"])
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    if request.param == "memory":
        yield memory()
        return
    now = [0.0]
    async with DnsServer(ZONE) as server:

        def silence() -> None:
            server.is_failing = True
            now[0] += 1e6

        yield World(DnsResolver(KnownNames(None), lambda: now[0], servers=[server.server]), silence, lambda: len(server.asked))


async def test_mx_by_preference_and_in_lower_case(world: World) -> None:
    assert await world.resolver.mx("one.example") == Answer((Mx(10, "a.one.example"), Mx(20, "b.one.example")), is_remembered=False)
    assert await world.resolver.mx("ONE.Example.") == await world.resolver.mx("one.example")


async def test_the_null_mx(world: World) -> None:
    """RFC 7505."""
    assert (await world.resolver.mx("silent.example")).values == (Mx(0, ""),)


async def test_addresses_of_both_families(world: World) -> None:
    expected = ("2001:db8::1", "192.0.2.1", "192.0.2.2")
    for host in ("a.one.example", "alias.example"):
        found = (await world.resolver.addresses(host)).values
        assert found[0] == "2001:db8::1"
        assert sorted(found) == sorted(expected)
    assert (await world.resolver.addresses("four.example")).values == ("192.0.2.4",)
    assert (await world.resolver.addresses("_under.example")).values == ("192.0.2.9",)


async def test_texts_are_joined(world: World) -> None:
    """RFC 6376 section 3.6.2.2."""
    assert set((await world.resolver.txt("sel._domainkey.one.example")).values) == {b"v=DKIM1; p=AAAA", b"other"}


@pytest.mark.parametrize("name", ["nobody.example", "a.one.example", "x..example", "", "a" * 64 + ".example", "a." * 130 + "example"])
async def test_no_record_is_certain(world: World, name: str) -> None:
    """RFC 2308: neither the name nor this type of record. What cannot be a name is none."""
    with pytest.raises(NoSuchName):
        await world.resolver.mx(name)
    with pytest.raises(NoSuchName):
        await world.resolver.txt(name)


@pytest.mark.parametrize("name", ["relay.alt", "x.onion", "localhost"])
async def test_other_kinds_of_names_are_never_there(world: World, name: str) -> None:
    with pytest.raises(NoSuchName):
        await world.resolver.addresses(name)


async def test_silence_is_no_answer(world: World) -> None:
    world.silence()
    for look in (world.resolver.mx, world.resolver.addresses, world.resolver.txt):
        with pytest.raises(ResolverUnavailable):
            await look("one.example")


async def test_a_good_answer_is_remembered_and_marked(world: World) -> None:
    good = await world.resolver.mx("one.example")
    world.silence()
    assert await world.resolver.mx("One.example") == Answer(good.values, is_remembered=True)
    with pytest.raises(ResolverUnavailable):
        await world.resolver.mx("four.example")
    assert world.asked() > 0
