# SPDX-License-Identifier: AGPL-3.0-or-later
"""policy/incoming.py: what mail from elsewhere must be, whoever sent it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.mail.make import encrypted_message, plain_message, secure_join_request

from razdar.environment import CHECKOUT
from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.policy.incoming import HOPS_MAX, Letter, read_letter
from razdar.wire.smtp import replies

OWN = "relay.example"
AUTHOR = Address("parisa123", "peer.example")
LETTER = encrypted_message(str(AUTHOR), ["x"])
REPORT = (CHECKOUT / "tests/mail/incoming/delivery-report.eml").read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_an_encrypted_message() -> None:
    assert read_letter(LETTER, OWN) == Letter(AUTHOR, is_report=False)


def test_a_secure_join_request() -> None:
    assert read_letter(secure_join_request(str(AUTHOR), "x@relay.example"), OWN) == Letter(AUTHOR, is_report=False)


def test_a_delivery_report() -> None:
    assert read_letter(REPORT, OWN) == Letter(Address("mailer-daemon", "elsewhere.test"), is_report=True)


def test_a_report_as_postfix_writes_it() -> None:
    changed = REPORT.replace(b"<MAILER-DAEMON@elsewhere.test>", b"MAILER-DAEMON@elsewhere.test (Mail Delivery System)")
    assert read_letter(changed, OWN) == Letter(Address("mailer-daemon", "elsewhere.test"), is_report=True)


def test_a_report_by_a_person_is_no_report() -> None:
    assert read_letter(REPORT.replace(b"MAILER-DAEMON@", b"somebody1@"), OWN) == replies.UNENCRYPTED


def test_what_is_not_encrypted() -> None:
    assert read_letter(plain_message(str(AUTHOR), "x@relay.example"), OWN) == replies.UNENCRYPTED


@pytest.mark.parametrize(
    "field",
    [
        b"From: <a@x.example>, <b@x.example>",
        b"From: <a@x.example>\r\nFrom: <b@x.example>",
        b"From: group: <a@x.example>;",
        b"From: a@x.example (b@y.example)",
        b"From: <@y.example:a@x.example>",
        b"From: <a%y.example@x.example>",
        b"From: <x.example!a@x.example>",
        b"From: \xd0\xb0@x.example",
        b"From: ",
        b"X-From: <a@x.example>",
    ],
)
def test_sender_exactly_one_author_whom_all_readers_see(field: bytes) -> None:
    changed = LETTER.replace(b"From: <parisa123@peer.example>", field)
    assert changed != LETTER
    assert read_letter(changed, OWN) == replies.INVALID_FROM


@pytest.mark.parametrize(
    ("domain", "own"),
    [
        ("relay.example", "relay.example"),
        ("RELAY.example", "relay.example"),
        ("[192.0.2.7]", "[192.0.2.7]"),
        ("[IPv6:2001:db8:0::7]", "[ipv6:2001:db8::7]"),
        ("[IPv6:::ffff:192.0.2.7]", "[192.0.2.7]"),
    ],
)
def test_sender_our_own_domain_from_elsewhere(domain: str, own: str) -> None:
    assert read_letter(encrypted_message(f"parisa123@{domain}", ["x"]), own) == replies.OWN_DOMAIN
    assert read_letter(REPORT.replace(b"elsewhere.test>\r\nTo", domain.encode() + b">\r\nTo"), own) == replies.OWN_DOMAIN


def test_relay_a_loop_ends() -> None:
    hop = b"Received: from x.example by y.example; Sat, 1 Nov 2025 00:00:00 +0000\r\n"
    assert isinstance(read_letter(hop * HOPS_MAX + LETTER, OWN), Letter)
    assert read_letter(hop * (HOPS_MAX + 1) + LETTER, OWN) == replies.LOOP


def test_header_limits() -> None:
    assert read_letter(LETTER, OWN, header_fields=3) == replies.MALFORMED_MESSAGE
    assert read_letter(LETTER, OWN, header_bytes=100) == replies.MALFORMED_MESSAGE


@given(st.binary(max_size=300), st.integers(0, len(LETTER)))
def test_any_bytes(junk: bytes, at: int) -> None:
    for message in (junk, LETTER[:at] + junk, LETTER[:at] + junk + LETTER[at:]):
        assert isinstance(read_letter(message, OWN), Letter | Refusal)
