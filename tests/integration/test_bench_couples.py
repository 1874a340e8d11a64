# SPDX-License-Identifier: AGPL-3.0-or-later
"""The benchmark between relays measures what it says: the way that was asked for is the way that is taken, and everything arrives once."""

import pytest
from bench import federation
from bench.couples import RazdarCouple
from tests.lab.relay import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.namespace]


@pytest.mark.parametrize("by_smtp", [False, True])
def test_messages_go_the_way_that_was_asked_for(by_smtp: bool) -> None:
    with RazdarCouple("razdar", REPOSITORY, 1, by_smtp=by_smtp) as couple:
        couple.prepare(2)
        found = federation.measured(couple, 2, {"messages": 3})
        assert found["messages"] == 6
        assert found["p50_ms"] > 0
        entry = (couple.sending.data / "names.txt").read_text()
        assert ("https=9" in entry) == by_smtp
    assert not couple.sending.data.exists()


def test_a_file_is_sent_when_the_one_before_has_arrived() -> None:
    with RazdarCouple("razdar", REPOSITORY, 1) as couple:
        couple.prepare(1)
        assert federation.measured(couple, 1, {"messages": 2, "one_by_one": 1, "size_bytes": 300_000})["messages"] == 2
