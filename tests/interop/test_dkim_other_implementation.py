# SPDX-License-Identifier: AGPL-3.0-or-later
"""DKIM against `dkimpy`, both ways. It is published without a wheel, so it is no dependency: `pip install dkimpy` where this is to run.

Where it is not installed, what it signed (tests/mail/dkim/by-dkimpy-*.eml) and what it accepted (by-us.eml, always the same
bytes) stands for it. `python -m tests.interop.test_dkim_other_implementation` writes these files anew.
"""

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from razdar.adapters.dkim_key import DkimKey
from razdar.vault.dkim_key import verify
from razdar.wire.dkim.message import SignedMessage
from razdar.wire.dkim.sign import sign

FOLDER = Path(__file__).parent.parent / "mail/dkim"
LETTER = (FOLDER.parent / "accepted/text.eml").read_bytes()
FORMS = ("simple", "relaxed")
NOW = 1_760_000_000
other = pytest.mark.skipif(importlib.util.find_spec("dkim") is None, reason="dkimpy is not installed")

_LINE = st.text("ab \t", max_size=12).map(str.encode)
LETTERS = st.builds(
    lambda subject, before, lines, end: (
        b"From: <a@one.example>\r\nSubject:" + subject + b"x\r\n " + before + b"y\r\n\r\n" + b"\r\n".join(lines) + end
    ),
    _LINE,
    _LINE,
    st.lists(_LINE, max_size=6),
    st.sampled_from([b"c", b"\r\n", b"\r\n\r\n", b" \r\n\t\r\n"]),  # a last line of spaces only cannot travel by SMTP
)


@cache
def key() -> DkimKey:
    return DkimKey.load((FOLDER / "key.pem").read_bytes())


def signed_by_us(letter: bytes) -> bytes:
    return sign(letter, domain="one.example", selector="razdar", signer=key(), now=NOW) + letter


def signed_by_other(letter: bytes, header_form: str, body_form: str) -> bytes:
    dkim = importlib.import_module("dkim")
    forms = header_form.encode(), body_form.encode()
    pem = cast("Any", key()).private.private_bytes(*_pkcs1())
    return bytes(dkim.sign(letter, b"sel", b"one.example", pem, canonicalize=forms, include_headers=[b"From", b"Subject"])) + letter


def _pkcs1() -> tuple[Any, ...]:
    from cryptography.hazmat.primitives import serialization

    return serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()


def accepted_by_other(message: bytes) -> bool:
    dkim = importlib.import_module("dkim")
    return bool(dkim.verify(message, dnsfunc=lambda _, timeout=5: key().record()))


def accepted_by_us(message: bytes) -> bool:
    opened = SignedMessage(message)
    return any(opened.check(each, key().record(), verify, NOW) for each in opened.signatures())


@pytest.mark.parametrize("file", sorted(FOLDER.glob("by-dkimpy-*.eml")), ids=lambda file: file.stem)
def test_what_the_other_signed_once(file: Path) -> None:
    message = file.read_bytes()
    assert accepted_by_us(message)
    assert not accepted_by_us(message + b"more\r\n")


def test_what_the_other_accepted_once_is_what_we_write_today() -> None:
    assert signed_by_us(LETTER) == (FOLDER / "by-us.eml").read_bytes()


@other
@given(LETTERS)
@settings(max_examples=60, deadline=None)
def test_the_other_accepts_ours(letter: bytes) -> None:
    assert accepted_by_other(signed_by_us(letter))


@other
@given(LETTERS, st.sampled_from(FORMS), st.sampled_from(FORMS))
@settings(max_examples=60, deadline=None)
def test_we_accept_the_others(letter: bytes, header_form: str, body_form: str) -> None:
    assert accepted_by_us(signed_by_other(letter, header_form, body_form))


@other
@given(LETTERS, st.data())
@settings(max_examples=60, deadline=None)
def test_both_say_the_same_of_a_message_that_somebody_changed(letter: bytes, data: st.DataObject) -> None:
    """One byte of the text is another one; both may still accept it where the change is one of white space."""
    message = bytearray(signed_by_us(letter))
    start = len(message) - len(letter.partition(b"\r\n\r\n")[2])
    places = [at for at in range(start, len(message)) if message[at] not in b"\r\n"]
    if places:
        message[data.draw(st.sampled_from(places))] = data.draw(st.sampled_from(b"ab \t"))
        assert accepted_by_us(bytes(message)) == accepted_by_other(bytes(message))


def record() -> None:
    FOLDER.mkdir(exist_ok=True)
    if not (FOLDER / "key.pem").exists():
        (FOLDER / "key.pem").write_bytes(DkimKey.generate().pem())
    ours = signed_by_us(LETTER)
    assert accepted_by_other(ours)
    (FOLDER / "by-us.eml").write_bytes(ours)
    for header_form in FORMS:
        for body_form in FORMS:
            name = f"by-dkimpy-{header_form}-{body_form}.eml"
            (FOLDER / name).write_bytes(signed_by_other(LETTER, header_form, body_form))


if __name__ == "__main__":
    record()
