# SPDX-License-Identifier: AGPL-3.0-or-later
"""The network between relays is cut, slowed, flaps, and relays are killed; people write on, and everything arrives once and in order."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.client import Core, Person, meet
from tests.lab.federation import World, world
from tests.lab.network import Link

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.namespace]
SOON_S = 60.0


@pytest.fixture
def planet(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", hosts=2) as made:
        yield made


class Pair:
    """Alice on alpha.test and Bob on beta.test, who know each other."""

    def __init__(self, planet: World, core: Core) -> None:
        self.net = planet.net
        self.alpha, self.beta = planet.relay(2, "alpha.test"), planet.relay(3, "beta.test")
        self.alice, self.bob = core.person("alice"), core.person("bob")
        self.alice.set_up(self.alpha.link())
        self.bob.set_up(self.beta.link())
        self.to_alice = meet(self.alice, self.bob)
        self.to_alice.send_text("first")
        self.to_bob = self.alice.reads("first").get_snapshot().chat
        self.to_bob.accept()
        self.to_bob.send_text("second")
        self.bob.reads("second")

    def cut(self) -> None:
        self.net.cut(self.alpha.host, self.beta.host)

    def mend(self) -> None:
        self.net.mend(self.alpha.host, self.beta.host)

    def sends(self, count: int) -> list[str]:
        """Alice writes; her relay has taken responsibility for all of it."""
        texts = [f"message {number}" for number in range(count)]
        for text in texts:
            self.alice.delivered(self.to_bob.send_text(text))
        return texts


@pytest.fixture
def pair(planet: World, core: Core) -> Pair:
    return Pair(planet, core)


def texts_from(person: Person, start: str) -> list[str]:
    """Of all messages that begin so, as the person sees them."""
    chats = person.chats()
    return [text for chat in chats for each in chat.get_messages() if (text := each.get_snapshot().text).startswith(start)]


def test_what_waits_during_a_cut_goes_at_once_when_the_other_relay_is_heard(pair: Pair) -> None:
    pair.cut()
    sent = pair.sends(5)
    assert texts_from(pair.bob, "message") == []
    pair.mend()
    pair.to_alice.send_text("we are back")  # whoever sends is alive
    pair.alice.reads("we are back", SOON_S)
    pair.bob.reads(sent[-1], SOON_S)
    assert texts_from(pair.bob, "message") == sent


def test_a_line_that_carries_one_way_only(pair: Pair) -> None:
    pair.net.wire.set(pair.beta.host, pair.alpha.host, Link(is_cut=True), is_one_way=True)
    sent = pair.sends(2)
    pair.mend()
    pair.bob.reads(sent[-1], SOON_S)
    assert texts_from(pair.bob, "message") == sent


def test_a_bad_line(pair: Pair) -> None:
    pair.net.worsen(pair.alpha.host, pair.beta.host, delay_s=0.3, loss=0.3)
    sent = pair.sends(3)
    pair.bob.reads(sent[-1], 120)
    assert sorted(texts_from(pair.bob, "message")) == sent


def test_the_receiving_relay_is_killed_and_comes_back(pair: Pair) -> None:
    pair.beta.kill()
    sent = pair.sends(3)
    pair.beta.start()
    pair.bob.account.start_io()
    pair.to_alice.send_text("we are back")
    pair.bob.reads(sent[-1], 2 * SOON_S)
    assert texts_from(pair.bob, "message") == sent


def test_the_sending_relay_is_killed_and_comes_back(pair: Pair) -> None:
    pair.cut()
    sent = pair.sends(3)
    pair.alpha.kill()
    pair.mend()
    pair.alpha.start()  # a start is a reason to try everything again
    pair.bob.reads(sent[-1], SOON_S)
    assert texts_from(pair.bob, "message") == sent


def test_dns_dies(planet: World, pair: Pair) -> None:
    planet.dns.die()
    pair.alpha.stop()
    pair.alpha.start()  # knows the other's address from its file alone
    sent = pair.sends(2)
    pair.bob.reads(sent[-1], SOON_S)
    assert texts_from(pair.bob, "message") == sent
