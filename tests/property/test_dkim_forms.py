# SPDX-License-Identifier: AGPL-3.0-or-later
"""The canonical forms against a slow and plain reading of RFC 6376 section 3.4; and what we sign proves, what is changed does not."""

import hashlib
import re
from functools import cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from razdar.adapters.dkim_key import DkimKey
from razdar.vault.dkim_key import verify
from razdar.wire.dkim.canonical import body_digest, field
from razdar.wire.dkim.message import SignedMessage
from razdar.wire.dkim.sign import SIGNED, sign
from razdar.wire.dkim.tags import TagError, parse_tags

BODIES = st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"  ", b"\r", b"\n", b"b c"]), max_size=30).map(b"".join)
VALUES = st.lists(st.sampled_from(["a", "b", " ", "\t", "\r\n ", "\r\n\t", ":", ";", "="]), max_size=12).map("".join)
NAMES = st.sampled_from([*SIGNED, "x-other", "Subject", "TO"])


@cache
def key() -> DkimKey:
    return DkimKey.generate()


def slow_body(body: bytes, *, is_relaxed: bool) -> bytes:
    lines = body.split(b"\r\n")
    if is_relaxed:
        lines = [re.sub(rb"[ \t]+", b" ", line).removesuffix(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    text = b"".join(line + b"\r\n" for line in lines)
    return text if text or is_relaxed else b"\r\n"


@given(BODIES, st.booleans())
@example(b"\r\n" * 10_000, True)
@example(b"a" + b"\r\n" * 9_000, False)
def test_bodies(body: bytes, is_relaxed: bool) -> None:
    assert body_digest(body, is_relaxed=is_relaxed) == hashlib.sha256(slow_body(body, is_relaxed=is_relaxed)).digest()


@given(NAMES, VALUES)
def test_fields(name: str, value: str) -> None:
    raw = f"{name}:{value}\r\n".encode()
    plain = re.sub(r"[ \t]+", " ", value.replace("\r\n", "")).strip(" ")
    assert field(raw, is_relaxed=True) == f"{name.lower()}:{plain}\r\n".encode()
    assert field(raw, is_relaxed=False) == raw
    assert field(field(raw, is_relaxed=True), is_relaxed=True) == field(raw, is_relaxed=True)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), BODIES, st.data())
@settings(max_examples=60, deadline=None)
def test_what_we_sign_proves_and_what_is_added_does_not(more: list[tuple[str, str]], body: bytes, data: st.DataObject) -> None:
    others = "".join(f"{name}: {value}x\r\n" for name, value in more if name != "from")
    letter = f"From: <a@one.example>\r\n{others}\r\n".encode() + body
    message = sign(letter, domain="one.example", selector="razdar", signer=key()) + letter
    signed = SignedMessage(message)
    (signature,) = signed.signatures()
    assert signed.check(signature, key().record(), verify, 0)
    added = data.draw(st.sampled_from(SIGNED)).encode() + b": more\r\n"
    longer = SignedMessage(added + message)
    assert not any(longer.check(each, key().record(), verify, 0) for each in longer.signatures())
    changed = SignedMessage(message + b"more\r\n")
    assert not changed.check(signature, key().record(), verify, 0)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True), st.from_regex(r"[!-:<-~]{0,12}", fullmatch=True), max_size=6))
def test_lists_of_tags(tags: dict[str, str]) -> None:
    text = ";".join(f" {name} = {value}\r\n " for name, value in tags.items())
    assert parse_tags(text.encode()) == tags


@given(st.binary(max_size=60))
def test_any_bytes_are_tags_or_an_error(data: bytes) -> None:
    try:
        assert all(name[0].isalpha() for name in parse_tags(data))
    except TagError:
        return
