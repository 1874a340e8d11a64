# SPDX-License-Identifier: AGPL-3.0-or-later
"""SASL responses (RFC 4616, RFC 4954): what becomes credentials and what does not."""

import pytest

from razdar.wire.smtp import replies, sasl
from razdar.wire.smtp.events import LoginOffered


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"\0alice@x.example\0secret", LoginOffered("alice@x.example", "secret")),
        (b"alice@x.example\0alice@x.example\0secret", LoginOffered("alice@x.example", "secret")),
        ("\0alice\0گذرواژه".encode(), LoginOffered("alice", "گذرواژه")),
        (b"bob@x.example\0alice@x.example\0secret", replies.AUTH_FAILED),
        (b"\0\0secret", replies.AUTH_MALFORMED),
        (b"\0alice\0", replies.AUTH_MALFORMED),
        (b"\0alice", replies.AUTH_MALFORMED),
        (b"", replies.AUTH_MALFORMED),
        (b"\0alice\0secret\0more", replies.AUTH_MALFORMED),
        (b"\0alice\r\nMAIL\0secret", replies.AUTH_MALFORMED),
        (b"\0alice\0sec\nret", replies.AUTH_MALFORMED),
        (b"\0alice\0\xff\xfe", replies.AUTH_MALFORMED),
    ],
)
def test_plain(response: bytes, expected: object) -> None:
    assert sasl.Plain().respond(response) == expected


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [
        (b"alice", b"secret", LoginOffered("alice", "secret")),
        (b"", b"secret", replies.AUTH_MALFORMED),
        (b"alice", b"", replies.AUTH_MALFORMED),
        (b"alice\0bob", b"secret", replies.AUTH_MALFORMED),
    ],
)
def test_login(user: bytes, password: bytes, expected: object) -> None:
    mechanism = sasl.Login()
    assert mechanism.respond(user) is replies.ASK_PASSWORD
    assert mechanism.respond(password) == expected


@pytest.mark.parametrize("text", ["YQ", "YQ=", "Y Q==", "YQ==YQ==", "YQ==\t", "é", "*", "Y===", "YR==x"])
def test_base64_is_strict(text: str) -> None:
    assert sasl.decode(text) is None


def test_base64() -> None:
    assert sasl.decode("YQ==") == b"a"
    assert sasl.decode("") == b""


def test_mechanisms_by_name() -> None:
    assert isinstance(sasl.start("plain"), sasl.Plain)
    assert isinstance(sasl.start("LOGIN"), sasl.Login)
    assert sasl.start("XOAUTH2") is None
    assert sasl.start("") is None


def test_nobody_is_named_by_a_repr() -> None:
    """Events may end up in a traceback or a log."""
    assert repr(LoginOffered("alice", "secret")) == "LoginOffered()"
