# SPDX-License-Identifier: AGPL-3.0-or-later
"""Invariants of the books that count: never more than the rate, never a negative share, never more memory than the bound."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from razdar.model.ids import AccountId
from razdar.policy.quota import ShareBook, charge, unit_bytes
from razdar.policy.rate import TokenBucket

ACCOUNTS = st.integers(0, 5).map(lambda number: AccountId(bytes([number]) * 16))


@given(st.floats(1, 100), st.floats(0.01, 100), st.lists(st.floats(0, 10), max_size=60))
def test_never_more_than_burst_and_rate_allow(burst: float, per_second: float, pauses_s: list[float]) -> None:
    bucket, now_s, taken = TokenBucket.full(burst, per_second, 0), 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        bucket, may_go = bucket.take(now_s)
        taken += may_go
        assert taken <= burst + per_second * now_s + 1e-6
        assert -1e-9 <= bucket.tokens <= burst


@given(st.integers(0, 2**31), st.integers(64, 2**40), st.binary(min_size=4, max_size=8))
def test_a_charge_is_the_size_rounded_to_a_neighbouring_unit(size_bytes: int, quota_bytes: int, randomness: bytes) -> None:
    units = charge(size_bytes, quota_bytes, randomness)
    assert abs(units * unit_bytes(quota_bytes) - size_bytes) < unit_bytes(quota_bytes)


class Shares(RuleBasedStateMachine):
    """Compared with a plain table that never forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.book = ShareBook(recipients_max=3, senders_max=3)
        self.sent: dict[tuple[AccountId, AccountId], int] = {}

    @rule(recipient=ACCOUNTS, sender=ACCOUNTS, size_bytes=st.integers(1, 10_000))
    def add(self, recipient: AccountId, sender: AccountId, size_bytes: int) -> None:
        self.book.add(recipient, sender, size_bytes)
        self.sent[recipient, sender] = self.sent.get((recipient, sender), 0) + size_bytes

    @rule(recipient=ACCOUNTS, size_bytes=st.integers(0, 20_000))
    def release(self, recipient: AccountId, size_bytes: int) -> None:
        self.book.release(recipient, size_bytes)

    @rule(keep_days=st.integers(1, 20))
    def pass_day(self, keep_days: int) -> None:
        self.book.pass_day(keep_days)

    @invariant()
    def shares_are_between_nothing_and_what_was_sent(self) -> None:
        for (recipient, sender), size_bytes in self.sent.items():
            assert 0 <= self.book.share_bytes(recipient, sender) <= size_bytes + 1e-6

    @invariant()
    def memory_is_bounded(self) -> None:
        assert len(self.book) <= 9

    @invariant()
    def own_copies_are_exempt(self) -> None:
        for recipient, _ in self.sent:
            assert self.book.may_fill(recipient, recipient, 10**12, 1, 0.2)


TestShares = Shares.TestCase
TestShares.settings = settings(max_examples=40, stateful_step_count=25)
