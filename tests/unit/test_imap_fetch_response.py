# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a FETCH answers for one message (RFC 3501 section 7.4.2)."""

import time
from email import message_from_bytes

import pytest
from tests.mail.make import encrypted_message

from razdar.wire.imap import commands as c
from razdar.wire.imap.fetch_response import flags_only, respond
from razdar.wire.imap.framing import Frame
from razdar.wire.imap.parsers import parse_frame
from razdar.wire.imap.responses import Part

MESSAGE = b"From: a@b\r\nX-Other: y\r\nSubject: [...]\r\n\r\nline one\r\nline two\r\n"
PREFETCH = (
    "(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE X-MICROSOFT-ORIGINAL-MESSAGE-ID FROM CONTENT-TYPE SECURE-JOIN "
    "CHAT-VERSION CHAT-IS-POST-MESSAGE AUTOCRYPT-SETUP-MESSAGE)])"
)


def pieces(items: str, message: bytes | None = MESSAGE) -> list[Part]:
    command = parse_frame(Frame((f"a FETCH 1 {items}".encode(),))).command
    assert isinstance(command, c.Fetch)
    return respond(3, command.items, 42, ["\\Seen", "$x"], 1_700_000_000, len(message or b""), message)


def answer(items: str, message: bytes | None = MESSAGE) -> bytes:
    return b"".join(pieces(items, message))


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("(UID FLAGS)", b"UID 42 FLAGS (\\Seen $x)"),
        ("FAST", b'FLAGS (\\Seen $x) INTERNALDATE "14-Nov-2023 22:13:20 +0000" RFC822.SIZE 61'),
        ("BODY[]", b"BODY[] {61}\r\n" + MESSAGE),
        ("BODY.PEEK[]", b"BODY[] {61}\r\n" + MESSAGE),
        ("RFC822", b"RFC822 {61}\r\n" + MESSAGE),
        ("RFC822.HEADER", b"RFC822.HEADER {41}\r\n" + MESSAGE[:41]),
        ("RFC822.TEXT", b"RFC822.TEXT {20}\r\nline one\r\nline two\r\n"),
        ("BODY[HEADER]", b"BODY[HEADER] {41}\r\n" + MESSAGE[:41]),
        ("BODY[TEXT]", b"BODY[TEXT] {20}\r\nline one\r\nline two\r\n"),
        ("BODY[1]", b"BODY[1] {20}\r\nline one\r\nline two\r\n"),
        ("BODY[1.MIME]", b"BODY[1.MIME] {41}\r\n" + MESSAGE[:41]),
        ("BODY[2]", b"BODY[2] NIL"),
        ("BODY[1.TEXT]", b"BODY[1.TEXT] NIL"),
        ("BODY[TEXT]<5.3>", b"BODY[TEXT]<5> {3}\r\none"),
        ("BODY[TEXT]<15.300>", b"BODY[TEXT]<15> {5}\r\ntwo\r\n"),
        ("BODY[TEXT]<20.1>", b"BODY[TEXT]<20> {0}\r\n"),
        ("BODY[]<0.4294967295>", b"BODY[]<0> {61}\r\n" + MESSAGE),
        ("BODY[HEADER.FIELDS (from Date)]", b"BODY[HEADER.FIELDS (from Date)] {13}\r\nFrom: a@b\r\n\r\n"),
        ('BODY[HEADER.FIELDS ("(odd]")]', b'BODY[HEADER.FIELDS ("(odd]")] {2}\r\n\r\n'),
        ("BODY[HEADER.FIELDS.NOT (From X-Other)]", b"BODY[HEADER.FIELDS.NOT (From X-Other)] {18}\r\nSubject: [...]\r\n\r\n"),
        ("BODY", b'BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 20 2)'),
    ],
)
def test_items(items: str, expected: bytes) -> None:
    assert answer(items) == b"3 FETCH (" + expected + b")"


def test_facts_need_no_message_and_texts_of_a_lost_one_are_nil() -> None:
    assert answer("(UID RFC822.SIZE)", None) == b"3 FETCH (UID 42 RFC822.SIZE 0)"
    assert answer("(UID BODY.PEEK[] ENVELOPE)", None) == b"3 FETCH (UID 42 BODY[] NIL ENVELOPE NIL)"


def test_flags_only() -> None:
    assert flags_only(3, 42, ["\\Deleted"]) == b"3 FETCH (UID 42 FLAGS (\\Deleted))"


def test_what_the_chat_client_asks_first() -> None:
    message = encrypted_message("a@chat.example", ["b@chat.example"])
    written = answer(PREFETCH, message)
    fields = message_from_bytes(written.partition(b"}\r\n")[2][:-1])
    original = message_from_bytes(message)
    assert {name: value for name, value in original.items() if name in ("From", "Date", "Message-ID", "Content-Type")} == dict(
        fields.items()
    )


def test_a_large_message_is_handed_on_and_not_copied() -> None:
    message = MESSAGE + b"x" * 1_000_000
    assert any(part is message for part in pieces("BODY[]", message))
    (view,) = [part for part in pieces("BODY[TEXT]", message) if isinstance(part, memoryview)]
    assert view.obj is message


def test_prefetch_is_fast() -> None:
    """It is done for every message by every device: 15 µs measured; ten times that would show in everybody's latency."""
    message = encrypted_message("a@chat.example", ["b@chat.example"])
    began = time.perf_counter()
    for _ in range(1000):
        pieces(PREFETCH, message)
    assert time.perf_counter() - began < 0.5
