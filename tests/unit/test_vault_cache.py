# SPDX-License-Identifier: AGPL-3.0-or-later
"""The RAM-only short cuts: bounded, forgetful on request, and naming nobody."""

import pytest

from razdar.model.address import Address
from razdar.model.ids import AccountId
from razdar.vault.account_key import PrivateKey, make_account, unlock
from razdar.vault.cache import AddressCache, LoginCache

PASSWORD = "a long enough password"


def person(name: str) -> tuple[Address, PrivateKey]:
    account = AccountId(name.encode().ljust(16))
    key = unlock(account, bytes(16), make_account(account, PASSWORD, bytes(16)).locked_key, PASSWORD)
    assert key is not None
    return Address(name, "relay.example"), key


@pytest.fixture(scope="module")
def people() -> dict[str, tuple[Address, PrivateKey]]:
    return {name: person(name) for name in ("anna", "boris", "clara")}


People = dict[str, tuple[Address, PrivateKey]]


def test_an_address_is_remembered() -> None:
    cache = AddressCache(b"k" * 32)
    anna = Address("anna", "relay.example")
    assert cache.find(anna) is None
    cache.remember(anna, AccountId(b"1" * 16))
    assert cache.find(anna) == b"1" * 16
    assert cache.find(Address("ann", "arelay.example")) is None


def test_the_address_that_was_not_used_for_longest_goes_first() -> None:
    cache = AddressCache(b"k" * 32, limit=2)
    one, two, three = (Address(name, "relay.example") for name in ("one", "two", "three"))
    cache.remember(one, AccountId(b"1" * 16))
    cache.remember(two, AccountId(b"2" * 16))
    assert cache.find(one) is not None
    cache.remember(three, AccountId(b"3" * 16))
    assert cache.find(two) is None
    assert cache.find(one) is not None


def test_no_table_holds_an_address_or_a_password(people: People) -> None:
    addresses, logins = AddressCache(b"k" * 32), LoginCache(b"k" * 32)
    address, key = people["anna"]
    addresses.remember(address, key.account)
    logins.remember(address, PASSWORD, key.account, key)
    shown = repr(vars(addresses)) + repr(vars(logins))
    assert str(address) not in shown
    assert PASSWORD not in shown


def test_a_login_is_remembered_with_its_password_only(people: People) -> None:
    cache = LoginCache(b"k" * 32)
    address, key = people["anna"]
    cache.remember(address, PASSWORD, key.account, key)
    assert cache.find(address, PASSWORD) == (key.account, key)
    assert cache.find(address, PASSWORD + "x") is None
    assert cache.find(people["boris"][0], PASSWORD) is None


def test_forget_takes_every_password_of_one_account(people: People) -> None:
    cache = LoginCache(b"k" * 32)
    address, key = people["anna"]
    cache.remember(address, PASSWORD, key.account, key)
    cache.remember(address, "the one before", key.account, key)
    cache.remember(people["boris"][0], PASSWORD, people["boris"][1].account, people["boris"][1])
    cache.forget(key.account)
    assert cache.find(address, PASSWORD) is None
    assert cache.find(address, "the one before") is None
    assert cache.find(people["boris"][0], PASSWORD) is not None
    cache.forget(key.account)  # again, harmless


def test_logins_are_bounded_and_leave_nothing_behind(people: People) -> None:
    cache = LoginCache(b"k" * 32, limit=2)
    for address, key in people.values():
        cache.remember(address, PASSWORD, key.account, key)
    assert [cache.find(address, PASSWORD) is not None for address, _ in people.values()] == [False, True, True]
    cache.forget(people["anna"][1].account)
    assert len(vars(cache)["_by_account"]) == 2
