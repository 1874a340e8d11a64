# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who signed a message from another relay: the policy, and the look-ups behind it."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import pytest

from razdar.adapters.dkim_key import DkimKey
from razdar.adapters.memory.names import MemoryPeers, MemoryResolver
from razdar.model.verdict import ACCEPT
from razdar.policy.alignment import Proof, require_alignment
from razdar.ports.crew import CrewBusy
from razdar.ports.resolver import Peer
from razdar.services.dkim_check import INLINE_BYTES, proven_domains
from razdar.wire.dkim.message import SIGNATURES_MAX
from razdar.wire.dkim.sign import sign
from razdar.wire.smtp.replies import DKIM_LATER, NO_DKIM

T = TypeVar("T")
NAME = "razdar._domainkey.one.example"
LETTER = b"From: <a@One.Example>\r\nSubject: [...]\r\n\r\nHello\r\n"
NOBODY, ONE = Proof(), Proof(proven=frozenset({"one.example"}))
LATER = Proof(undecided=frozenset({"one.example"}))


@cache
def _made(number: int) -> DkimKey:
    return DkimKey.generate()


def key(number: int = 0) -> DkimKey:
    return _made(number)


def signed(letter: bytes = LETTER, domain: str = "one.example", number: int = 0) -> bytes:
    return sign(letter, domain=domain, selector="razdar", signer=key(number)) + letter


def dns(*records: bytes) -> MemoryResolver:
    return MemoryResolver(texts={NAME: records or (key().record(),)})


def peer(*dkim: tuple[str, bytes]) -> MemoryPeers:
    return MemoryPeers(Peer("one.example", ("192.0.2.7",), 443, 25, "", dkim, is_confirmed=True))


def proof(message: bytes, resolver: MemoryResolver, peers: MemoryPeers | None = None, crew: "Crew | None" = None) -> Proof:
    return asyncio.run(proven_domains(message, resolver, peers or MemoryPeers(), 0, crew=crew or Crew()))


class Crew:
    """One that counts, or that is busy."""

    def __init__(self, *, is_busy: bool = False) -> None:
        self.is_busy, self.jobs = is_busy, 0

    async def run(self, work: Callable[[], T], lane: bytes = b"") -> T:
        self.jobs += 1
        if self.is_busy:
            raise CrewBusy
        return work()


@pytest.mark.parametrize(
    ("author", "found", "verdict"),
    [
        ("one.example", ONE, ACCEPT),
        ("two.example", ONE, NO_DKIM),
        ("sub.one.example", ONE, NO_DKIM),  # strict
        ("example", ONE, NO_DKIM),
        ("one.example", LATER, DKIM_LATER),
        ("two.example", LATER, NO_DKIM),
        ("one.example", NOBODY, NO_DKIM),
        ("[192.0.2.7]", ONE, NO_DKIM),
    ],
)
def test_the_author_s_own_domain_must_have_signed(author: str, found: Proof, verdict: object) -> None:
    assert require_alignment(author, found) == verdict


def test_a_signature_of_the_author_s_domain_is_proof() -> None:
    resolver = dns()
    assert proof(signed(), resolver) == ONE
    assert resolver.asked == [NAME]


def test_others_signatures_cause_no_look_up() -> None:
    """Nobody can make us ask DNS for names of his choice in other people's domains."""
    resolver = dns()
    for message in (LETTER, signed(domain="two.example"), signed(domain="sub.one.example"), b"no header"):
        assert proof(message, resolver) == NOBODY
    assert proof(signed(LETTER.replace(b"@One.Example>", b"@one.example>, <b@two.example>")), resolver) == NOBODY
    assert proof(signed(LETTER.replace(b"One.Example", b"[192.0.2.7]"), domain="one.example"), resolver) == NOBODY
    assert resolver.asked == []


def test_look_ups_are_bounded() -> None:
    resolver = dns(key(1).record())
    header = signed().removesuffix(LETTER)
    assert proof(header * 30 + LETTER, resolver) == NOBODY
    assert len(resolver.asked) == SIGNATURES_MAX


def test_one_good_signature_among_others_is_enough() -> None:
    assert proof(signed(domain="list.example", number=1).removesuffix(LETTER) + signed(), dns()) == ONE
    assert proof(signed(number=1).removesuffix(LETTER) + signed(), dns()) == ONE


def test_several_records_under_one_name_are_tried() -> None:
    assert proof(signed(), dns(b"note", key(1).record(), key().record())) == ONE
    assert proof(signed(), dns(b"note", b"", b"", b"", key().record())) == NOBODY


def test_silence_of_dns_is_no_refusal() -> None:
    resolver = dns()
    resolver.is_silent = True
    assert proof(signed(), resolver) == LATER


def test_a_remembered_key_proves_and_its_failure_decides_nothing() -> None:
    """The peer may have changed its key since DNS was heard last."""
    resolver = dns()
    assert proof(signed(), resolver) == ONE
    resolver.is_silent = True
    assert proof(signed(), resolver) == ONE
    assert proof(signed(number=1), resolver) == LATER


def test_no_record_and_a_wrong_one_are_final() -> None:
    assert proof(signed(), MemoryResolver()) == NOBODY
    assert proof(signed(), dns(key(1).record())) == NOBODY


def test_entered_keys_replace_dns() -> None:
    resolver = dns()
    assert proof(signed(), resolver, peer(("razdar", key(1).record()))) == NOBODY
    assert proof(signed(number=1), resolver, peer(("RAZDAR", key(1).record()))) == ONE
    assert proof(signed(), resolver, peer(("old", key().record()))) == NOBODY
    assert resolver.asked == []


def test_an_entry_without_keys_leaves_them_to_dns() -> None:
    assert proof(signed(), dns(), peer()) == ONE


def test_large_messages_are_hashed_off_the_loop() -> None:
    large, crew = signed(LETTER + b"a" * INLINE_BYTES + b"\r\n"), Crew()
    assert proof(large, dns(), crew=crew) == ONE
    assert proof(signed(), dns(), crew=crew) == ONE
    assert crew.jobs == 1
    assert proof(large, dns(), crew=Crew(is_busy=True)) == LATER


def test_reports_with_a_comment_in_from_are_read() -> None:
    report = LETTER.replace(b"<a@One.Example>", b"MAILER-DAEMON@one.example (Mail Delivery System)")
    assert proof(signed(report), dns()) == ONE
