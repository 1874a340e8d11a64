# SPDX-License-Identifier: AGPL-3.0-or-later
"""Totals by the hour: what is kept, what survives a restart, and what a wrong clock does to it."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest
from tests.service_world import FakeClock

from razdar.services.hours import DAYS_KEPT, Book, Hour, unpack
from razdar.services.statistics import PeerState, Sample, Statistics

START_S = 500_000 * 3600
"""At the beginning of an hour."""


@dataclass
class Machine:
    """A relay that is told the time."""

    accounts: int = 60
    kept: bytes = b""
    clock: FakeClock = field(default_factory=lambda: FakeClock(START_S, 0.0))
    events: dict[str, int] = field(default_factory=dict)
    connections: int = 33
    peers: tuple[PeerState, ...] = ()
    is_disk_full: bool = False
    disk_free: int = 1000 << 20

    def __post_init__(self) -> None:
        self.start()

    async def _save(self, content: bytes) -> None:
        self.kept = content

    def start(self) -> None:
        self.statistics = Statistics(self.clock, self.kept, self._save)
        self.events = {}

    def stop(self) -> None:
        asyncio.run(self.statistics.save())

    def go(self, minutes: int) -> None:
        for _ in range(minutes):
            self.clock.now_s += 60
            self.clock.monotonic_s += 60
            self.tick()

    def tick(self) -> None:
        sample = Sample(
            accounts=self.accounts,
            connections=self.connections,
            events=self.events,
            peers=self.peers,
            disk_free_bytes=self.disk_free,
            disk_bytes=4000 << 20,
            is_disk_full=self.is_disk_full,
        )
        asyncio.run(self.statistics.tick(sample))

    def count(self, event: str, amount: int) -> None:
        self.events[event] = self.events.get(event, 0) + amount

    @property
    def last(self) -> Hour:
        return self.statistics.hours(1)[0]

    def states(self, hours: int) -> list[str]:
        """Of the last whole hours, oldest first."""
        flat = [state for _, day in self.statistics.strip() for state in day]
        now = len(flat) - 24 + self.clock.now_s // 3600 % 24
        return list(flat[now - hours : now])


def test_an_hour_is_shown_when_it_is_over_and_rounded() -> None:
    machine = Machine()
    machine.count("message.accepted", 123)
    machine.count("message.delivered", 246)
    machine.count("message.refused.523", 17)
    machine.count("message.refused.550", 4)
    machine.count("login.refused", 96)
    machine.go(59)
    assert machine.last == Hour(499_999)
    machine.go(1)
    hour = machine.last
    assert (hour.hour, hour.accepted, hour.delivered, hour.connections) == (500_000, 120, 250, 30)
    assert hour.refused == {"encryption": 20}
    assert hour.attacks == {"passwords": 100}
    assert hour.disk_free == 1000


def test_nothing_of_few_people_is_kept_in_memory_or_on_disk() -> None:
    machine = Machine(accounts=49)
    machine.count("message.accepted", 1237)
    machine.count("message.refused.523", 1237)
    machine.count("login.refused", 1237)
    machine.peers = (PeerState("other.example", 1237, 60, ""),)
    machine.connections = 1237
    machine.go(60)
    machine.stop()
    hour = machine.last
    assert (hour.connections, hour.accepted, hour.delivered, hour.refused, hour.waiting) == (None,) * 5
    assert hour.attacks == {"passwords": 1200}
    assert b"1237" not in machine.kept
    assert b"other" not in machine.kept


def test_the_file_never_holds_an_exact_number() -> None:
    machine = Machine()
    machine.count("message.accepted", 1234)
    machine.go(30)
    machine.stop()
    assert b"1234" not in machine.kept
    assert [row[2] for row in json.loads(machine.kept)["hours"]] == [1230]


def test_a_restart_within_an_hour_goes_on_counting() -> None:
    machine = Machine()
    machine.count("message.accepted", 100)
    machine.go(20)
    machine.stop()
    machine.start()
    machine.count("message.accepted", 50)
    machine.go(40)
    assert machine.last.accepted == 150
    assert machine.states(1) == ["well"]


def test_events_of_a_peer_that_starts_anew_are_not_counted_twice() -> None:
    """Counters begin at 0 with each start of the process; within one they only go up."""
    machine = Machine()
    machine.count("message.accepted", 100)
    machine.go(5)
    machine.go(55)
    assert machine.last.accepted == 100
    machine.go(60)
    assert machine.last.accepted == 0


# down time


def test_down_time_is_found_at_the_next_start() -> None:
    machine = Machine()
    machine.go(90)
    machine.stop()
    machine.clock.now_s += 3 * 3600
    machine.clock.monotonic_s = 5.0  # the machine was off
    machine.start()
    machine.go(90)
    assert machine.states(6) == ["well", "down", "down", "down", "down", "well"]


def test_a_short_restart_is_no_down_time() -> None:
    machine = Machine()
    machine.go(30)
    machine.stop()
    machine.clock.now_s += 240
    machine.start()
    machine.go(30)
    assert machine.states(1) == ["well"]


def test_after_a_crash_the_last_ten_minutes_count_as_down_at_most() -> None:
    machine = Machine()
    machine.go(25)  # saved at 10 and 20
    machine.start()
    machine.go(35)
    assert machine.states(1) == ["well"]


def test_a_clock_that_went_back_makes_no_down_time() -> None:
    """A machine without a battery clock wakes up in 1970."""
    machine = Machine()
    machine.go(120)
    machine.stop()
    machine.clock.now_s = 7200
    machine.start()
    machine.go(60)
    assert machine.states(1) == ["well"]
    machine.clock.now_s = START_S + 5 * 3600  # the time arrives over the network
    machine.go(60)
    assert machine.states(6) == ["well", "well", "unknown", "unknown", "unknown", "well"]


def test_a_jump_while_running_is_unknown_not_down() -> None:
    machine = Machine()
    machine.go(60)
    machine.clock.now_s += 3 * 3600
    machine.go(60)
    assert machine.states(5)[0] == "well"
    assert "down" not in machine.states(5)


def test_a_machine_that_was_suspended_is_not_said_to_have_been_well() -> None:
    machine = Machine()
    machine.go(60)
    machine.clock.now_s += 10 * 3600
    machine.clock.monotonic_s += 10 * 3600
    machine.tick()
    assert machine.states(9) == ["unknown"] * 9


def test_an_hour_that_comes_twice_is_added_to() -> None:
    machine = Machine()
    machine.count("message.accepted", 100)
    machine.go(60)
    machine.clock.now_s -= 3600
    machine.go(1)
    machine.count("message.accepted", 50)
    machine.go(59)
    assert machine.last.accepted == 150


def test_a_gap_of_years_costs_no_time() -> None:
    machine = Machine()
    machine.go(60)
    machine.stop()
    machine.clock.now_s += 40 * 365 * 86_400
    machine.start()
    strip = machine.statistics.strip()
    assert len(strip) == DAYS_KEPT
    assert {state for _, day in strip[1:-1] for state in day} == {"down"}


def test_degraded_hours_and_the_outlook() -> None:
    machine = Machine(is_disk_full=True)
    machine.go(1)
    outlook = machine.statistics.outlook()
    assert outlook.state == "degraded"
    assert [finding.key for finding in outlook.findings] == ["disk_full"]
    machine.go(14)
    machine.is_disk_full = False
    machine.go(45)
    assert machine.states(1) == ["degraded"]
    assert machine.statistics.outlook().state == "well"


def test_somebody_turned_away_is_remembered_for_a_quarter_of_an_hour() -> None:
    machine = Machine()
    machine.count("connection.refused", 1)
    told = []
    for minutes in (1, 14, 2):
        machine.go(minutes)
        told.append([finding.key for finding in machine.statistics.outlook().findings])
    assert told == [["no_room"], ["no_room"], []]


def test_the_disk_is_forecast() -> None:
    machine = Machine()
    for _ in range(48):
        machine.disk_free -= 1 << 20
        machine.go(60)
    assert machine.statistics.outlook().disk_days_left == (1000 - 48) // 24


def test_old_hours_go() -> None:
    machine = Machine()
    for _ in range(100):
        machine.clock.now_s += 86_400
        machine.clock.monotonic_s += 86_400
        machine.tick()
    machine.stop()
    book = unpack(machine.kept)
    assert len(book.hours) <= 33
    assert len(machine.kept) < 30_000


STRANGE_DAY = b'{"format":1,"seconds":[1,2,3],"states":{"x":"w"},"hours":[],"seen":1}'


@pytest.mark.parametrize("kept", [b"", b"{}", b"[]", b"\xff", b'{"format":2}', b'{"format":1,"seconds":[1]}', STRANGE_DAY])
def test_a_file_that_cannot_be_read_is_an_empty_book(kept: bytes) -> None:
    assert unpack(kept) == Book()


def test_what_is_packed_comes_back() -> None:
    book = Book({7: Hour(7, 10, 20, 30, {"rate": 10}, 0, {"passwords": 100}, 1, 2, 3, 4)}, {7: "well", 9: "down"}, 7200, (1, 2, 3))
    assert unpack(book.pack()) == book
