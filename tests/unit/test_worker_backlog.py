# SPDX-License-Identifier: AGPL-3.0-or-later
"""In which order what waits for one other relay goes, and when a further line is worth it: a value, without tasks."""

import pytest

from razdar.model.ids import AccountId, BodyId, MailboxId, Uid
from razdar.model.message import EntrySecret
from razdar.policy.retry import BREAKS, Pace
from razdar.services.queue_folders import PeerFolder
from razdar.services.settlement import Waiting
from razdar.workers.backlog import MESSAGES_A_LINE, WINDOW, Backlog
from razdar.workers.peer import Peer
from razdar.workers.sending_memory import LARGE_BYTES


@pytest.fixture
def backlog() -> Backlog:
    folder = PeerFolder("other.example", MailboxId(AccountId(bytes(16))), waiting=0, exchanged=0, asked_s=0.0)
    return Backlog(Peer(folder, oldest_day=0))


def waiting(uid: int, sender: int, size_bytes: int = 100) -> Waiting:
    return Waiting(Uid(uid), EntrySecret(BodyId(0), bytes(32), size_bytes, 0, keywords=sender), expires=4_000)


def uids(*numbers: int) -> list[Uid]:
    return [Uid(number) for number in numbers]


def taken(backlog: Backlog) -> int | None:
    got = backlog.take()
    return None if got is None else got.uid


def test_what_one_person_sends_stays_in_order(backlog: Backlog) -> None:
    first, second, others = waiting(1, 7), waiting(2, 7), waiting(3, 8)
    backlog.opened([first, second, others])
    assert (taken(backlog), taken(backlog), taken(backlog)) == (1, 3, None)
    assert not backlog.is_quiet
    backlog.put_down(others)
    assert taken(backlog) is None
    backlog.put_down(first)
    assert taken(backlog) == 2
    backlog.put_down(second)
    assert backlog.is_quiet


def test_what_the_store_has_shown_is_not_taken_twice(backlog: Backlog) -> None:
    assert backlog.add(Uid(5))
    assert backlog.add(Uid(6))
    assert backlog.found(uids(3, 5)) == 3
    assert not backlog.add(Uid(4))
    assert backlog.add(Uid(7))
    assert backlog.to_open(0.0) == uids(3, 5, 6, 7)


def test_what_is_not_there_any_more_is_forgotten(backlog: Backlog) -> None:
    backlog.peer.deferred = {Uid(1): Pace(), Uid(2): Pace()}
    backlog.found(uids(2))
    assert backlog.peer.deferred.keys() == {2}


def test_what_the_line_broke_at_goes_last(backlog: Backlog) -> None:
    backlog.peer.breaks.update({Uid(1): BREAKS, Uid(2): BREAKS - 1})
    backlog.found(uids(1, 2, 3))
    assert backlog.to_open(0.0) == uids(2, 3, 1)
    backlog.opened([waiting(1, 1), waiting(2, 2), waiting(3, 3)])
    assert [taken(backlog) for _ in range(3)] == [2, 3, 1]


def test_what_was_turned_away_is_opened_when_it_is_due(backlog: Backlog) -> None:
    backlog.peer.deferred = {Uid(1): Pace(1, 50.0), Uid(2): Pace(1, 49.0)}
    backlog.found(uids(1, 2, 3))
    assert backlog.to_open(49.0) == uids(2, 3)
    assert not backlog.is_short  # the next run looks at it again


def test_one_message_is_enough_to_find_the_door_closed(backlog: Backlog) -> None:
    backlog.peer.pace = Pace(failures=1)
    backlog.found(uids(1, 2))
    assert backlog.to_open(0.0) == uids(1)
    backlog.opened([])
    assert not backlog.is_trial
    backlog.opened([waiting(2, 1)])
    assert backlog.is_trial
    backlog.peer.pace = Pace()
    assert not backlog.is_trial


def test_so_many_are_opened_ahead(backlog: Backlog) -> None:
    backlog.found(uids(*range(1, 2 * WINDOW + 1)))
    opened = backlog.to_open(0.0)
    assert len(opened) == WINDOW
    backlog.opened([waiting(uid, uid) for uid in opened[: WINDOW // 2]])
    assert not backlog.is_short
    backlog.take()
    assert backlog.is_short


def test_how_old_the_first_is_is_known_when_it_is_opened(backlog: Backlog) -> None:
    first = waiting(1, 1)
    backlog.opened([first])
    assert backlog.peer.oldest_day == first.queued_day


@pytest.mark.parametrize(("size_bytes", "is_wanted"), [(LARGE_BYTES, True), (LARGE_BYTES - 1, False)])
def test_a_large_message_holds_up_nobodys_short_one(backlog: Backlog, size_bytes: int, is_wanted: bool) -> None:
    backlog.opened([waiting(1, 1, size_bytes), waiting(2, 1), waiting(3, 2)])
    assert not backlog.is_held_up
    backlog.take()
    assert backlog.is_held_up is is_wanted
    assert backlog.wants_line(1) is is_wanted


def test_a_line_more_for_senders_who_could_use_it(backlog: Backlog) -> None:
    backlog.opened([waiting(uid, 1) for uid in range(1, 2 * MESSAGES_A_LINE)])
    backlog.take()
    assert not backlog.wants_line(1)  # all of one person
    backlog.opened([waiting(99, 2), waiting(100, 2)])
    assert backlog.wants_line(1)
    assert backlog.wants_line(2)
    assert not backlog.wants_line(3)
