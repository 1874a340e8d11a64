# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whoever takes disk and keys does not learn who shares messages with whom: the attacker of docs/storage.md, run and bounded.

300 people and 1500 messages of mixed sizes to groups of mixed size, submitted through SMTP to a real relay, all waiting. What the bound is
worth is shown by the same attacker on stores that leak: there he must find what there is.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.linkage.attack import MESSAGES, PEOPLE
from tests.linkage.plan import draw_even, draw_lively
from tests.linkage.seized import Case, control, everything, live_log, main_file, play

pytestmark = pytest.mark.slow

ADVANTAGE = 0.05
"""Precision above chance that the main database file may give away."""
MUST_FIND = {
    "entries name their body": 0.99,
    "rows in order of arrival": 0.6,
    "exact size in the entry": 0.8,
    "order of arrival and exact size": 0.95,
}
"""Precision that the attacker must reach where a store leaks so; chance is 0.06. Otherwise it is he who is at fault."""
LIVELY_PEOPLE, LIVELY_MESSAGES, LIVELY_DAYS = 200, 600, 2


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    plans = [draw_even(seed, PEOPLE, MESSAGES) for seed in (1, 2)]
    return asyncio.run(play(plans, tmp_path_factory.mktemp("even")))


def test_the_towns_are_what_they_should_be(even: Sequence[Case]) -> None:
    for case in even:
        assert len(case.faces) == PEOPLE
        assert sum(case.answers) / len(case.answers) < 0.1


def test_the_main_file_gives_next_to_nothing_away(even: Sequence[Case]) -> None:
    """After a clean stop, with free pages and gaps."""
    found = main_file(even, raw=True)
    print(f"{found.everything}; beyond the numbers of messages {found.beyond}")
    assert found.everything.advantage <= ADVANTAGE
    assert found.layout.advantage <= ADVANTAGE
    assert found.everything.low < found.everything.advantage < found.everything.high


def test_nor_does_that_of_a_running_relay_in_a_pause(even: Sequence[Case]) -> None:
    assert everything(even, "idle").advantage <= ADVANTAGE


@pytest.mark.parametrize("name", MUST_FIND)
def test_the_attacker_finds_what_a_leaky_store_shows(even: Sequence[Case], tmp_path: Path, name: str) -> None:
    assert control(even, name, tmp_path).precision >= MUST_FIND[name]


def test_the_attacker_reads_pages_and_cells(even: Sequence[Case], tmp_path: Path) -> None:
    """Where rows lie in the order of arrival he needs no row ids: page numbers and offsets tell him."""
    assert control(even, "rows in order of arrival", tmp_path, ("layout",)).precision >= 0.4


def test_the_log_of_a_running_relay_names_pairs_and_is_emptied(even: Sequence[Case]) -> None:
    """What cannot be hidden is shown to be as docs/storage.md says: right while it lasts, and it does not last."""
    logs = [live_log(case) for case in even]
    assert sum(log.pairs for log in logs) > 0
    assert all(log.precision > 0.99 for log in logs if log.pairs)
    assert all(case.town.seizures[name].log_bytes == 0 for case in even for name in ("idle", "stopped"))


def test_where_numbers_tell_much_the_layout_adds_nothing(tmp_path: Path) -> None:
    """People differ in how much they write; some fetch, delete, keep and file, so pages become free and are used again."""
    plans = [draw_lively(seed, LIVELY_PEOPLE, LIVELY_MESSAGES, LIVELY_DAYS) for seed in (1, 2)]
    found = main_file(asyncio.run(play(plans, tmp_path)), raw=True)
    print(f"{found.everything}; numbers only {found.activity}; beyond {found.beyond}")
    assert found.beyond[0] <= ADVANTAGE
    assert found.activity.advantage > ADVANTAGE, "these towns are there because numbers tell much in them"
