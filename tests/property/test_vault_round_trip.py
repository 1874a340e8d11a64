# SPDX-License-Identifier: AGPL-3.0-or-later
"""Value → bytes → value for everything that the vault makes, and any bytes at all for everything that it opens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from razdar.model.ids import AccountId, BodyId
from razdar.model.message import EntrySecret, Flag
from razdar.vault.account_key import make_account, unlock
from razdar.vault.body import decrypt_body, encrypt_body, padded_size
from razdar.vault.folder import FolderSecret, seal_folder, unseal_folder
from razdar.vault.seal import SEAL_BYTES, SealBroken, seal, unseal

PASSWORD = "a long enough password"
ACCOUNT = AccountId(b"a" * 16)
_opened = unlock(ACCOUNT, b"s" * 16, make_account(ACCOUNT, PASSWORD, b"s" * 16).locked_key, PASSWORD)
assert _opened is not None
KEY = _opened

secrets = st.builds(
    EntrySecret,
    body=st.integers(1, 2**63 - 1).map(BodyId),
    content_key=st.binary(min_size=32, max_size=32),
    size_bytes=st.integers(0, 2**32 - 1),
    internal_date=st.integers(-(2**63), 2**63 - 1),
    flags=st.integers(0, 0xFFFF).map(Flag),
    keywords=st.integers(0, 2**32 - 1),
    charge=st.integers(0, 2**32 - 1),
    share=st.integers(1, 2**62 - 1),
)


@given(secrets)
def test_entries(secret: EntrySecret) -> None:
    sealed = seal(KEY.public_bytes(), secret)
    assert len(sealed) == SEAL_BYTES
    assert unseal(KEY, sealed) == secret


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=9000))
def test_bodies(content_key: bytes, message: bytes) -> None:
    blob = encrypt_body(content_key, message)
    assert len(blob) == padded_size(len(message))
    assert decrypt_body(content_key, blob) == message


@given(st.text(max_size=60), st.lists(st.text(max_size=10), max_size=10), st.booleans())
def test_folders(name: str, keywords: list[str], is_subscribed: bool) -> None:
    try:
        name.encode(), "".join(keywords).encode()
    except UnicodeEncodeError:  # half a surrogate pair comes from no client: names arrive as UTF-8
        return
    secret = FolderSecret(name, tuple(keywords), is_subscribed)
    assert unseal_folder(KEY, seal_folder(KEY.public_bytes(), secret)) == secret


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_broken_seals_and_nothing_worse(junk: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, junk)
    with pytest.raises(SealBroken):
        unseal_folder(KEY, junk)
    with pytest.raises(SealBroken):
        decrypt_body(b"k" * 32, junk)


@given(st.integers(0, 40_000_000))
def test_padding_costs_at_most_a_quarter(size: int) -> None:
    needed = size + 20  # length and tag
    assert needed <= padded_size(size)
    assert padded_size(size) <= max(4040, needed * 1.25)


@given(st.integers(0, 40_000_000), st.integers(0, 40_000_000))
def test_a_longer_message_is_never_in_a_smaller_class(one: int, other: int) -> None:
    assert (one <= other) <= (padded_size(one) <= padded_size(other))
