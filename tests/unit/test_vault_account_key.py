# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts: what an address and a password turn into (DESIGN section 4)."""

import time

import pytest

from razdar.model.address import Address
from razdar.model.ids import AccountId
from razdar.vault.account_key import HEAVY, LIGHT, cost_of, derive_id, make_account, relock, unlock

ANNA = Address("anna", "relay.example")
ID = AccountId(b"i" * 16)
LONG = "a password of a client"
SALT = b"s" * 16


def test_an_id_is_16_bytes_and_the_same_every_time() -> None:
    first = derive_id(b"k" * 32, ANNA)
    assert len(first) == 16
    assert derive_id(b"k" * 32, ANNA) == first


def test_an_id_depends_on_the_address_and_on_the_key() -> None:
    ids = {derive_id(key, address) for key in (b"k" * 32, b"l" * 32) for address in (ANNA, Address("anna", "other.example"))}
    assert len(ids) == 4


def test_trying_one_address_costs_3_ms_even_with_the_key() -> None:
    # The bound of DESIGN section 4. The fastest of five, so that a busy machine cannot hide a cheap setting.
    def once() -> float:
        started = time.perf_counter()
        derive_id(b"k" * 32, ANNA)
        return time.perf_counter() - started

    assert min(once() for _ in range(5)) >= 0.002  # a machine that is half as fast again may run this test
    assert LIGHT.memory_kib * LIGHT.iterations >= 8 * 1024


def test_the_password_unlocks() -> None:
    made = make_account(ID, LONG, SALT)
    key = unlock(ID, SALT, made.locked_key, LONG)
    assert key is not None
    assert key.public_bytes() == made.public_key
    assert (made.id, made.salt, len(made.public_key), len(made.locked_key)) == (ID, SALT, 32, 48)


@pytest.mark.parametrize("password", ["", LONG + "x", LONG[:-1], LONG.upper()])
def test_another_password_does_not(password: str) -> None:
    made = make_account(ID, LONG, SALT)
    assert unlock(ID, SALT, made.locked_key, password) is None


def test_a_locked_key_opens_only_in_its_own_account_and_unchanged() -> None:
    made = make_account(ID, LONG, SALT)
    assert unlock(AccountId(b"j" * 16), SALT, made.locked_key, LONG) is None
    assert unlock(ID, b"t" * 16, made.locked_key, LONG) is None
    assert unlock(ID, SALT, bytes([made.locked_key[0] ^ 1]) + made.locked_key[1:], LONG) is None


def test_a_changed_password_opens_the_same_key() -> None:
    made = make_account(ID, LONG, SALT)
    key = unlock(ID, SALT, made.locked_key, LONG)
    assert key is not None
    relocked = relock(key, "another long password", b"t" * 16)
    again = unlock(ID, b"t" * 16, relocked, "another long password")
    assert again is not None
    assert again.public_bytes() == made.public_key
    assert unlock(ID, b"t" * 16, relocked, LONG) is None


def test_short_passwords_cost_more() -> None:
    assert cost_of("x" * 15) is HEAVY
    assert cost_of("x" * 16) is LIGHT
    assert HEAVY.memory_kib * HEAVY.iterations > 4 * LIGHT.memory_kib * LIGHT.iterations


def test_two_accounts_with_one_password_have_nothing_in_common() -> None:
    first, second = (make_account(ID, LONG, salt) for salt in (SALT, b"t" * 16))
    assert first.public_key != second.public_key
    assert first.locked_key != second.locked_key


def test_a_private_key_does_not_show_itself() -> None:
    made = make_account(ID, LONG, SALT)
    key = unlock(ID, SALT, made.locked_key, LONG)
    assert repr(key) == "PrivateKey(…)"
