# SPDX-License-Identifier: AGPL-3.0-or-later
"""The coarse counter of a mailbox and the shares of its senders."""

import random

import pytest

from razdar.model.ids import AccountId
from razdar.policy.quota import UNITS, ShareBook, charge, is_full, unit_bytes

QUOTA = 500_000_000
ALI, BAHAR, CYRUS = AccountId(b"a" * 16), AccountId(b"b" * 16), AccountId(b"c" * 16)


def test_a_unit_is_a_64th_of_the_quota() -> None:
    assert unit_bytes(QUOTA) == 7_812_500
    assert unit_bytes(3) == 1


def test_whole_units_are_charged_exactly() -> None:
    for randomness in (bytes(4), b"\xff" * 4):
        assert charge(0, QUOTA, randomness) == 0
        assert charge(3 * unit_bytes(QUOTA), QUOTA, randomness) == 3


def test_the_rest_is_rounded_by_chance() -> None:
    half = unit_bytes(QUOTA) // 2
    assert charge(half, QUOTA, bytes(4)) == 1
    assert charge(half, QUOTA, b"\x7f\xff\xff\xff") == 1
    assert charge(half, QUOTA, b"\x80\x00\x00\x00") == 0
    assert charge(unit_bytes(QUOTA) + half, QUOTA, bytes(4)) == 2
    assert charge(1, QUOTA, b"\xff" * 4) == 0


def test_the_mean_is_exact() -> None:
    rng = random.Random(1)
    sizes = [rng.randrange(1, 3_000_000) for _ in range(20_000)]
    charged = sum(charge(size, QUOTA, rng.randbytes(4)) for size in sizes) * unit_bytes(QUOTA)
    assert charged == pytest.approx(sum(sizes), rel=0.05)  # 5 standard deviations are 4 %


def test_a_short_text_leaves_no_trace_in_most_cases() -> None:
    rng = random.Random(2)
    assert sum(charge(3000, QUOTA, rng.randbytes(4)) for _ in range(1000)) <= 5


def test_full_means_that_the_next_message_would_go_over() -> None:
    assert not is_full(0, QUOTA, QUOTA)
    assert is_full(0, QUOTA + 1, QUOTA)
    assert not is_full(UNITS - 1, unit_bytes(QUOTA), QUOTA)
    assert is_full(UNITS - 1, unit_bytes(QUOTA) + 1, QUOTA)
    assert is_full(UNITS, 1, QUOTA)


def test_one_sender_fills_a_fifth_at_most() -> None:
    book = ShareBook()
    assert book.may_fill(ALI, BAHAR, 100, 500, 0.2)
    book.add(ALI, BAHAR, 100)
    assert not book.may_fill(ALI, BAHAR, 1, 500, 0.2)
    assert book.may_fill(ALI, CYRUS, 100, 500, 0.2)
    assert book.may_fill(CYRUS, BAHAR, 100, 500, 0.2)


def test_own_copies_are_exempt() -> None:
    book = ShareBook()
    book.add(ALI, ALI, 10**9)
    assert len(book) == 0
    assert book.may_fill(ALI, ALI, 10**9, 500, 0.2)


def test_what_the_owner_deletes_is_given_back_in_proportion() -> None:
    book = ShareBook()
    book.add(ALI, BAHAR, 300)
    book.add(ALI, CYRUS, 100)
    book.release(ALI, 200)
    assert (book.share_bytes(ALI, BAHAR), book.share_bytes(ALI, CYRUS)) == (150, 50)
    book.release(ALI, 1000)
    assert len(book) == 0
    book.release(ALI, 1000)
    assert len(book) == 0


def test_shares_grow_old_with_the_messages() -> None:
    book = ShareBook()
    book.add(ALI, BAHAR, 1000)
    for _ in range(20):
        book.pass_day(20)
    assert book.share_bytes(ALI, BAHAR) == pytest.approx(358, abs=1)
    for _ in range(200):
        book.pass_day(20)
    assert len(book) == 0
    book.add(ALI, BAHAR, 1000)
    book.pass_day(0)
    assert len(book) == 0


def test_an_empty_mailbox_forgets() -> None:
    book = ShareBook()
    book.add(ALI, BAHAR, 1000)
    book.forget(ALI)
    book.forget(CYRUS)
    assert book.share_bytes(ALI, BAHAR) == 0


def test_memory_is_bounded_and_the_largest_shares_stay() -> None:
    book = ShareBook(recipients_max=5, senders_max=10)
    book.add(ALI, BAHAR, 10**6)
    for number in range(1000):
        book.add(ALI, AccountId(b"%16d" % number), 100)
    assert book.share_bytes(ALI, BAHAR) == 10**6
    assert len(book) <= 10
    for number in range(100):
        book.add(AccountId(b"%16d" % number), BAHAR, 100)
    assert len(book) == 5
    assert book.share_bytes(ALI, BAHAR) == 0
