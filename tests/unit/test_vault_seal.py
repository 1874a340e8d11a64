# SPDX-License-Identifier: AGPL-3.0-or-later
"""Seals, bodies and folders open for the right key, look alike, and break loudly."""

import struct
from dataclasses import replace

import pytest

from razdar.model.ids import AccountId, BodyId
from razdar.model.message import EntrySecret, Flag
from razdar.vault.account_key import PrivateKey, make_account, unlock
from razdar.vault.body import SMALLEST_BYTES, decrypt_body, encrypt_body, padded_size
from razdar.vault.folder import FOLDER_SEAL_BYTES, FolderSecret, seal_folder, unseal_folder
from razdar.vault.seal import SEAL_BYTES, SealBroken, seal, unseal

PASSWORD = "a long enough password"
KEY = b"c" * 32
SECRET = EntrySecret(BodyId(2**63 - 1), KEY, 3000, 1_700_000_000, Flag.SEEN | Flag.FETCHED, 0x8000_0001, 7, 2**62 - 1)


def new_key(name: bytes) -> PrivateKey:
    account = AccountId(name * 16)
    key = unlock(account, name * 16, make_account(account, PASSWORD, name * 16).locked_key, PASSWORD)
    assert key is not None
    return key


ANNA = new_key(b"a")
BORIS = new_key(b"b")


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def test_a_seal_opens_for_its_owner() -> None:
    assert unseal(ANNA, seal(ANNA.public_bytes(), SECRET)) == SECRET


def test_all_seals_are_equally_long() -> None:
    small = EntrySecret(BodyId(1), KEY, 0, 0)
    assert {len(seal(ANNA.public_bytes(), secret)) for secret in (small, SECRET)} == {SEAL_BYTES}


def test_seals_of_the_same_secret_have_nothing_in_common() -> None:
    first, second = (seal(ANNA.public_bytes(), SECRET) for _ in range(2))
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 12  # chance: 0.5 of 120, this many once in 10**13


def test_a_seal_stays_shut_for_somebody_else() -> None:
    with pytest.raises(SealBroken):
        unseal(BORIS, seal(ANNA.public_bytes(), SECRET))


@pytest.mark.parametrize("position", range(0, SEAL_BYTES, 7))
def test_a_changed_seal_is_broken(position: int) -> None:
    with pytest.raises(SealBroken):
        unseal(ANNA, flipped(seal(ANNA.public_bytes(), SECRET), position))


@pytest.mark.parametrize("junk", [b"", b"x", bytes(SEAL_BYTES), b"\xff" * SEAL_BYTES, bytes(SEAL_BYTES + 1)])
def test_junk_is_broken(junk: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(ANNA, junk)
    with pytest.raises(SealBroken):
        unseal_folder(ANNA, junk)
    with pytest.raises(SealBroken):
        decrypt_body(KEY, junk)


def test_a_folder_is_no_entry() -> None:
    # Both are HPKE for the same key; the context keeps them apart.
    with pytest.raises(SealBroken):
        unseal_folder(ANNA, seal(ANNA.public_bytes(), SECRET))
    with pytest.raises(SealBroken):
        unseal(ANNA, seal_folder(ANNA.public_bytes(), FolderSecret("Archive")))


def test_the_exception_tells_nothing() -> None:
    with pytest.raises(SealBroken) as caught:
        unseal(BORIS, seal(ANNA.public_bytes(), SECRET))
    assert caught.value.args == ()
    assert caught.value.__suppress_context__


def test_a_field_out_of_range_is_our_bug() -> None:
    with pytest.raises(struct.error):
        seal(ANNA.public_bytes(), replace(SECRET, size_bytes=2**32))


def test_a_body_opens_with_its_key() -> None:
    assert decrypt_body(KEY, encrypt_body(KEY, b"hello")) == b"hello"
    assert decrypt_body(KEY, encrypt_body(KEY, b"")) == b""


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SealBroken):
        decrypt_body(b"d" * 32, encrypt_body(KEY, b"hello"))


@pytest.mark.parametrize("position", [0, 3, 4, 2000, SMALLEST_BYTES - 17, SMALLEST_BYTES - 1])
def test_a_changed_body_is_broken(position: int) -> None:
    with pytest.raises(SealBroken):
        decrypt_body(KEY, flipped(encrypt_body(KEY, b"hello"), position))


def test_chat_messages_look_equally_long() -> None:
    assert {len(encrypt_body(KEY, bytes(size))) for size in (0, 1, 1500, 3000, SMALLEST_BYTES - 20)} == {SMALLEST_BYTES}
    assert len(encrypt_body(KEY, bytes(SMALLEST_BYTES - 19))) > SMALLEST_BYTES


def test_few_size_classes_up_to_the_largest_message() -> None:
    sizes = {padded_size(size) for size in range(0, 31_457_280, 1009)}
    assert len(sizes) < 56


def test_a_folder_keeps_name_keywords_and_subscription() -> None:
    secret = FolderSecret("بایگانی", ("$Forwarded", "NonJunk"), True)
    assert unseal_folder(ANNA, seal_folder(ANNA.public_bytes(), secret)) == secret


def test_all_folders_are_equally_long() -> None:
    full = FolderSecret("ن" * 100, tuple(f"{number:02}" + "k" * 38 for number in range(32)))
    assert {len(seal_folder(ANNA.public_bytes(), secret)) for secret in (FolderSecret(""), full)} == {FOLDER_SEAL_BYTES}


def test_a_folder_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError):
        seal_folder(ANNA.public_bytes(), FolderSecret("x" * 3000))
