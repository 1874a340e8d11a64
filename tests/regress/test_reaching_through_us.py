# SPDX-License-Identifier: AGPL-3.0-or-later
"""Strangers make us connect and ask by what they write; what they can make us reach, and for how long, is bounded."""

import asyncio

import pytest
from tests.peer_world import AUTHOR, FakeConfirmer, PeerWorld, letter, signed
from tests.service_world import FakeClock

from razdar.adapters.memory.names import MemoryResolver
from razdar.model.arrival import Arrival
from razdar.model.verdict import ACCEPT
from razdar.policy.proof import may_call_back
from razdar.policy.route import Standing, standing
from razdar.ports.confirm import Place
from razdar.ports.resolver import Answer, ResolverUnavailable
from razdar.services.confirmations import WAITING_PER_NETWORK, Callbacks, digest_of
from razdar.settings import Settings
from razdar.wire.smtp import replies

OUTSIDE = "198.51.100.9"
WRAPPED = [
    pytest.param("64:ff9b::%s", id="NAT64, RFC 6052"),
    pytest.param("64:ff9b:1::%s", id="NAT64, RFC 8215"),
    pytest.param("::ffff:%s", id="mapped, RFC 4291"),
    pytest.param("::ffff:0:%s", id="translated, RFC 7915"),
    pytest.param("::%s", id="compatible, RFC 4291"),
    pytest.param("2002:%s::1", id="6to4, RFC 3056"),
]


@pytest.mark.parametrize("inside", ["7f00:1", "a9fe:a9fe", "0a00:1", "c0a8:101"])
@pytest.mark.parametrize("form", WRAPPED)
def test_a_call_back_goes_to_no_wrapped_address_of_ours(form: str, inside: str) -> None:
    """Loopback, cloud metadata and private networks behind our firewall."""
    assert not may_call_back(form % inside, OUTSIDE)


@pytest.mark.parametrize("form", WRAPPED)
def test_mail_goes_to_no_wrapped_address_of_ours(form: str) -> None:
    for inside in ("7f00:1", "a9fe:a9fe"):
        assert standing(form % inside, ()) is not Standing.USABLE


def test_other_old_kinds_of_addresses_are_not_called() -> None:
    for address in ("fec0::1", "100::1", "::2", "4000::1"):
        assert standing(address, ()) is Standing.FORBIDDEN
        assert not may_call_back(address, OUTSIDE)
    for address in ("2a00::1", "64:ff9b::808:808", "::ffff:8.8.8.8"):
        assert standing(address, ()) is Standing.USABLE
        assert may_call_back(address, OUTSIDE)


class SlowConfirmer(FakeConfirmer):
    """Says nothing until it may."""

    def __init__(self, known: set[bytes]) -> None:
        super().__init__(known)
        self.may_answer = asyncio.Event()

    async def ask(self, place: Place, digest: bytes) -> bool:
        await self.may_answer.wait()
        return await super().ask(place, digest)


class SilentResolver(MemoryResolver):
    """Nobody answers."""

    async def txt(self, name: str) -> Answer[bytes]:
        self.asked.append(name)
        raise ResolverUnavailable


@pytest.mark.anyio
async def test_few_questions_of_one_message_may_stay_without_an_answer() -> None:
    """Each takes one of few places for 8 s; eight signatures of one message took it for a minute."""
    world = PeerWorld()
    anna, silent = await world.member("anna"), SilentResolver()
    world.receive._prove._resolver = silent  # type: ignore[attr-defined]
    whole = signed(letter())
    field = whole[: whole.index(b"\r\nFrom:") + 2]
    many = b"".join(field.replace(b"s=sel;", b"s=sel%d;" % number) for number in range(8)) + whole
    assert many.count(b"DKIM-Signature") == 9
    assert await world.bring(many, anna, sender=AUTHOR) == replies.DKIM_LATER
    assert len(silent.asked) == 2


PLACE, LETTER = Place("9.9.9.9", 443, ""), letter()


@pytest.mark.anyio
async def test_a_liar_uses_up_no_questions_of_whom_he_names() -> None:
    """The relay at that address writes through NAT, so each message of it is asked for."""
    callbacks = Callbacks(FakeConfirmer(known={digest_of(LETTER, Settings())}), FakeClock(), Settings)
    for number in range(200):
        await callbacks(Arrival(b"liar", "8.8.8.8"), PLACE, letter(seed=number), is_entered=False)
    assert await callbacks(Arrival(b"home", "9.9.9.1"), PLACE, LETTER, is_entered=False) == ACCEPT


@pytest.mark.anyio
async def test_one_network_does_not_wait_in_everybodys_place() -> None:
    confirmer = SlowConfirmer(known={digest_of(LETTER, Settings())})
    callbacks = Callbacks(confirmer, FakeClock(), Settings)

    def ask(network: bytes, number: int) -> "asyncio.Task[object]":
        place = Place(f"9.9.9.{number + 1}", 443, "")
        return asyncio.create_task(callbacks(Arrival(network, "8.8.8.8"), place, LETTER, is_entered=False))

    liars = [ask(b"liar", number) for number in range(100)]
    honest = ask(b"home", 200)
    await asyncio.sleep(0)
    confirmer.may_answer.set()
    answers = await asyncio.gather(*liars)
    assert (answers.count(ACCEPT), await honest) == (WAITING_PER_NETWORK, ACCEPT)
