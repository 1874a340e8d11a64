# SPDX-License-Identifier: AGPL-3.0-or-later
"""The call-back: what a relay remembers of its sending, and what counts as a yes."""

import asyncio

import pytest
from tests.mail.make import encrypted_message
from tests.service_world import FakeClock

from razdar.model.arrival import Arrival
from razdar.model.verdict import ACCEPT, Verdict
from razdar.ports.confirm import Place
from razdar.services import confirmations
from razdar.services.confirmations import Callbacks, Sending, digest_of
from razdar.settings import Settings
from razdar.wire.confirm import answer_to, asked, is_yes, question
from razdar.wire.smtp import replies

LETTER = encrypted_message("a@[192.0.2.7]", ["x"])
DIGEST = digest_of(LETTER, Settings())
PLACE = Place("9.9.9.9", 443, "")


def test_a_yes_is_the_answer_to_this_question_and_nothing_else() -> None:
    assert is_yes(DIGEST, 200, answer_to(DIGEST))
    assert is_yes(DIGEST, 200, answer_to(DIGEST) + b"\r\n")
    assert not is_yes(DIGEST, 404, answer_to(DIGEST))
    assert not is_yes(DIGEST, 200, answer_to(bytes(32)))
    for body in (b"", b"OK", b"<html>", DIGEST.hex().encode(), question(DIGEST).encode()):
        assert not is_yes(DIGEST, 200, body), "servers that answer everything with a page, or repeat the question"


@pytest.mark.parametrize("query", [b"", b"x", b"a" * 63, b"a" * 65, b"A" * 64, b"a" * 63 + b"\n", b"d=" + b"a" * 64, b"\xff" * 64])
def test_questions_that_are_none(query: bytes) -> None:
    assert asked(query) is None


def test_a_question_is_understood() -> None:
    assert asked(question(DIGEST).partition("?")[2].encode()) == DIGEST


def test_what_is_being_sent_is_known_for_a_while() -> None:
    clock = FakeClock()
    sending = Sending(clock, Settings)
    assert sending.answer(DIGEST) is None
    sending.note(LETTER)
    assert sending.answer(DIGEST) == answer_to(DIGEST)
    clock.monotonic_s += confirmations.KEPT_S + 1
    assert sending.answer(DIGEST) is None
    sending.note(LETTER)
    assert sending.answer(DIGEST) == answer_to(DIGEST), "each attempt counts anew"
    sending.note(b"no message at all")


def test_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmations, "KEPT_MAX", 3)
    sending = Sending(FakeClock(), Settings)
    letters = [encrypted_message("a@[192.0.2.7]", ["x"], seed=number) for number in range(5)]
    for letter in letters:
        sending.note(letter)
    assert [sending.answer(digest_of(letter, Settings())) is not None for letter in letters] == [False, False, True, True, True]


def test_what_relays_add_on_the_way_changes_nothing() -> None:
    assert digest_of(b"Received: from x by y\r\nDKIM-Signature: v=1\r\n" + LETTER, Settings()) == DIGEST
    assert digest_of(b"Subject: another\r\n" + LETTER, Settings()) != DIGEST


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.at_once = self.most = 0

    async def ask(self, place: Place, digest: bytes) -> bool:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.may_answer.wait()
        self.at_once -= 1
        return True


def test_few_are_asked_at_once_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of claims keeps nobody's connections busy but its own."""

    async def run() -> tuple[list[Verdict], int]:
        slow = Slow()
        callbacks = Callbacks(slow, FakeClock(), Settings)
        places = [Place(f"9.9.{number // 250}.{number % 250 + 1}", 443, "") for number in range(100)]
        tasks = [
            asyncio.create_task(callbacks(Arrival(bytes([number % 20]), "8.8.8.8"), place, LETTER, is_entered=False))
            for number, place in enumerate(places)
        ]
        await asyncio.sleep(0)
        slow.may_answer.set()
        return await asyncio.gather(*tasks), slow.most

    verdicts, most = asyncio.run(run())
    assert most == confirmations.AT_ONCE
    assert verdicts.count(ACCEPT) == confirmations.WAITING_MAX
    assert verdicts.count(replies.CONFIRM_LATER) == 100 - confirmations.WAITING_MAX
