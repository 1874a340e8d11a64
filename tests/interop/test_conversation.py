# SPDX-License-Identifier: AGPL-3.0-or-later
"""What two people do with the app all day, between two real clients."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.client import Core, Person, meet
from tests.lab.relay import Relay

pytestmark = [pytest.mark.client, pytest.mark.slow]


@pytest.fixture
def pair(core: Core, relay: Relay) -> tuple[Person, Person]:
    """Two people who have met by QR code."""
    ali, bahar = core.people(["Ali", "Bahar"], relay.link)
    meet(ali, bahar)
    return ali, bahar


def test_secure_join_and_both_directions(pair: tuple[Person, Person]) -> None:
    ali, bahar = pair
    sent = ali.writes("سلام، خوبی؟", ali.chat_with(bahar))
    got = bahar.reads("سلام، خوبی؟")
    assert got.get_snapshot().show_padlock
    assert got.get_sender_contact().get_snapshot().is_key_contact
    bahar.writes("خوبم! And you?", bahar.chat_with(ali))
    ali.reads("خوبم! And you?")
    ali.delivered(sent)


def test_a_read_message_is_told_to_its_sender(pair: tuple[Person, Person]) -> None:
    ali, bahar = pair
    sent = ali.writes("read this", ali.chat_with(bahar))
    bahar.reads("read this").mark_seen()
    ali.event("MsgRead", msgId=sent.id)
    assert sent.get_read_receipt_count() == 1


def test_edit_react_delete_for_everyone(pair: tuple[Person, Person]) -> None:
    ali, bahar = pair
    sent = ali.writes("tommorow", ali.chat_with(bahar))
    got = bahar.reads("tommorow")
    ali.account._rpc.send_edit_request(ali.account.id, sent.id, "tomorrow")
    bahar.reads("tomorrow")
    assert got.get_snapshot().is_edited

    got.send_reaction("👍")
    ali.until(lambda: sent.get_reactions())
    assert "👍" in str(sent.get_reactions())

    ali.account._rpc.delete_messages_for_all(ali.account.id, [sent.id])
    bahar.until(lambda: bahar.message("tomorrow") is None)


def test_a_file_of_ten_megabytes(pair: tuple[Person, Person], tmp_path: Path) -> None:
    """It travels as a small message that announces it and a large one that is fetched later."""
    ali, bahar = pair
    content = os.urandom(10_000_000)
    (tmp_path / "film.bin").write_bytes(content)
    ali.chat_with(bahar).send_message(text="a film", file=str(tmp_path / "film.bin"))
    got = bahar.reads("a film")
    bahar.until(lambda: got.get_snapshot().download_state == "Done", timeout_s=90)
    assert Path(got.get_snapshot().file).read_bytes() == content


def test_a_message_waits_for_somebody_who_is_away(pair: tuple[Person, Person]) -> None:
    ali, bahar = pair
    bahar.account.stop_io()
    for number in range(3):
        ali.delivered(ali.writes(f"while you were away {number}", ali.chat_with(bahar)))
    bahar.is_listening()
    assert [bool(bahar.reads(f"while you were away {number}")) for number in range(3)] == [True] * 3


def test_a_channel(core: Core, relay: Relay) -> None:
    """One speaks, the others, who joined by its QR code, listen."""
    owner, *listeners = core.people(["Owner", "Listener 1", "Listener 2", "Listener 3"], relay.link)
    channel = owner.account.create_broadcast("اخبار محله")
    code = channel.get_qr_code()
    for listener in listeners:
        listener.account.secure_join(code)
        listener.event("SecurejoinJoinerProgress", progress=1000)
        owner.event("SecurejoinInviterProgress", progress=1000)
    owner.delivered(owner.writes("Water is back at noon", channel))
    for listener in listeners:
        listener.reads("Water is back at noon")


def test_an_unencrypted_mail_is_refused_and_shown_as_such(pair: tuple[Person, Person], relay: Relay) -> None:
    """The client has to be told to send in clear at all; then it shows its own explanation, which the words of our 523 call up."""
    ali, bahar = pair
    ali.account.set_config("force_encryption", "0")
    chat = ali.account.create_contact(f"without-a-key@{relay.name}").create_chat()
    message = ali.writes("in clear", chat)
    assert "Invalid Unencrypted Mail" in ali.failed(message)
    ali.until(lambda: any(each.get_snapshot().system_message_type == "InvalidUnencryptedMail" for each in chat.get_messages()))
    ali.writes("the queue goes on", ali.chat_with(bahar))
    bahar.reads("the queue goes on")


def test_writing_to_nobody_is_told_at_once(core: Core, relay_factory: Callable[..., Relay]) -> None:
    """Nobody at all can receive: the client gets a refusal, because it would not read a report (docs/interop.md, fact 1)."""
    here, elsewhere = relay_factory(domain="city.test"), relay_factory(domain="city.test")
    ali, gone = core.person("Ali").set_up(here.link()), core.person("Gone").set_up(elsewhere.link())
    message = ali.writes("are you there?", ali.chat_with(gone))
    assert "Permanent SMTP error" in ali.failed(message)
