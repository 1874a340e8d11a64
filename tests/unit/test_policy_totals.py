# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may be kept of totals, when something will be full, and how the relay is in one word: pure policies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.model.verdict import Refusal
from razdar.policy.forecast import days_left
from razdar.policy.health import Signs, findings, hour_in_a_word, state_of, worst
from razdar.policy.totals import ATTACKS, PEOPLE_FROM, REASONS, nearest, of_people, of_strangers, total_of
from razdar.wire.smtp import replies

COUNTS = st.integers(0, 10**7)


# totals


@given(COUNTS, st.integers(0, PEOPLE_FROM - 1))
def test_nothing_of_people_is_kept_where_there_are_few(count: int, accounts: int) -> None:
    assert of_people(count, accounts) is None
    assert of_strangers(count, accounts) % 100 == 0


@given(COUNTS, st.integers(PEOPLE_FROM, 10**6))
def test_totals_of_many_are_in_tens_and_near(count: int, accounts: int) -> None:
    kept = of_people(count, accounts)
    assert kept is not None
    assert kept % 10 == 0
    assert abs(kept - count) <= 5
    assert of_strangers(count, accounts) == kept


def test_four_messages_look_like_none() -> None:
    assert [of_people(count, 50) for count in (0, 1, 4, 5, 14, 15)] == [0, 0, 0, 10, 10, 20]
    assert nearest(149, 100) == 100


def test_each_refusal_of_a_message_has_a_reason_in_words() -> None:
    """What replies.py can say to a message is counted under a reason that the pages have words for."""
    counted = {total_of(f"message.refused.{each.code}") for each in vars(replies).values() if isinstance(each, Refusal)}
    assert counted <= {f"refused.{reason}" for reason in REASONS}
    assert total_of("message.refused.523") == "refused.encryption"
    assert total_of("message.refused.999") == "refused.other"


def test_knocks_are_counted_by_kind_and_the_rest_not_at_all() -> None:
    assert total_of("login.refused") == "attack.passwords"
    assert total_of("message.accepted") == "accepted"
    assert total_of("incoming.accepted") == "accepted"
    assert total_of("incoming.refused.proof") == "refused.sender"
    assert total_of("incoming.refused.552") == "refused.size"
    assert total_of("relay.ready") is None
    assert {"passwords", "connections", "smuggling", "peers", "flood", "names", "protocol"} <= set(ATTACKS)


# forecast


def test_a_disk_that_shrinks_evenly() -> None:
    assert days_left([(hour, 10_000 - 10 * hour) for hour in range(100)]) == (10_000 - 990) // 240


@pytest.mark.parametrize(
    "measured",
    [
        [],
        [(1, 100)],
        [(hour, 100 - hour) for hour in range(23)],  # less than a day
        [(hour, 100) for hour in range(200)],
        [(hour, 100 + hour) for hour in range(200)],
        [(hour, 10**9 - hour) for hour in range(200)],  # more than a year
    ],
)
def test_no_forecast_where_there_is_none(measured: list[tuple[int, int]]) -> None:
    assert days_left(measured) is None


def test_only_the_last_week_counts() -> None:
    grew = [(hour, 1000 + 100 * hour) for hour in range(500)]
    shrinks = [(500 + hour, 50_000 - 10 * hour) for hour in range(168)]
    assert days_left(grew + shrinks) == (50_000 - 1670) // 240


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 10**7)), max_size=60, unique_by=lambda pair: pair[0]))
def test_any_measurements_give_a_number_of_days_or_none(measured: list[tuple[int, int]]) -> None:
    days = days_left(sorted(measured))
    assert days is None or 0 <= days <= 365


# health

GRAVE = {
    "disk_full": Signs(is_disk_full=True),
    "certificate_over": Signs(certificate_days=-1),
    "logins_crowded": Signs(logins_waiting=160, logins_room=200),
    "peers_stuck": Signs(oldest_peer_s=4 * 3600),
}
AHEAD = {
    "certificate_soon": Signs(certificate_days=13),
    "disk_soon": Signs(disk_days_left=21),
    "memory_soon": Signs(memory_days_left=3),
    "no_room": Signs(turned_away=1),
    "bugs": Signs(bugs=1),
}


@pytest.mark.parametrize("key", [*GRAVE, *AHEAD])
def test_each_sign_has_its_finding(key: str) -> None:
    found = findings((GRAVE | AHEAD)[key])
    assert [finding.key for finding in found] == [key]
    assert state_of(found) == ("degraded" if key in GRAVE else "well")


@pytest.mark.parametrize(
    "signs",
    [Signs(), Signs(certificate_days=-400, is_self_signed=True), Signs(certificate_days=14), Signs(logins_waiting=159, logins_room=200)],
)
def test_no_sign_no_finding(signs: Signs) -> None:
    assert findings(signs) == []
    assert state_of([]) == "well"


@pytest.mark.parametrize(
    ("minutes", "word"),
    [
        ((60, 0, 0), "well"),
        ((58, 0, 2), "well"),
        ((50, 0, 10), "down"),
        ((40, 20, 0), "degraded"),
        ((0, 0, 0), "unknown"),
        ((1, 0, 0), "well"),
    ],
)
def test_an_hour_in_a_word(minutes: tuple[int, int, int], word: str) -> None:
    assert hour_in_a_word(*minutes) == word


def test_a_day_is_as_bad_as_its_worst_hour() -> None:
    assert worst(["well", "degraded", "unknown"]) == "degraded"
    assert worst(["well", "down", "degraded"]) == "down"
    assert worst(["unknown"] * 24) == worst([]) == "unknown"
