# SPDX-License-Identifier: AGPL-3.0-or-later
"""One profile with accounts on two of our relays, and a friend on a third: either of the two dies, and nothing that was written is lost.

What the client does by itself and what a person has to do is written down in docs/interop.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltachat_rpc_client import Chat
from tests.interop.test_federation_torn import texts_from
from tests.lab.client import Core, Person, meet
from tests.lab.federation import World, world
from tests.lab.hosted import HostedRelay

from razdar.servers.control import ask

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.namespace]
SOON_S = 60.0


@dataclass
class Homes:
    """Roya lives on `first`, where she sends from, and on `second`; Carol on a third relay. Each has a chat with the other."""

    first: HostedRelay
    second: HostedRelay
    third: HostedRelay
    roya: Person
    carol: Person
    to_carol: Chat
    to_roya: Chat

    def talk(self, word: str) -> None:
        """Both write, and both read all of it in order and once."""
        texts = [f"{word} {number}" for number in range(4)]
        for text in texts:
            self.to_roya.send_text(text)
            self.to_carol.send_text(text.upper())
        self.roya.reads(texts[-1], SOON_S)
        self.carol.reads(texts[-1].upper(), SOON_S)
        assert texts_from(self.roya, word) == texts
        assert texts_from(self.carol, word.upper()) == [text.upper() for text in texts]


@pytest.fixture
def planet(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", hosts=3) as made:
        yield made


@pytest.fixture
def homes(planet: World, core: Core) -> Homes:
    first, second, third = (planet.relay(number, name) for number, name in ((2, "first.test"), (3, "second.test"), (4, "third.test")))
    roya, carol = core.person("roya").set_up(first.link()), core.person("carol").set_up(third.link())
    roya.account.add_transport_from_qr(second.link())
    roya.account.bring_online()  # type: ignore[no-untyped-call]
    to_roya = meet(roya, carol)
    to_roya.send_text("are you there")
    to_carol = roya.reads("are you there").get_snapshot().chat
    to_carol.accept()
    to_carol.send_text("in both places")
    carol.reads("in both places")
    return Homes(first, second, third, roya, carol, to_carol, to_roya)


def accepted(relay: HostedRelay) -> int:
    """Messages that it has taken from its people since its last start."""
    return int(ask(relay.data, {"op": "status"})["events"].get("message.accepted", 0))


def test_what_comes_to_both_is_shown_once_and_one_is_enough_for_sending(homes: Homes) -> None:
    homes.talk("word")
    assert len(homes.roya.account.list_transports()) == 2
    assert accepted(homes.first) > 4
    assert accepted(homes.second) == 0


@pytest.mark.parametrize("which", ["first", "second"])
def test_either_dies_and_comes_back(homes: Homes, which: str) -> None:
    relay: HostedRelay = getattr(homes, which)
    relay.kill()
    homes.talk("while one is dead")
    relay.start()
    homes.roya.account.manager.maybe_network()  # as the app does when the phone finds a network
    homes.talk("afterwards")
    assert texts_from(homes.roya, "while") == sorted(set(texts_from(homes.roya, "while")))


def test_the_first_cannot_be_reached_and_says_nothing(planet: World, homes: Homes) -> None:
    """Packets to it vanish. The app would find its way round in two and a half minutes; here the line is back before."""
    others = (planet.net.here, homes.third.host, homes.second.host)
    for host in others:
        planet.net.cut(homes.first.host, host)
    homes.to_roya.send_text("from outside")
    homes.roya.reads("from outside", SOON_S)
    homes.to_carol.send_text("from inside")
    for host in others:
        planet.net.mend(homes.first.host, host)
    homes.roya.account.manager.maybe_network()
    homes.carol.reads("from inside", 3 * SOON_S)
    assert texts_from(homes.roya, "from outside") == ["from outside"]
    assert texts_from(homes.carol, "from inside") == ["from inside"]


def test_the_first_dies_for_good_and_the_person_sends_from_the_second(homes: Homes) -> None:
    homes.first.kill()
    other = next(each["addr"] for each in homes.roya.account.list_transports() if each["addr"].endswith("@second.test"))
    homes.roya.account.set_config("configured_addr", other)
    homes.talk("after moving")
    assert [chat.get_basic_snapshot().name for chat in homes.carol.chats()].count("roya") == 1
