# SPDX-License-Identifier: AGPL-3.0-or-later
"""Token buckets and the bounded book of them."""

from razdar.policy.rate import RateBook, TokenBucket


def takes(book: RateBook, key: bytes, now_s: float, times: int) -> int:
    return sum(book.take(key, now_s) for _ in range(times))


def test_a_burst_then_the_rate() -> None:
    book = RateBook(per_minute=60, burst=10)
    assert takes(book, b"a", 0, 20) == 10
    assert takes(book, b"a", 0.9, 5) == 0
    assert takes(book, b"a", 3, 5) == 3
    assert takes(book, b"a", 1000, 20) == 10


def test_keys_do_not_share() -> None:
    book = RateBook(per_minute=60, burst=1)
    assert book.take(b"a", 0)
    assert book.take(b"b", 0)
    assert not book.take(b"a", 0)


def test_looking_counts_nothing() -> None:
    book = RateBook(per_minute=60, burst=1)
    assert all(book.has(b"a", 0) for _ in range(5))
    assert len(book) == 0
    book.take(b"a", 0)
    assert not book.has(b"a", 0.5)
    assert book.has(b"a", 1.5)


def test_a_refused_try_costs_nothing() -> None:
    bucket, may_go = TokenBucket.full(1, 1, 0).take(0)
    assert may_go
    for _ in range(100):
        bucket, may_go = bucket.take(0.5)
        assert not may_go
    assert bucket.take(1)[1]


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket, _ = TokenBucket.full(2, 1, 100).take(100)
    back = bucket.refilled(50)
    assert (back.tokens, back.at_s) == (1, 100)


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    book = RateBook(per_minute=1, burst=1, keys_max=100)
    for number in range(1000):
        book.take(b"%d" % number, 0)
    assert len(book) == 100
    assert not book.has(b"999", 0)
    assert book.has(b"0", 0)


def test_the_one_who_keeps_trying_is_not_forgotten() -> None:
    book = RateBook(per_minute=1, burst=1, keys_max=10)
    for number in range(100):
        book.take(b"busy", 0)
        book.take(b"%d" % number, 0)
    assert not book.has(b"busy", 0)


def test_what_was_given_back_was_not_counted() -> None:
    book = RateBook(60, 2)
    for _ in range(5):
        assert book.take(b"key", 0)
        book.give_back(b"key", 0)
    assert [book.take(b"key", 0) for _ in range(3)] == [True, True, False]
    book.give_back(b"other", 0)
    assert [book.take(b"other", 0) for _ in range(3)] == [True, True, False], "never above the burst"


def test_what_is_measured_afterwards_may_be_owed() -> None:
    book = RateBook(per_minute=60, burst=10)
    book.spend(b"a", 25, 0)
    assert not book.has(b"a", 15)
    assert book.has(b"a", 16.5)
    assert book.has(b"b", 0)
