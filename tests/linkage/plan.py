# SPDX-License-Identifier: AGPL-3.0-or-later
"""Towns of people who chat, drawn from a seed: who they are, their groups, and what happens on each relay day. Nothing here knows a relay.

In the *even* town everybody gets exactly as many messages as anybody else, all on one relay day, and nobody fetches them: their numbers
tell nothing there, so what an attacker finds, the store has shown him. In the *lively* town people differ as they do in life:
some are in many groups, talk comes in bursts over several days, some fetch and delete, keep or file. There the numbers alone tell much.

Where a guess about people can be wrong it is wrong in favour of the attacker: everything happens one after the other, so that no two
messages share a commit.
"""

import random
from dataclasses import dataclass
from enum import Enum
from itertools import combinations

Pair = tuple[int, int]

QUICK_ROUNDS = 4
"""How often a day the quick ones fetch and delete."""


class Habit(Enum):
    """What somebody does with mail."""

    AWAY = "never comes: everything waits"
    QUICK = "fetches and deletes several times a day"
    KEEPER = "fetches at the end of the day and keeps everything, marked as seen"
    FILER = "copies some into another folder, and deletes some, at the end of the day"


HABITS = {Habit.AWAY: 0.5, Habit.QUICK: 0.25, Habit.KEEPER: 0.15, Habit.FILER: 0.1}

SIZES = ((0.45, 2, 2), (0.36, 3, 6), (0.14, 7, 12), (0.05, 13, 30))
"""Part of all groups, smallest and largest size."""
GROUPS_PER_PERSON = 0.8
EVEN_GROUPS = 2
"""How many groups everybody is in."""
TALK = ((2, 4.0), (6, 5.0), (12, 6.0), (30, 7.0))
"""Largest group size, and how many messages a conversation has on average."""


@dataclass(frozen=True, slots=True)
class Message:
    """One submission. `readers` get an entry each; the sender is among them if his app sends itself a copy."""

    number: int
    sender: int
    readers: tuple[int, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Round:
    """What one person does with the mailbox at this moment."""

    person: int


Step = Message | Round


@dataclass(frozen=True, slots=True)
class Plan:
    """`days[n]` is what happens on the n-th relay day, in order."""

    seed: int
    habits: tuple[Habit, ...]
    groups: tuple[tuple[int, ...], ...]
    days: tuple[tuple[Step, ...], ...]

    def messages(self) -> list[Message]:
        return [step for day in self.days for step in day if isinstance(step, Message)]


def draw_even(seed: int, people: int, messages: int) -> Plan:
    """Everybody is in two groups and each group gets the same number of messages, so that there are at least as many as asked for.

    The same arguments give the same plan.
    """
    dice = random.Random(f"even {seed}")
    groups = tuple(group for _ in range(EVEN_GROUPS) for group in _partition(dice, people))
    turns = groups * -(-messages // len(groups))
    steps = []
    for number, group in enumerate(dice.sample(turns, len(turns))):
        steps.append(Message(number, dice.choice(group), tuple(dice.sample(group, len(group))), _size(dice)))
    return Plan(seed, (Habit.AWAY,) * people, groups, (tuple(steps),))


def draw_lively(seed: int, people: int, messages: int, days: int) -> Plan:
    """The same arguments give the same plan."""
    dice = random.Random(f"lively {seed}")
    habits = tuple(dice.choices(list(HABITS), list(HABITS.values()), k=people))
    groups = _overlapping(dice, people)
    has_copies = [dice.random() < 0.5 for _ in range(people)]
    talks = _talks(dice, groups, messages)
    numbers = iter(range(messages))
    plan = []
    for day in range(days):
        steps: list[Step] = []
        for sender, group in _interleave(dice, talks[day::days]):
            readers = tuple(one for one in dice.sample(group, len(group)) if one != sender or has_copies[sender])
            steps.append(Message(next(numbers), sender, readers, _size(dice)))
        plan.append(tuple(_with_rounds(dice, steps, habits)))
    return Plan(seed, habits, groups, tuple(plan))


def pairs_of(group: tuple[int, ...]) -> set[Pair]:
    """Every two of the group, the smaller number first."""
    return set(combinations(sorted(group), 2))


def _group_sizes(dice: random.Random, count: int) -> list[int]:
    """Mixed as `SIZES` says, the same mixture each time, in random order."""
    sizes = []
    for part, low, high in SIZES:
        here = round(part * count)
        sizes += [low + (high - low) * place // max(here - 1, 1) for place in range(here)]
    return dice.sample(sizes, len(sizes))


def _partition(dice: random.Random, people: int) -> list[tuple[int, ...]]:
    """Everybody is in exactly one group. Whoever is left over at the end joins the last one."""
    order = dice.sample(range(people), people)
    groups = []
    for size in _group_sizes(dice, people):
        if len(order) < size + 2:
            break
        groups.append(tuple(sorted(order[:size])))
        order = order[size:]
    return [*groups, tuple(sorted(order))]


def _overlapping(dice: random.Random, people: int) -> tuple[tuple[int, ...], ...]:
    """Sociable people are in more groups; everybody may be in several."""
    sociability = [dice.lognormvariate(0, 0.4) for _ in range(people)]
    made: set[tuple[int, ...]] = set()
    for size in _group_sizes(dice, round(people * GROUPS_PER_PERSON)):
        members: set[int] = set()
        while len(members) < size:
            members.update(dice.choices(range(people), sociability))
        made.add(tuple(sorted(members)))
    return tuple(sorted(made))


def _talks(dice: random.Random, groups: tuple[tuple[int, ...], ...], messages: int) -> list[list[tuple[int, tuple[int, ...]]]]:
    """Conversations until there are enough messages: who says something, to which group."""
    talks = []
    left = messages
    while left:
        group = dice.choice(groups)
        mean = next(mean for size, mean in TALK if len(group) <= size)
        length = min(left, 1 + int(dice.expovariate(1 / (mean - 0.5))))
        speakers = dice.sample(group, min(len(group), dice.randint(2, 5)))
        talks.append([(dice.choice(speakers), group) for _ in range(length)])
        left -= length
    return talks


def _interleave(dice: random.Random, talks: list[list[tuple[int, tuple[int, ...]]]]) -> list[tuple[int, tuple[int, ...]]]:
    """Every talk starts at some moment of the day and goes on in bursts, beside others."""
    timed = []
    for talk in talks:
        moment = dice.random()
        for line in talk:
            moment += dice.expovariate(1 / 0.01)
            timed.append((moment, line))
    return [line for _, line in sorted(timed)]


def _size(dice: random.Random) -> int:
    """Texts, pictures, and a few recordings."""
    kind = dice.random()
    if kind < 0.88:
        return dice.randint(1_600, 6_000)
    if kind < 0.99:
        return dice.randint(20_000, 190_000)
    return dice.randint(1_000_000, 3_000_000)


def _with_rounds(dice: random.Random, steps: list[Step], habits: tuple[Habit, ...]) -> list[Step]:
    """Rounds in random order: the quick ones several times in between, others at the end of the day."""
    marked: list[tuple[float, Step]] = [(float(place), step) for place, step in enumerate(steps)]
    for person, habit in enumerate(habits):
        if habit is Habit.QUICK:
            marked += [(dice.random() * len(steps), Round(person)) for _ in range(QUICK_ROUNDS)]
        elif habit is not Habit.AWAY:
            marked.append((len(steps) + dice.random(), Round(person)))
    return [step for _, step in sorted(marked, key=lambda item: item[0])]
