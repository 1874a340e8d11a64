# SPDX-License-Identifier: AGPL-3.0-or-later
"""MAIL, RCPT and their parameters (RFC 5321 sections 4.1.1.2, 4.1.1.3 and 4.1.2; RFC 1870; RFC 6152; RFC 6531)."""

import pytest

from razdar.model.address import Address
from razdar.wire.smtp import replies
from razdar.wire.smtp.states import Verb
from razdar.wire.smtp.syntax import Mail, is_host, parse_mail, parse_rcpt, split_command

ALICE = Address("alice", "relay.example")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"NOOP", (Verb.NOOP, "")),
        (b"noop  a  b ", (Verb.NOOP, "a  b")),
        (b" NOOP", (None, "NOOP")),
        (b"NOOPS", (None, "")),
        (b"", (None, "")),
        (b"HTTP", (None, "")),
        (b"get / HTTP/1.1", (Verb.HTTP, "/ HTTP/1.1")),
        (b"NOOP\t", (None, "")),
        (b"NOOP \xff", (Verb.NOOP, "\xff")),
        ("ﬁ".encode(), (None, "")),
    ],
)
def test_split_command(line: bytes, expected: tuple[Verb | None, str]) -> None:
    assert split_command(line) == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("FROM:<alice@relay.example>", Mail(ALICE, None)),
        ("from:<ALICE@Relay.Example> ", Mail(ALICE, None)),
        ("FROM:<>", Mail(None, None)),
        ("FROM:<alice@relay.example>  size=17  body=8bitmime", Mail(ALICE, 17)),
        ("FROM:<alice@relay.example> SMTPUTF8 AUTH=<> BODY=7BIT", Mail(ALICE, None)),
        ("FROM:<alice@[192.0.2.7]>", Mail(Address("alice", "[192.0.2.7]"), None)),
        ("FROM: <alice@relay.example>", replies.BAD_MAIL_SYNTAX),
        ("FROM:alice@relay.example", replies.BAD_MAIL_SYNTAX),
        ("FROM:<alice@relay.example", replies.BAD_MAIL_SYNTAX),
        ("FROM:<<alice@relay.example>>", replies.BAD_MAIL_SYNTAX),
        ("FROM:<alice@relay.example>SIZE=1", replies.BAD_MAIL_SYNTAX),
        ("TO:<alice@relay.example>", replies.BAD_MAIL_SYNTAX),
        ("", replies.BAD_MAIL_SYNTAX),
        ("FROM:<alice>", replies.BAD_SENDER_ADDRESS),
        ("FROM:<@a.example,@b.example:alice@relay.example>", replies.BAD_SENDER_ADDRESS),
        ("FROM:<alice@relay.example@b.example>", replies.BAD_SENDER_ADDRESS),
        ('FROM:<"a b"@relay.example>', replies.BAD_SENDER_ADDRESS),
        ("FROM:<" + "a" * 65 + "@relay.example>", replies.BAD_SENDER_ADDRESS),
        ("FROM:<\xe9@relay.example>", replies.BAD_SENDER_ADDRESS),
        ("FROM:<\u212alice@relay.example>", replies.BAD_SENDER_ADDRESS),
        ("FROM:<> RET=HDRS", replies.UNKNOWN_PARAMETER),
        ("FROM:<> SIZE", replies.BAD_PARAMETER),
        ("FROM:<> SIZE=-1", replies.BAD_PARAMETER),
        ("FROM:<> SIZE=" + "9" * 21, replies.BAD_PARAMETER),
        ("FROM:<> SIZE=1 size=2", replies.BAD_PARAMETER),
        ("FROM:<> SMTPUTF8=yes", replies.BAD_PARAMETER),
        ("FROM:<> SMTPUTF8=", replies.BAD_PARAMETER),
        ("FROM:<> BODY=BINARYMIME", replies.BAD_PARAMETER),
        ("FROM:<> \x85", replies.BAD_PARAMETER),
        ("FROM:<> =", replies.BAD_PARAMETER),
    ],
)
def test_mail(argument: str, expected: object) -> None:
    assert parse_mail(argument) == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("TO:<alice@relay.example>", ALICE),
        ("to:<alice@relay.example> ", ALICE),
        ("TO:<Postmaster>", Address("postmaster", "relay.example")),
        ("TO:<>", replies.BAD_RECIPIENT_ADDRESS),
        ("TO:<alice%third.example@relay.example>", replies.BAD_RECIPIENT_ADDRESS),
        ("TO:<third.example!alice@relay.example>", replies.BAD_RECIPIENT_ADDRESS),
        ("TO:<alice@relay.example> NOTIFY=NEVER", replies.UNKNOWN_PARAMETER),
        ("TO:<alice@relay.example>,<bob@relay.example>", replies.BAD_RCPT_SYNTAX),
        ("FROM:<alice@relay.example>", replies.BAD_RCPT_SYNTAX),
    ],
)
def test_rcpt(argument: str, expected: object) -> None:
    assert parse_rcpt(argument, "Relay.example") == expected


def test_host() -> None:
    assert is_host("c.example")
    assert is_host("[IPv6:2001:db8::1]")
    assert not any(map(is_host, ("", "two words", "\xe9", "a\tb", "a\x7f")))
