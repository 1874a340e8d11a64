# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who gets an account, and the names and passwords that the relay makes up."""

import random
import re
from collections import Counter

import pytest

from razdar.model.address import Address, parse_address
from razdar.model.verdict import ACCEPT
from razdar.policy.registration import RESERVED, make_credentials, may_register
from razdar.settings import Settings
from razdar.wire.smtp.replies import AUTH_FAILED

SETTINGS = Settings()
PASSWORD = "a-long-enough-one"


def named(local: str) -> Address:
    return Address(local, "relay.test")


@pytest.mark.parametrize("local", ["abcdefghi", "a1b2c3d4e", "a.b-c_d.e", "x" * 64, "123456789"])
def test_names_that_the_apps_make(local: str) -> None:
    assert may_register(named(local), PASSWORD, SETTINGS) == ACCEPT


@pytest.mark.parametrize("local", ["short", "12345678", "x" * 65, "with+plus1", "with/slash", "with=sign1", *RESERVED])
def test_other_names_look_like_a_wrong_password(local: str) -> None:
    assert may_register(named(local), PASSWORD, SETTINGS) == AUTH_FAILED


@pytest.mark.parametrize("registration", ["invite", "closed"])
def test_only_open_registration_makes_accounts_by_login(registration: str) -> None:
    assert may_register(named("abcdefghi"), PASSWORD, Settings(registration=registration)) == AUTH_FAILED


def test_password_length() -> None:
    assert may_register(named("abcdefghi"), "123456789", SETTINGS) == ACCEPT
    assert may_register(named("abcdefghi"), "12345678", SETTINGS) == AUTH_FAILED


def test_lengths_are_settings() -> None:
    settings = Settings(local_part_min=3, local_part_max=4, password_min=1)
    assert may_register(named("abc"), "x", settings) == ACCEPT
    assert may_register(named("ab"), "x", settings) == AUTH_FAILED
    assert may_register(named("abcde"), "x", settings) == AUTH_FAILED


def test_made_credentials_are_fit() -> None:
    rng = random.Random(3)
    for _ in range(200):
        address, password = make_credentials(rng.randbytes, "relay.test")
        assert re.fullmatch(r"[a-z0-9]{9}", address.local)
        assert re.fullmatch(r"[A-HJ-NP-Za-km-z2-9]{22}", password)
        assert parse_address(str(address)) == address
        assert may_register(address, password, SETTINGS) == ACCEPT


def test_letters_have_equal_chances() -> None:
    """Taking a byte modulo 36 would prefer the first four letters by a seventh."""
    rng = random.Random(4)
    counts = Counter(letter for _ in range(4000) for letter in make_credentials(rng.randbytes, "relay.test")[0].local)
    assert len(counts) == 36
    assert all(850 < count < 1150 for count in counts.values())  # 1000 on average, standard deviation 31


def test_entropy_that_is_thrown_away_is_asked_for_again() -> None:
    answers = iter([b"\xff" * 9, b"\x00" * 9, b"\xff" * 22, b"\x01" * 22])
    address, password = make_credentials(lambda _: next(answers), "relay.test")
    assert (address.local, password) == ("a" * 9, "b" * 22)
