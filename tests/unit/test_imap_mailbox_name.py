# SPDX-License-Identifier: AGPL-3.0-or-later
"""Modified UTF-7 (RFC 3501 section 5.1.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.wire.errors import PeerError
from razdar.wire.imap.mailbox_name import decode_name, decode_text, encode_name


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"inBox", "INBOX"),
        (b"inbox/x", "inbox/x"),
        (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
        (b"A&-B", "A&B"),
        (b"&BkYGJwZFBkc-", "نامه"),
        (b"", ""),
    ],
)
def test_names(wire: bytes, name: str) -> None:
    assert decode_name(wire) == name


@pytest.mark.parametrize(
    "wire",
    [
        b"&Jjo",  # never shifted back
        b"&AGE-",  # "a" must be written as "a"
        b"&Jjo-&Jjo-",  # one shift, not two
        b"&A-",
        b"&Jj!-",
        b"&2D3cAA",  # half a surrogate pair
        b"&2D0-",
        b"\xc3\xa9",
        b"a\x01",
        b"&AAA-",  # NUL
        b"&AA0ACg-",  # CR LF
        b"x" * 1001,
    ],
)
def test_what_is_no_name(wire: bytes) -> None:
    with pytest.raises(PeerError):
        decode_name(wire)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100))
def test_every_name_comes_back(name: str) -> None:
    encoded = encode_name(name)
    assert encoded.isascii()
    assert decode_text(encoded) == name


@given(st.binary(max_size=60) | st.text("&-,+/aAQ", max_size=30).map(str.encode))
def test_two_spellings_never_mean_one_name(wire: bytes) -> None:
    try:
        name = decode_text(wire)
    except PeerError:
        return
    assert encode_name(name) == wire
