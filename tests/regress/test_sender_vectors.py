# SPDX-License-Identifier: AGPL-3.0-or-later
"""The attacks of VECTORS "sender" that the header and the envelope can carry, each by its name there."""

import pytest

from razdar.model.address import Address, parse_address
from razdar.model.verdict import ACCEPT
from razdar.policy.sender import check_from, check_sender
from razdar.wire.smtp.replies import INVALID_FROM, MALFORMED_MESSAGE, NOT_YOUR_ADDRESS

LOGIN = Address("alialiali", "relay.test")
REST = b"To: <b@relay.test>\r\n\r\nbody\r\n"


def from_field(value: bytes) -> bytes:
    return b"From: " + value + b"\r\n" + REST


@pytest.mark.parametrize(
    "value",
    [
        b"alialiali@relay.test",
        b"<alialiali@relay.test>",
        b"  <AliAliAli@Relay.TEST>  ",
        b"Ali <alialiali@relay.test>",
        b'"Ali, of \\"Shiraz\\" <x@y>; (z)" <alialiali@relay.test>',
        b"=?utf-8?b?2LnZhNuM?= <alialiali@relay.test>",
        b"\xd8\xb9\xd9\x84\xdb\x8c <alialiali@relay.test>",
        b'"Ali"\r\n <alialiali@relay.test>',
    ],
)
def test_the_own_address_in_any_dress(value: bytes) -> None:
    assert check_from(from_field(value), LOGIN) == ACCEPT


@pytest.mark.parametrize(
    ("vector", "value"),
    [
        ("From differs from the login", b"<babakbabak@relay.test>"),
        ("another domain", b"<alialiali@other.test>"),
        ("two addresses", b"<alialiali@relay.test>, <babakbabak@relay.test>"),
        ("two addresses, own one last", b"babakbabak@relay.test, alialiali@relay.test"),
        ("the same address twice", b"<alialiali@relay.test>, <alialiali@relay.test>"),
        ("two pairs of brackets", b"<babakbabak@relay.test> <alialiali@relay.test>"),
        ("address in the name", b"babakbabak@relay.test <alialiali@relay.test>"),
        ("group", b"friends: alialiali@relay.test;"),
        ("empty group", b"friends:;"),
        ("comment", b"alialiali@relay.test (babakbabak@relay.test)"),
        ("comment before", b"(hello) <alialiali@relay.test>"),
        ("source route", b"<@other.test:alialiali@relay.test>"),
        ("% routing", b"<alialiali%relay.test@other.test>"),
        ("% routing back to us", b"<alialiali%other.test@relay.test>"),
        ("! routing", b"<relay.test!alialiali@relay.test>"),
        ("quoted local part", b'<"alialiali"@relay.test>'),
        ("Unicode look-alike", "<аlialiali@relay.test>".encode()),
        ("full-width letters", "<ａlialiali@relay.test>".encode()),
        ("Kelvin sign, which lower() folds to k", "<\u212aalialiali@relay.test>".encode()),
        ("dotless i", "<alıalıalı@relay.test>".encode()),
        ("trailing dot", b"<alialiali@relay.test.>"),
        ("space inside", b"<alialiali @relay.test>"),
        ("tab inside", b"<alialiali\t@relay.test>"),
        ("folded inside", b"<alialiali@\r\n relay.test>"),
        ("brackets never closed", b"<alialiali@relay.test"),
        ("quotation never closed", b'"Ali <alialiali@relay.test>'),
        ("text after the brackets", b"<alialiali@relay.test> Ali"),
        ("no address", b"Ali"),
        ("null sender", b"<>"),
        ("nothing", b""),
        ("encoded word instead of the address", b"=?utf-8?q?alialiali=40relay.test?="),
    ],
)
def test_anybody_elses_address(vector: str, value: bytes) -> None:
    assert check_from(from_field(value), LOGIN) == INVALID_FROM, vector


def test_two_from_fields() -> None:
    own, other = b"From: <alialiali@relay.test>\r\n", b"From: <babakbabak@relay.test>\r\n"
    for fields in (own + other, other + own, own + own, own + other.lower(), own + b"FROM: x\r\n"):
        assert check_from(fields + REST, LOGIN) == INVALID_FROM


def test_no_from_field() -> None:
    assert check_from(REST, LOGIN) == INVALID_FROM
    assert check_from(b"Sender: <alialiali@relay.test>\r\nResent-From: <alialiali@relay.test>\r\n" + REST, LOGIN) == INVALID_FROM


@pytest.mark.parametrize("fields", [b"From : <alialiali@relay.test>\r\n", b"Fr\0om: x\r\n", b" From: <alialiali@relay.test>\r\n", b""])
def test_a_from_field_that_parsers_differ_on(fields: bytes) -> None:
    message = fields + b"\r\n" if not fields else fields + REST
    assert check_from(message, LOGIN) == MALFORMED_MESSAGE


def test_the_envelope_sender_is_the_login() -> None:
    assert check_sender(LOGIN, parse_address("AliAliAli@RELAY.test")) == ACCEPT
    assert check_sender(LOGIN, parse_address("babakbabak@relay.test")) == NOT_YOUR_ADDRESS
    assert check_sender(LOGIN, parse_address("alialiali@other.test")) == NOT_YOUR_ADDRESS


def test_null_sender_by_a_user() -> None:
    assert check_sender(LOGIN, None) == NOT_YOUR_ADDRESS


def test_refusals_repeat_no_address() -> None:
    assert "@" not in INVALID_FROM.text + NOT_YOUR_ADDRESS.text
