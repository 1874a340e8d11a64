# SPDX-License-Identifier: AGPL-3.0-or-later
r"""SMTP smuggling (CVE-2023-51764, -51765, -51766, CVE-2024-27305): one message stays one, however its end is disguised and cut.

Each look-alike stands between a first message and a second one that must never come into being. Real ends are told apart from it by the
other half of these tests.
"""

import pytest

from razdar.model.verdict import ACCEPT
from razdar.wire.frames import BareNewline
from razdar.wire.smtp.content import ContentReader
from razdar.wire.smtp.events import MessageReceived
from razdar.wire.smtp.session import Role, SmtpLimits, SmtpSession

LOOK_ALIKES = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n.\rX",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\n\n.\r\n",
    b"\r\r\n.\r\n",
    b"\r\n\n.\r\n",
    b"\r\n.\r\r\n",
    b"\n\r.\n\r",
]
SMUGGLED = b"MAIL FROM:<admin@peer.example>\r\nRCPT TO:<bob@relay.example>\r\nDATA\r\nsmuggled\r\n.\r\n"


def session_in_data() -> SmtpSession:
    session = SmtpSession(role=Role.RELAY, hostname="relay.example", limits=SmtpLimits(), is_tls=True)
    session.receive(b"EHLO peer.example\r\nMAIL FROM:<x@peer.example>\r\nRCPT TO:<bob@relay.example>\r\nDATA\r\n")
    messages(session)
    assert session.take_output().endswith(b"<CRLF>.<CRLF>\r\n")
    return session


def messages(session: SmtpSession) -> list[bytes]:
    found = []
    while (event := session.next_event()) is not None:
        if isinstance(event, MessageReceived):
            found.append(event.content)
        session.answer(ACCEPT)
    return found


@pytest.mark.parametrize("end", LOOK_ALIKES)
def test_a_look_alike_closes_the_connection_at_every_packet_border(end: bytes) -> None:
    data = b"Subject: x\r\n\r\nhello" + end + SMUGGLED
    for cut in range(len(data) + 1):
        session = session_in_data()
        received = []
        for packet in (data[:cut], data[cut:]):
            session.receive(packet)
            received += messages(session)
        assert received == []
        assert session.take_output().startswith(b"554 5.5.2 ")
        assert session.is_closing


@pytest.mark.parametrize("end", LOOK_ALIKES)
def test_byte_by_byte(end: bytes) -> None:
    session = session_in_data()
    received = []
    for byte in b"hello" + end + SMUGGLED:
        session.receive(bytes([byte]))
        received += messages(session)
    assert received == []
    assert session.is_closing


@pytest.mark.parametrize("end", LOOK_ALIKES)
def test_in_a_message_above_the_limit_as_well(end: bytes) -> None:
    """What is not kept is checked all the same."""
    reader = ContentReader(limit_bytes=10)
    assert reader.feed(b"x" * 100) is None
    with pytest.raises(BareNewline):
        reader.feed(end + b"MAIL FROM:<admin@peer.example>\r\n.\r\n")


def test_two_real_messages_are_two_at_every_packet_border() -> None:
    data = b"one\r\n.\r\n" + SMUGGLED
    for cut in range(len(data) + 1):
        session = session_in_data()
        received = []
        for packet in (data[:cut], data[cut:]):
            session.receive(packet)
            received += messages(session)
        assert received == [b"one\r\n", b"smuggled\r\n"]
        assert not session.is_closing


def test_a_client_that_ends_with_a_look_alike_is_told_at_once() -> None:
    session = session_in_data()
    session.receive(b"hello\n.\n")
    assert session.take_output().startswith(b"554 5.5.2 ")


@pytest.mark.parametrize(("end", "was_smuggled"), [(b"\n.\n", True), (b"\r\n.\r\n", False)])
def test_an_attempt_is_told_apart_so_that_it_can_be_counted(end: bytes, was_smuggled: bool) -> None:
    session = session_in_data()
    session.receive(b"Subject: x\r\n\r\nx" + end)
    assert session.was_smuggled == was_smuggled
