# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real clients on different relays: with a domain, with a name that only operators entered, with nothing but an address, and on a chatmail
relay of Postfix and Dovecot. Then the network is torn and mended.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.lab.client import Core, Person, meet
from tests.lab.federation import World, world
from tests.lab.hosted import HostedRelay

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.namespace]


@pytest.fixture
def planet(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", hosts=3) as made:
        yield made


def talk(one: Person, other: Person, words: str = "salaam") -> None:
    """They meet by QR code, and each hears the other."""
    chat = meet(one, other)
    chat.send_text(words)
    heard = one.reads(words)
    heard.get_snapshot().chat.accept()
    heard.get_snapshot().chat.send_text(f"{words} back")
    other.reads(f"{words} back")


def people(core: Core, *relays: HostedRelay) -> list[Person]:
    """One on each relay."""
    made = [core.person(f"person {number}") for number in range(len(relays))]
    finish = [person.set_up_later(relay.link()) for person, relay in zip(made, relays, strict=True)]
    for wait in finish:
        wait()
    return made


def test_two_relays_with_domains(planet: World, core: Core) -> None:
    alice, bob = people(core, planet.relay(2, "alpha.test"), planet.relay(3, "beta.test"))
    talk(alice, bob)


def test_files_and_groups_cross(planet: World, core: Core, tmp_path: Path) -> None:
    alice, bob, carol = people(core, planet.relay(2, "alpha.test"), planet.relay(3, "beta.test"), planet.relay(4, "gamma.test"))
    meet(alice, bob)
    meet(alice, carol)
    group = alice.account.create_group("three cities")
    group.add_contact(bob.account, carol.account)
    group.send_text("to all")
    for other in (bob, carol):
        other.reads("to all")
    file = tmp_path / "picture.bin"
    file.write_bytes(bytes(range(256)) * 8_000)
    bob_chat = bob.chat_named("three cities")
    assert bob_chat is not None
    bob_chat.accept()
    bob_chat.send_file(str(file))  # type: ignore[no-untyped-call]
    for other in (alice, carol):
        message = other.until(partial(file_in, other, "three cities", file.name), 90)
        assert Path(message).read_bytes() == file.read_bytes()


def file_in(person: Person, chat_name: str, file_name: str) -> str | None:
    """Where the file of this name is that has completely arrived in the chat."""
    chat = person.chat_named(chat_name)
    for message in chat.get_messages() if chat else []:
        snapshot = message.get_snapshot()
        if snapshot.file_name == file_name and snapshot.file and snapshot.download_state == "Done":
            return str(snapshot.file)
    return None


def test_names_that_only_the_operators_know(planet: World, core: Core) -> None:
    one, two = planet.relay(2), planet.relay(3)
    planet.dns.die()
    planet.introduce(one, two.name, two.host.address)
    planet.introduce(two, one.name, one.host.address)
    alice, bob = people(core, one, two)
    talk(alice, bob)


def test_relays_that_have_only_an_address(planet: World, core: Core) -> None:
    one = planet.relay(2, f"[{planet.net.hosts[1].address}]")
    two = planet.relay(3, f"[{planet.net.hosts[2].address}]")
    planet.dns.die()
    alice, bob = people(core, one, two)
    talk(alice, bob)


def test_a_relay_with_an_address_and_one_with_a_domain(planet: World, core: Core) -> None:
    one = planet.relay(2, f"[{planet.net.hosts[1].address}]")
    alice, bob = people(core, one, planet.relay(3, "beta.test"))
    talk(alice, bob)
