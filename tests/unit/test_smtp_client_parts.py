# SPDX-License-Identifier: AGPL-3.0-or-later
"""The parts of the client of SMTP: replies, extensions, the table, dot-stuffing. Dialogues stand in tests/transcripts/smtp_client."""

import pytest

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.wire.errors import PeerError
from razdar.wire.frames import LineTooLong
from razdar.wire.smtp.client import SmtpClient
from razdar.wire.smtp.client_replies import (
    LINE_BYTES,
    LINES,
    TEXT_MAX,
    Extensions,
    MalformedReply,
    ReplyReader,
    ServerReply,
    extensions,
    refusal,
    refusal_in_text,
)
from razdar.wire.smtp.client_states import TABLE, Act, Awaited
from razdar.wire.smtp.content import ContentReader
from razdar.wire.smtp.stuffing import is_strict, stuff


def read(data: bytes) -> ServerReply | None:
    reader = ReplyReader()
    reader.feed(data)
    return reader.next_reply()


def test_every_reply_has_an_act() -> None:
    assert set(TABLE) == set(Awaited)
    assert all(set(row) == {2, 3, 4, 5} for row in TABLE.values())
    assert {act for row in TABLE.values() for act in row.values()} == set(Act)


def test_only_354_may_follow_data() -> None:
    """A 250 for DATA, believed, would make a lost message look delivered."""
    assert TABLE[Awaited.DATA][2] is Act.NONSENSE
    assert [awaited for awaited, row in TABLE.items() if row[2] is Act.DELIVERED] == [Awaited.CONTENT]


def test_a_reply_of_several_lines_is_one() -> None:
    assert read(b"250-a\r\n250-\r\n250 b\r\n") == ServerReply(250, (b"a", b"", b"b"))
    assert read(b"250\r\n") == ServerReply(250, (b"",))
    assert read(b"250-a\r\n250 b") is None


@pytest.mark.parametrize("data", [b"250-a\r\n550 b\r\n", b"hello\r\n", b"25 x\r\n", b"650 x\r\n", b"2500 x\r\n", b"\r\n", b"150 x\r\n"])
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(MalformedReply):
        read(data)


def test_replies_are_bounded_in_lines_and_in_bytes() -> None:
    assert read(b"250-x\r\n" * (LINES - 1) + b"250 x\r\n") is not None
    with pytest.raises(MalformedReply):
        read(b"250-x\r\n" * (LINES + 1))
    with pytest.raises(LineTooLong):
        read(b"250 " + b"x" * LINE_BYTES)
    with pytest.raises(PeerError):
        read(b"250 x\n250 y\r\n")


@pytest.mark.parametrize(
    ("lines", "code", "expected"),
    [
        ((b"5.1.1 nobody", b"5.1.1 here"), 550, Refusal(550, "5.1.1", "nobody here")),
        ((b"nobody",), 550, Refusal(550, "5.0.0", "nobody")),
        ((b"5.1.1 nobody",), 450, Refusal(450, "4.0.0", "nobody")),  # RFC 2034: of another class than the reply
        ((b"4.7.1",), 450, Refusal(450, "4.7.1", "")),
        ((b"no\x07\xff\x1b[31m",), 554, Refusal(554, "5.0.0", "no???[31m")),
        ((b"x" * 999,), 554, Refusal(554, "5.0.0", "x" * TEXT_MAX)),
    ],
)
def test_a_refusal_is_short_and_printable(lines: tuple[bytes, ...], code: int, expected: Refusal) -> None:
    assert refusal(ServerReply(code, lines)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"550 5.1.1 nobody\r\n", Refusal(550, "5.1.1", "nobody")),
        (b"554-5.7.1 no", Refusal(554, "5.7.1", "no")),
        (b"523 Encryption Needed", Refusal(523, "5.0.0", "Encryption Needed")),
        (b"250 fine", None),
        (b"<html>400 Bad", None),
        (b"", None),
        (b"\r\n550 x", None),
    ],
)
def test_a_refusal_in_the_body_of_an_answer(text: bytes, expected: Refusal | None) -> None:
    assert refusal_in_text(text) == expected


def test_extensions() -> None:
    said = [
        b"SIZE nothing of mine",
        b"starttls",
        b"SIZE 30",
        b"Pipelining",
        b"LIMITS MAILMAX=9 RCPTMAX=50",
        b"8BITMIME",
        b"SMTPUTF8",
        b"",
        b"\xff",
    ]
    assert extensions(said) == Extensions(True, True, True, True, True, 30, 50)
    assert extensions([b"x", b"SIZE 9999999999999999999999", b"LIMITS RCPTMAX=-1"]) == Extensions(has_size=True)
    assert extensions([b"x"]) == Extensions()


@pytest.mark.parametrize("message", [b"", b".", b".\r\n", b"a\r\n.\r\n.b\r\n", b"no end", b"..\r\n"])
def test_what_is_stuffed_is_read_as_it_was(message: bytes) -> None:
    """RFC 5321 section 4.5.2; a missing last CRLF is added."""
    reader = ContentReader(1000)
    assert reader.feed(stuff(message)) == b""
    assert reader.take() == message + (b"\r\n" if message and not message.endswith(b"\r\n") else b"")


@pytest.mark.parametrize("message", [b"a\n.\n", b"a\n.\r\n", b"a\r.\r", b"a\r\n.\n", b"a\r\n.\r", b"a\r\n\0.\r\n", b"\r\r\n"])
def test_smuggling_out(message: bytes) -> None:
    """CVE-2023-51764, -51765, -51766: look-alikes of the end mark are never sent."""
    assert not is_strict(message)
    with pytest.raises(ValueError, match="bare"):
        stuff(message)


def test_nothing_can_be_sent_before_it_is_ready() -> None:
    client = SmtpClient("relay.example", is_tls=True)
    with pytest.raises(RuntimeError):
        client.send(None, [Address("a", "peer.example")], b"")
    with pytest.raises(RuntimeError):
        client.tls_started()
    client.quit()
    assert client.take_output() == b""


def test_events_name_nobody() -> None:
    client = SmtpClient("relay.example", is_tls=True)
    client.receive(b"220 x\r\n")
    client.take_output()
    client.receive(b"250 x\r\n")
    client.next_event()
    client.send(None, [Address("secretname", "peer.example")], b"\n")
    assert "secretname" not in repr(client.next_event())
