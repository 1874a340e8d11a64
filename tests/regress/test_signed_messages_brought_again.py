# SPDX-License-Identifier: AGPL-3.0-or-later
"""A signature says nothing of recipients (RFC 6376 section 8.6), so whoever holds a signed message can bring it again, to anybody."""

from dataclasses import replace

import pytest
from tests.peer_world import AUTHOR, SELECTOR, PeerWorld, dkim_key, letter, signed
from tests.service_world import DOMAIN

from razdar.model.address import Address
from razdar.model.arrival import Arrival
from razdar.model.verdict import ACCEPT
from razdar.services.peer_budgets import REPORTS_PER_HOUR
from razdar.settings import Settings
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio
ELSEWHERE = Address("x", "elsewhere.example")


def copy(number: int, whole: bytes) -> bytes:
    """A field that is not signed makes another message of it, and leaves the signature good."""
    return b"X-Number: %d\r\n" % number + whole


def crowd(number: int) -> Arrival:
    return Arrival(number.to_bytes(16), "203.0.113.5")


async def test_it_arrives_once_and_is_reported_once_whatever_stands_beside_it() -> None:
    world = PeerWorld()
    (anna, boris), whole = await world.members("anna", "boris"), signed(letter())
    for number in range(50):
        assert await world.bring(copy(number, whole), anna, ELSEWHERE, arrival=crowd(number % 5)) == ACCEPT
    assert len(await world.read(anna)) == len(world.reports) == 1
    assert await world.bring(whole, boris) == ACCEPT
    assert len(await world.read(boris)) == 1, "somebody who has not got it yet"


async def test_reports_about_it_are_few() -> None:
    """The author wrote once. A thousand accounts are had where registration is open."""
    world = PeerWorld()
    people, whole = await world.members(*(f"member{number}" for number in range(REPORTS_PER_HOUR + 10))), signed(letter())
    for number, one in enumerate(people):
        assert await world.bring(copy(number, whole), one, ELSEWHERE, arrival=crowd(number % 5)) == ACCEPT
    assert [to for to, _ in world.reports] == [AUTHOR] * REPORTS_PER_HOUR
    world.clock.monotonic_s += 120
    assert await world.bring(signed(letter(seed=1)), people[0], ELSEWHERE) == ACCEPT
    assert len(world.reports) == REPORTS_PER_HOUR + 1


async def test_it_uses_up_nothing_of_the_author_s_relay() -> None:
    """Messages, bytes and unknown names of a relay that somebody else brings in its name are the bringer's."""
    settings = replace(Settings(), peer_messages_per_minute=20, peer_unknown_per_minute=10)
    world = PeerWorld(settings=settings)
    anna, whole = await world.member("anna"), signed(letter())
    for number in range(60):
        nobody = Address(f"nobody{number}", DOMAIN)
        await world.bring(copy(number, whole), nobody, arrival=crowd(1 + number % 6))
    home = crowd(0)
    for seed in range(1, 15):
        assert await world.bring(signed(letter(seed=seed)), anna, arrival=home) == ACCEPT
    assert await world.bring(signed(letter(seed=20)), Address("nobody", DOMAIN), arrival=home) == replies.NO_SUCH_USER


async def test_a_signature_without_a_message_id_tells_no_message_from_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests of secure-join have the same body; a relay that signs From alone signs both alike."""
    monkeypatch.setattr("razdar.wire.dkim.sign.SIGNED", ("from",))
    world = PeerWorld()
    anna, one = await world.member("anna"), letter()
    other = one.replace(b"Message-ID: <", b"Message-ID: <other.")
    assert other != one
    for message in (one, other):
        assert await world.bring(signed(message), anna) == ACCEPT
    assert await world.read(anna) == [one, other]


async def test_what_was_put_off_is_counted_when_it_comes_again() -> None:
    """Else whoever brings everything twice has no bound."""
    world = PeerWorld(settings=replace(Settings(), peer_messages_per_minute=2))
    anna = await world.member("anna")
    taken = [await world.bring(signed(letter(seed=seed)), anna, arrival=crowd(seed)) for seed in range(2)]
    tries = [await world.bring(signed(letter(seed=2)), anna, arrival=crowd(2 + number)) for number in range(3)]
    assert (taken, tries) == ([ACCEPT] * 2, [replies.RATE_EXCEEDED] * 3)


async def test_the_spellings_of_one_literal_have_one_budget() -> None:
    world = PeerWorld(settings=replace(Settings(), peer_messages_per_minute=3))
    anna, verdicts = await world.member("anna"), []
    for number, spelling in enumerate(["2001:db8::1", "2001:db8:0::1", "2001:0db8::1", "2001:db8:0:0:0:0:0:1"]):
        author = Address("parisa123", f"[ipv6:{spelling}]")
        verdicts.append(
            await world.bring(letter(author, seed=number), anna, sender=author, arrival=Arrival(bytes([number]) * 16, "2001:db8::1"))
        )
    assert verdicts == [ACCEPT, ACCEPT, ACCEPT, replies.RATE_EXCEEDED]


async def test_names_below_one_domain_do_not_fill_a_mailbox_together() -> None:
    """A wildcard in DNS makes every name below a domain a relay with a key; an IPv6 network makes as many literals."""
    settings = replace(Settings(), quota_bytes=100_000)
    for name in ("s%d.peer.example", "[ipv6:2001:db8::%x]"):
        world = PeerWorld(settings=settings)
        anna = await world.member("anna")
        brought = []
        for number in range(1, 14):
            author = Address("parisa123", name % number)
            world.resolver.texts = {**world.resolver.texts, f"{SELECTOR}._domainkey.{author.domain}": (dkim_key().record(),)}
            whole = letter(author, 8_000, number)
            whole = whole if author.domain.startswith("[") else signed(whole, author.domain)
            arrival = Arrival(bytes(16), author.domain.removeprefix("[ipv6:").removesuffix("]"))
            brought.append(await world.bring(whole, anna, sender=author, arrival=arrival))
        assert brought.count(ACCEPT) == 6, "half of the mailbox, as for one relay"
        assert brought[-1] == replies.MAILBOX_FULL_NOW
