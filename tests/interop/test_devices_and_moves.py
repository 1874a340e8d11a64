# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several devices of one person, and a relay that moves, dies, comes back or starts anew under its clients."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.client import Core, Person, running_core
from tests.lab.relay import Relay, random_text

pytestmark = [pytest.mark.client, pytest.mark.slow]


def second_device(person: Person, other: Core, folder: Path) -> Person:
    """The same profile in another core, brought there by a backup file (the transfer over the air needs a network card)."""
    folder.mkdir()
    person.account.stop_io()
    person.account.export_backup(str(folder))
    person.is_listening()
    device = other.person(f"{person.name}, second device")
    device.account.import_backup(str(next(folder.glob("*.tar"))))
    device.is_listening()
    return device


def test_a_second_device_sees_everything_live(core: Core, relay: Relay, tmp_path: Path) -> None:
    ali, bahar = core.people(["Ali", "Bahar"], relay.link)
    with running_core(tmp_path / "second") as other:
        tablet = second_device(ali, other, tmp_path / "backup")
        bahar.writes("to both", bahar.chat_with(ali))
        on_phone, _ = ali.reads("to both"), tablet.reads("to both")

        ali.writes("written on the phone", ali.chat_with(bahar))
        tablet.reads("written on the phone")
        tablet.writes("written on the tablet", tablet.message("to both").get_snapshot().chat)  # type: ignore[union-attr]
        ali.reads("written on the tablet")
        bahar.reads("written on the tablet")

        on_phone.mark_seen()
        tablet.event("MsgsNoticed")
        ali.account.delete_messages([on_phone])
        tablet.until(lambda: tablet.message("to both") is None)


def test_a_relay_whose_address_changes(core: Core, relay_factory: Callable[..., Relay]) -> None:
    """A fresh link of the same account, scanned in the app, is all it takes; the name stays and waiting mail is there."""
    relay = relay_factory(bind="127.0.0.2")
    local, password = random_text(9), random_text(22)
    ali = core.person("Ali").set_up(relay.link(local, password))
    bahar = core.person("Bahar").set_up(relay.link())
    name = relay.name
    ali.account.stop_io()
    bahar.delivered(bahar.writes("before the move", bahar.chat_with(ali)))

    relay.stop()
    relay.bind = "127.0.0.3"
    relay.start()
    assert relay.name == name
    ali.set_up(relay.link(local, password))
    ali.reads("before the move")


def test_a_relay_that_dies_and_comes_back(core: Core, relay: Relay) -> None:
    """What was accepted before the kill is there after it; what was written meanwhile is sent when the relay is back."""
    ali, bahar = core.people(["Ali", "Bahar"], relay.link)
    bahar.account.stop_io()
    ali.delivered(ali.writes("accepted", ali.chat_with(bahar)))
    relay.kill()
    ali.writes("written without a relay", ali.chat_with(bahar))
    relay.start()
    core.network_changed()
    bahar.is_listening()
    bahar.reads("accepted")
    bahar.reads("written without a relay")


def test_a_relay_that_starts_anew(core: Core, relay_factory: Callable[..., Relay]) -> None:
    """All data lost: the clients make their accounts again by logging in, and go on."""
    relay = relay_factory(domain="city.test")
    ali, bahar = core.people(["Ali", "Bahar"], relay.link)
    ali.writes("before", ali.chat_with(bahar))
    bahar.reads("before")
    relay.stop()
    shutil.rmtree(relay.data)
    relay.start()
    for person in (ali, bahar):
        person.account.stop_io()
        person.is_listening()
    ali.writes("after", ali.chat_with(bahar))
    bahar.reads("after")
