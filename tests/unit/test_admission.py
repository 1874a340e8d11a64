# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may have a connection (servers/admission.py): bounds by network, by account and in all, and who gives way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from razdar.servers.admission import PATIENCE_S, Admission, AdmissionLimits, Ticket


@dataclass
class Street:
    """An admission with a clock, and everybody whose connection it ended."""

    limits: AdmissionLimits
    now_s: float = 0.0
    dropped: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admission = Admission(self.limits, bytes(32), lambda: self.now_s, self.told.append)

    def come(self, address: str, name: str = "") -> Ticket | None:
        return self.admission.enter(address, lambda: self.dropped.append(name))

    def comes(self, address: str, name: str = "") -> Ticket:
        ticket = self.come(address, name)
        assert ticket is not None
        return ticket


def street(**limits: int) -> Street:
    numbers = {"connections": 10, "strangers": 6, "strangers_per_network": 3, "visitors": 4, "visitors_per_network": 2, "per_account": 2}
    return Street(AdmissionLimits(**numbers | limits))


def test_strangers_of_one_network_are_bounded_and_others_come_in() -> None:
    here = street()
    for _ in range(3):
        here.comes("192.0.2.1")
    assert here.come("192.0.2.1") is None
    assert here.come("192.0.2.2") is not None
    assert here.told == ["connection.refused"]


def test_an_ipv6_customer_has_one_network_however_many_addresses() -> None:
    here = street()
    for host in range(3):
        here.comes(f"2001:db8:0:1::{host + 1}")
    assert here.come("2001:db8:0:1:ffff::1") is None
    assert here.come("2001:db8:0:2::1") is not None


def test_the_same_network_looks_the_same_and_says_nothing() -> None:
    one, other = Admission(AdmissionLimits(), bytes(32), lambda: 0), Admission(AdmissionLimits(), bytes([1] * 32), lambda: 0)
    assert one.network_of("192.0.2.1") == one.network_of("::ffff:192.0.2.1") != one.network_of("192.0.2.3")
    assert one.network_of("fe80::1%eth0") == one.network_of("fe80::2")
    assert one.network_of("192.0.2.1") != other.network_of("192.0.2.1"), "without the key of this start it names nobody"


def test_a_school_that_has_logged_in_does_not_count_for_its_network() -> None:
    here = street()
    for number in range(9):
        here.comes("192.0.2.1").log_in(bytes([number]))
    assert here.admission.members == 9
    assert here.come("192.0.2.1") is not None


def test_whoever_holds_a_place_without_logging_in_gives_way_after_a_while() -> None:
    here = street()
    for name in "abc":
        here.comes("192.0.2.1", name)
    here.now_s = PATIENCE_S
    here.comes("192.0.2.1", "d")
    assert here.dropped == ["a"]
    for host in range(3):
        here.comes(f"192.0.2.{10 + host}")
    assert here.come("192.0.2.99", "e") is not None, "in all, too, the oldest gives way"
    assert here.dropped == ["a", "b"]


def test_strangers_cannot_take_the_places_of_people() -> None:
    here = street()
    for host in range(6):
        here.comes(f"192.0.2.{host}")
    assert here.come("192.0.2.77") is None
    assert here.admission.members == 0
    assert len(here.admission) == 6


def test_when_all_places_are_peoples_a_stranger_waits_outside() -> None:
    here = street()
    members = []
    for number in range(10):
        members.append(here.comes(f"192.0.2.{number}"))
        members[-1].log_in(bytes([number]))
    here.now_s = 1000.0
    assert here.come("192.0.2.99") is None
    assert here.dropped == []
    members[0].leave()
    assert here.come("192.0.2.99") is not None


def test_of_one_account_the_oldest_connection_goes() -> None:
    here = street()
    tickets = [here.comes(f"192.0.2.{number}", str(number)) for number in range(3)]
    for ticket in tickets:
        ticket.log_in(b"anna")
    assert here.dropped == ["0"]
    assert here.admission.members == 2
    tickets[0].leave()
    assert here.admission.members == 2


def test_visits_of_pages_have_bounds_of_their_own() -> None:
    here = street()
    assert [here.comes("192.0.2.1").visit() for _ in range(3)] == [True, True, False]
    here.now_s = PATIENCE_S
    assert here.comes("192.0.2.1", "late").visit()
    assert len(here.dropped) == 1
    assert here.told == ["visit.refused", "connection.gave_way"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 5), st.floats(0, 20)), max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_bound_is_ever_broken(steps: list[tuple[int, int, int, float]]) -> None:
    here, tickets = street(), list[Ticket]()
    for action, place, number, pause_s in steps:
        here.now_s += pause_s
        if action == 0:
            ticket = here.come(f"192.0.2.{place}")
            tickets += [ticket] if ticket is not None else []
        elif tickets:
            ticket = tickets[number % len(tickets)]
            acts: dict[int, Callable[[], object]] = {1: partial(ticket.log_in, bytes([place])), 2: ticket.visit, 3: ticket.leave}
            acts[action]()
        groups = here.admission._groups.values()
        assert all(len(group.all) <= group.limit for group in groups)
        assert all(len(of_key) <= group.limit_per_key for group in groups for of_key in group.by_key.values())
        assert all(sum(map(len, group.by_key.values())) == len(group.all) for group in groups)
        assert here.admission.members <= here.limits.connections


@pytest.mark.parametrize("again", [1, 2])
def test_leaving_twice_is_leaving_once(again: int) -> None:
    here = street()
    ticket = here.comes("192.0.2.1")
    for _ in range(again):
        ticket.leave()
    ticket.log_in(b"anna")
    assert not ticket.visit()
    assert len(here.admission) == 0
