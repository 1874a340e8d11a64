# SPDX-License-Identifier: AGPL-3.0-or-later
"""When which relay is due, who of them has a line, and what the operator sees of it: values, without tasks or a clock."""

import pytest

from razdar.model.ids import AccountId, MailboxId
from razdar.policy.retry import Pace
from razdar.ports.courier import Reason
from razdar.services.queue_folders import PeerFolder
from razdar.workers.peer import Lines, Peer
from razdar.workers.peer_state import shown, states_of
from razdar.workers.schedule import LOOK_S, Schedule

OWNER = AccountId(bytes(16))


def peer(number: int, due_s: float, failures: int = 0) -> Peer:
    """One message waits for it."""
    folder = PeerFolder(f"relay{number}.example", MailboxId(OWNER, number), waiting=1, exchanged=0, asked_s=0.0)
    return Peer(folder, oldest_day=10, pace=Pace(failures, due_s), review_s=1e9)


def schedule(*peers: Peer, lines: int = 100) -> Schedule:
    made = Schedule(Lines(lines))
    for each in peers:
        assert made.put(each)
    return made


def numbers(times: Schedule, now_s: float) -> list[int]:
    times.pass_to(now_s)
    return [each.folder.mailbox.folder for each, _ in times.begun()]


def test_whoever_is_due_first_begins_first() -> None:
    times = schedule(peer(1, 30.0), peer(2, 10.0), peer(3, 20.0), peer(4, 10.0))
    assert times.pause_s(5.0) == 5.0
    assert numbers(times, 9.9) == []
    assert numbers(times, 20.0) == [2, 4, 3]
    assert times.pause_s(20.0) == 10.0
    assert numbers(times, 30.0) == [1]
    assert times.pause_s(30.0) is None


def test_a_time_that_changed_is_in_force_and_the_old_one_is_not() -> None:
    sooner, later = peer(1, 30.0), peer(2, 10.0)
    times = schedule(sooner, later)
    sooner.pace, later.pace = Pace(0, 5.0), Pace(0, 40.0)
    assert times.put(sooner)
    assert times.put(later)
    assert not times.put(later)  # nothing new in it
    assert numbers(times, 5.0) == [1]
    assert numbers(times, 30.0) == []
    assert numbers(times, 40.0) == [2]


def test_who_is_being_worked_for_or_has_nothing_waiting_has_no_time() -> None:
    busy, empty = peer(1, 0.0), peer(2, 0.0)
    times = schedule(busy, empty)
    empty.folder.waiting = 0
    assert not times.put(empty)
    assert numbers(times, 0.0) == [1]
    assert not times.put(busy)
    assert numbers(times, 1e9) == []
    busy.is_working = False
    assert times.put(busy)
    assert numbers(times, 0.0) == [1]


def test_those_who_did_not_answer_leave_half_of_the_lines_to_others() -> None:
    times = schedule(*(peer(number, 0.0, failures=1) for number in (1, 2, 3)), peer(4, 0.0), peer(5, 0.0), peer(6, 0.0), lines=4)
    assert numbers(times, 0.0) == [4, 5, 6, 1]
    assert times.wanted == 0  # only those wait that did not answer, and nobody gives a line back for them
    times.lines.give(is_suspect=False)
    assert numbers(times, 0.0) == [2]


@pytest.mark.parametrize(("next_s", "pause_s"), [(1.0, 1.0), (1e6, LOOK_S)])
def test_while_somebody_waits_for_a_line_it_is_looked_often(next_s: float, pause_s: float) -> None:
    times = schedule(peer(1, 0.0), peer(2, 0.0), peer(3, next_s), lines=1)
    assert numbers(times, 0.0) == [1]
    assert times.wanted == 1
    assert times.pause_s(0.0) == pause_s


def test_the_operator_sees_who_waits_longest_first() -> None:
    quiet, new, old, busy = peer(1, 0.0), peer(2, 70.4), peer(3, 0.0, failures=2), peer(4, 0.0)
    quiet.folder.waiting, new.folder.waiting = 0, 5
    old.oldest_day, old.reason, busy.is_working = 7, Reason.NO_ROUTE, True
    assert shown(states_of([quiet, new, old, busy], 11, 10.0)) == [
        {"relay": "relay3.example", "waiting": 1, "oldest_days": 4, "reason": Reason.NO_ROUTE.value, "next_try_seconds": 0},
        {"relay": "relay2.example", "waiting": 5, "oldest_days": 1, "reason": None, "next_try_seconds": 60},
        {"relay": "relay4.example", "waiting": 1, "oldest_days": 1, "reason": None, "next_try_seconds": None},
    ]
