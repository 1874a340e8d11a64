# SPDX-License-Identifier: AGPL-3.0-or-later
"""The relay's totals by the hour, for the operator's charts and the public line that says whether it is well.

Once a minute it is told what the relay sees of itself; counts of events become totals, rounded before anybody or any disk sees them
(policy/totals.py). The hour that is running is never shown, so that nobody can watch a total move. Down time cannot be seen by a relay that
is down: it is what lies between the moment it was last known to run and its next start. The relay's clock may be wrong: a gap that points
backwards is no gap, a jump of the clock while the relay runs is nobody's down time, and an hour that comes twice is added to.
"""

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from razdar.policy.forecast import days_left
from razdar.policy.health import Finding, Signs, State, findings, hour_in_a_word, state_of
from razdar.policy.totals import of_people, of_strangers, total_of
from razdar.ports.clock import Clock
from razdar.services.hours import DAYS_KEPT, HOUR_S, MIB, Hour, unpack

LEAP_S = 600.0
"""Of a longer silence, or a larger difference between the two clocks, nobody can say what it was."""
SAVE_S = 600.0
ROOM_MEMORY_S, BUG_MEMORY_S = 900.0, 86_400.0
"""How long somebody turned away, and a bug, stay in the words about the relay."""


@dataclass(frozen=True, slots=True)
class PeerState:
    """Another relay for which messages wait."""

    name: str
    waiting: int
    oldest_s: int
    reason: str
    """Why the last try failed, as a value of `ports.courier.Reason`, which the pages have words for; empty: none failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the relay sees of itself at one moment, exactly."""

    accounts: int = 0
    connections: int = 0
    events: Mapping[str, int] = field(default_factory=dict)
    """As counted since the start."""
    peers: Sequence[PeerState] = ()
    disk_free_bytes: int = 0
    disk_bytes: int = 0
    is_disk_full: bool = False
    store_bytes: int = 0
    memory_bytes: int = 0
    memory_free_bytes: int = -1
    """Of the machine; negative: not known."""
    certificate_days: int = 10_000
    is_self_signed: bool = False
    logins_waiting: int = 0
    logins_room: int = 1


@dataclass(frozen=True, slots=True)
class Outlook:
    """How the relay is at this moment."""

    state: State
    findings: Sequence[Finding]
    sample: Sample
    disk_days_left: int | None
    memory_days_left: int | None


@dataclass(slots=True)
class _Tally:
    """The hour that is running."""

    hour: int
    counts: Counter[str]
    connections: int = 0
    waiting: int = 0
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Well, degraded, down."""

    @classmethod
    def resume(cls, hour: Hour) -> "_Tally":
        """Goes on from what was kept of the hour."""
        counts = Counter({"accepted": hour.accepted or 0, "delivered": hour.delivered or 0})
        counts.update({f"refused.{name}": count for name, count in (hour.refused or {}).items()})
        counts.update({f"attack.{name}": count for name, count in hour.attacks.items()})
        return cls(hour.hour, counts, hour.connections or 0, hour.waiting or 0)

    def rounded(self, sample: Sample) -> Hour:
        """What may be kept."""
        accounts = sample.accounts
        is_shown = of_people(0, accounts) is not None
        refused = {name: of_people(count, accounts) or 0 for name, count in self._part("refused.").items()}
        attacks = {name: of_strangers(count, accounts) for name, count in self._part("attack.").items()}
        return Hour(
            self.hour,
            of_people(self.connections, accounts),
            of_people(self.counts["accepted"], accounts),
            of_people(self.counts["delivered"], accounts),
            {name: count for name, count in refused.items() if count} if is_shown else None,
            of_people(self.waiting, accounts),
            {name: count for name, count in attacks.items() if count},
            sample.disk_free_bytes // MIB,
            sample.store_bytes // MIB,
            sample.memory_bytes // MIB,
            sample.memory_free_bytes // MIB if sample.memory_free_bytes >= 0 else -1,
        )

    def _part(self, prefix: str) -> dict[str, int]:
        return {name.removeprefix(prefix): count for name, count in self.counts.items() if name.startswith(prefix)}

    def word(self) -> State:
        well, degraded, down = (int(seconds // 60) for seconds in self.seconds)
        return hour_in_a_word(well or int(sum(self.seconds) > 0), degraded, down)


class Statistics:
    """All of it."""

    def __init__(self, clock: Clock, kept: bytes, save: Callable[[bytes], Awaitable[None]]) -> None:
        """`kept`: what `save` was given last, empty if nothing."""
        self._clock = clock
        self._save = save
        self._book = unpack(kept)
        self._wall_s, self._mono_s = clock.now(), clock.monotonic()
        self._saved_s = self._mono_s
        self._sample = Sample()
        self._events: Mapping[str, int] = {}
        self._lately: deque[tuple[float, str, int]] = deque()
        self._tally = self._open(self._book.seen // HOUR_S if self._book.seen else self._wall_s // HOUR_S)
        if self._book.seen:
            self._tally.seconds = [float(each) for each in self._book.seconds]
        self._note_absence()

    # time

    def _note_absence(self) -> None:
        """From when it was last seen until now the relay was down, unless the clock says that this was in the future."""
        seen, now = self._book.seen, self._clock.now()
        if not seen or now < seen:
            self._go_to(now // HOUR_S)
            return
        start = max(seen, now - DAYS_KEPT * 24 * HOUR_S)
        while start < now:
            self._go_to(start // HOUR_S)
            end = min(now, (start // HOUR_S + 1) * HOUR_S)
            self._tally.seconds[2] += end - start
            start = end
        self._go_to(now // HOUR_S)

    def _open(self, hour: int) -> _Tally:
        kept = self._book.hours.get(hour)
        return _Tally(hour, Counter()) if kept is None else _Tally.resume(kept)

    def _go_to(self, hour: int) -> None:
        """The hour that is running is `hour`; the one before is closed."""
        if hour == self._tally.hour:
            return
        self._close()
        self._tally = self._open(hour)
        self._book.forget_old(hour)

    def _close(self) -> None:
        """What was measured of the running hour is in the book."""
        if self._sample.disk_bytes:  # else the relay was not there in this hour: there are no totals of it
            self._book.hours[self._tally.hour] = self._tally.rounded(self._sample)
        state = self._tally.word()
        if state != "unknown":
            self._book.states[self._tally.hour] = state

    # hearing

    async def tick(self, sample: Sample) -> None:
        """Called about once a minute."""
        now_s, mono_s = self._clock.now(), self._clock.monotonic()
        passed_s, wall_s = mono_s - self._mono_s, now_s - self._wall_s
        self._mono_s, self._wall_s = mono_s, now_s
        self._count(sample)
        if passed_s < LEAP_S and abs(wall_s - passed_s) < LEAP_S:
            self._tally.seconds[1 if self.outlook().state == "degraded" else 0] += passed_s
        self._go_to(now_s // HOUR_S)
        if mono_s - self._saved_s >= SAVE_S:
            await self.save()

    def _count(self, sample: Sample) -> None:
        for event, count in sample.events.items():
            more, total = count - self._events.get(event, 0), total_of(event)
            if more > 0 and total is not None:
                self._tally.counts[total] += more
            if more > 0 and event in ("bug", "connection.refused"):
                self._lately.append((self._mono_s, event, more))
        self._events, self._sample = dict(sample.events), sample
        self._tally.connections = max(self._tally.connections, sample.connections)
        self._tally.waiting = max(self._tally.waiting, sum(peer.waiting for peer in sample.peers))
        while self._lately and self._mono_s - self._lately[0][0] > BUG_MEMORY_S:
            self._lately.popleft()

    async def save(self) -> None:
        """What is known is kept. Also called at the end, so that the next start knows when that was."""
        self._saved_s = self._mono_s
        self._close()
        self._book.seen = self._clock.now() // 60 * 60
        well, degraded, down = (int(each) for each in self._tally.seconds)
        self._book.seconds = (well, degraded, down)
        await self._save(self._book.pack())

    # telling

    def outlook(self) -> Outlook:
        """How the relay is, as of the last tick."""
        now, hours = self._sample, sorted(self._book.hours.values(), key=lambda each: each.hour)
        current = self._tally.hour
        known = [each for each in hours if each.hour <= current]
        disk = days_left([(each.hour, each.disk_free) for each in known if each.disk_free >= 0])
        memory = days_left([(each.hour, each.memory_free) for each in known if each.memory_free >= 0])
        found = findings(self._signs(now, disk, memory))
        return Outlook(state_of(found), found, now, disk, memory)

    def _signs(self, now: Sample, disk: int | None, memory: int | None) -> Signs:
        return Signs(
            is_disk_full=now.is_disk_full,
            disk_days_left=disk,
            memory_days_left=memory,
            certificate_days=now.certificate_days,
            is_self_signed=now.is_self_signed,
            logins_waiting=now.logins_waiting,
            logins_room=now.logins_room,
            turned_away=self._recent("connection.refused", ROOM_MEMORY_S),
            bugs=self._recent("bug", BUG_MEMORY_S),
            oldest_peer_s=max((peer.oldest_s for peer in now.peers), default=0),
        )

    def _recent(self, event: str, within_s: float) -> int:
        return sum(count for when_s, name, count in self._lately if name == event and self._mono_s - when_s <= within_s)

    def hours(self, count: int) -> Sequence[Hour]:
        """The last `count` whole hours, oldest first; those without measurements are empty."""
        last = self._tally.hour
        return [self._book.hours.get(hour, Hour(hour)) for hour in range(last - count, last)]

    def strip(self, days: int = DAYS_KEPT) -> Sequence[tuple[int, Sequence[State]]]:
        """For each of the last days, today included, its number since 1970 and how each of its hours was; hours to come are `unknown`."""
        today = self._tally.hour // 24
        return [(day, [self._state(day * 24 + number) for number in range(24)]) for day in range(today - days + 1, today + 1)]

    def _state(self, hour: int) -> State:
        if hour == self._tally.hour:
            return self._tally.word()
        return self._book.states.get(hour, "unknown") if hour < self._tally.hour else "unknown"
