# SPDX-License-Identifier: AGPL-3.0-or-later
"""policy/retry.py and policy/queue_room.py: when a relay is tried again, when waiting ends, how much may wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.model.ids import AccountId
from razdar.policy.queue_room import QueueRoom
from razdar.policy.retry import JITTER, LONGEST_S, RESTED, SIGN_PAUSE_S, interval_s, is_over, keep_days
from razdar.settings import Settings

SETTINGS = Settings()
ANNA, BORIS = AccountId(b"a" * 16), AccountId(b"b" * 16)


def test_intervals_double_up_to_an_hour() -> None:
    assert [interval_s(failures, 0.5) for failures in range(1, 11)] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


@given(st.integers(1, 10**9), st.floats(0, 1))
def test_intervals_are_bounded_and_jittered(failures: int, chance: float) -> None:
    middle = interval_s(failures, 0.5)
    assert middle * (1 - JITTER) <= interval_s(failures, chance) <= middle * (1 + JITTER)
    assert middle <= LONGEST_S


def test_a_sign_of_life_brings_forward_and_never_puts_off() -> None:
    pace = RESTED.failed(100.0, 0.5).failed(200.0, 0.5)
    assert (pace.failures, pace.due_s) == (2, 260.0)
    assert pace.sign(205.0).due_s == 200.0 + SIGN_PAUSE_S
    assert pace.sign(230.0).due_s == 230.0
    assert pace.sign(500.0).due_s == 260.0
    assert pace.sign(230.0).failures == 2
    assert RESTED.sign(5.0) == RESTED


@pytest.mark.parametrize(
    ("is_known", "is_gone", "days"),
    [(True, False, 60), (False, False, 5), (True, True, 5), (False, True, 0)],
)
def test_how_long_is_waited(is_known: bool, is_gone: bool, days: int) -> None:
    assert keep_days(is_known=is_known, is_gone=is_gone, settings=SETTINGS) == days


def test_the_day_of_queueing_does_not_count() -> None:
    assert not is_over(10, 15, 5)
    assert is_over(10, 16, 5)
    assert is_over(10, 10, 0)


def test_room_is_counted_by_account_and_never_below_nothing() -> None:
    room, settings = QueueRoom(), Settings(queue_messages=10, queue_bytes=1_048_576, queue_share=0.5)
    assert room.has_room(ANNA, 5, 500_000, settings)
    room.came(5)
    room.add(ANNA, 5, 500_000)
    assert not room.has_room(ANNA, 1, 0, settings)
    assert room.has_room(BORIS, 5, 500_000, settings)
    assert not room.has_room(BORIS, 6, 0, settings)
    assert not room.has_room(None, 6, 0, settings)
    assert room.has_room(None, 5, 0, settings)
    for _ in range(7):  # of the last two, which waited before the restart, nobody knew whose they were
        room.release(ANNA, 100_000)
    assert (room.messages, room.size_bytes) == (0, 0)
    assert room.has_room(ANNA, 5, 0, settings)
    assert not room._messages
    assert not room._bytes
