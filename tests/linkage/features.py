# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the attacker computes for every two people: numbers that are higher, he hopes, for those who share messages.

Three families, so that the report can tell them apart. *Activity* needs only what any store must know that keeps mail for somebody who is
away: how many messages wait for whom, on which day they go, how many there ever were, how much space they take. *Layout* is where on the
disk things lie. *Columns* is everything else that a table tells about an entry, with no idea what it means: equal values, and the order
of rows.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise

from tests.linkage.evidence import Evidence, Row
from tests.linkage.plan import Pair

Scores = Mapping[Pair, float]
"""Missing pairs have 0."""

NEAR = 4
"""How many places in an order, or pages in the file, count as near."""
COMMON = 40
"""A value that more entries than this have in common says nothing."""


def all_pairs(people: int) -> list[Pair]:
    return list(combinations(range(people), 2))


def activity(evidence: Evidence) -> dict[str, list[float]]:
    """One number per pair and feature, in the order of `all_pairs`."""
    waiting = _by_person(evidence.rows, evidence.people)
    days = [Counter(row.expires for row in rows if row.folder == 0) for rows in waiting]
    totals = sum(days, Counter())
    received = [_received_by_day(rows) for rows in waiting]
    counts = [sum(day.values()) for day in days]
    lifetime = evidence.uid_next
    chance = _chance_by_day(evidence, totals)
    makers: dict[str, Callable[[int, int], float]] = {
        "waiting": lambda a, b: math.log1p(counts[a]) + math.log1p(counts[b]),
        "waiting_less": lambda a, b: min(counts[a], counts[b]),
        "lifetime": lambda a, b: math.log(lifetime[a]) + math.log(lifetime[b]),
        "lifetime_alike": lambda a, b: -abs(math.log(lifetime[a] / lifetime[b])),
        "days_alike": lambda a, b: _cosine(days[a], days[b], totals),
        "days_common": lambda a, b: sum(min(n, days[b][day]) for day, n in days[a].items()),
        "days_rare": lambda a, b: sum(1 / totals[day] for day in days[a] if days[b][day]),
        "days_equal": lambda a, b: sum(1 for day, n in days[a].items() if n == days[b][day]),
        "days_chance": lambda a, b: sum(n * days[b][day] * chance[day] for day, n in days[a].items()),
        "received_common": lambda a, b: sum(min(n, received[b][day]) for day, n in received[a].items()),
        "space": lambda a, b: min(evidence.used[a], evidence.used[b]),
    }
    pairs = all_pairs(evidence.people)
    return {name: [make(a, b) for a, b in pairs] for name, make in makers.items()}


def layout(evidence: Evidence) -> dict[str, list[float]]:
    """As `activity`, from where entries lie: which leaves were made one after the other, which cells were written one after the other."""
    pages = [sorted({row.page for row in rows}) for rows in _by_person(evidence.rows, evidence.people)]
    ranks = {page: rank for rank, page in enumerate(sorted({page for own in pages for page in own}))}
    rows = evidence.rows
    found: dict[str, Scores] = {
        "page_near": _near_pages(pages, lambda page: page),
        "page_next": _near_pages(pages, lambda page: ranks[page]),
        "cells_mixed": _near_cells(rows),
        "ghosts_mixed": _near_cells(evidence.ghosts),
        "ghosts_days": _common_ghosts(evidence),
    }
    for table, homes in evidence.homes.items():
        own = [sorted({row.page for row in rows}) for rows in _by_person(homes, evidence.people)]
        found[f"{table}_near"] = _near_pages(own, lambda page: page)
        found[f"{table}_mixed"] = _near_cells(homes)
    return _listed(found, evidence.people)


def columns(evidence: Evidence) -> dict[str, list[float]]:
    """As `activity`, from everything that the tables say besides: equal values in the entries, parts of seals, the order of rows."""
    found: dict[str, Scores] = {
        "seal_start": _equal((row.seal[:16], row) for row in evidence.rows),
        "seal_end": _equal((row.seal[-16:], row) for row in evidence.rows),
    }
    for name in sorted({name for row in evidence.rows for name in row.extra}):
        found[f"column_{name}"] = _equal((row.extra[name], row) for row in evidence.rows if name in row.extra)
        found[f"column_{name}_day"] = _equal(((row.extra[name], row.expires), row) for row in evidence.rows if name in row.extra)
    if any(row.rowid is not None for row in evidence.rows):
        ordered = sorted(evidence.rows, key=lambda row: row.rowid or 0)
        found["row_order"] = _near_rows(ordered)
        for name in sorted({name for row in evidence.rows for name in row.extra}):
            found[f"row_order_{name}"] = _runs(ordered, name)
    return _listed(found, evidence.people)


def _listed(found: Mapping[str, Scores], people: int) -> dict[str, list[float]]:
    pairs = all_pairs(people)
    return {name: [scores.get(pair, 0.0) for pair in pairs] for name, scores in found.items()}


def _by_person(rows: Iterable[Row], people: int) -> list[list[Row]]:
    found: list[list[Row]] = [[] for _ in range(people)]
    for row in rows:
        found[row.person].append(row)
    return found


# activity


def _received_by_day(rows: Sequence[Row]) -> Counter[int]:
    """How many came on each day, also of those deleted: UIDs count them. Large messages go on another day and are left aside."""
    if not rows:
        return Counter()
    found: Counter[int] = Counter()
    inbox = sorted((row.uid, row.expires) for row in rows if row.folder == 0)
    for (uid, day), (before, _) in zip(inbox, [(0, 0), *inbox[:-1]], strict=True):
        found[day] += uid - before
    return found


def _cosine(a: Counter[int], b: Counter[int], totals: Counter[int]) -> float:
    """Likeness of two mailboxes' days, beyond what the days themselves bring."""
    whole, size_a, size_b = sum(totals.values()), sum(a.values()), sum(b.values())
    if not size_a or not size_b:
        return 0.0
    dot = norm_a = norm_b = 0.0
    for day, total in totals.items():
        usual = total / whole
        off_a, off_b = a[day] - size_a * usual, b[day] - size_b * usual
        dot, norm_a, norm_b = dot + off_a * off_b / usual, norm_a + off_a**2 / usual, norm_b + off_b**2 / usual
    return dot / math.sqrt(norm_a * norm_b) if norm_a and norm_b else 0.0


def _chance_by_day(evidence: Evidence, totals: Counter[int]) -> dict[int, float]:
    """Chance that one entry of a day and another one belong together, from the number of bodies, or from each body's readers if shown."""
    bodies: dict[int, list[int | None]] = defaultdict(list)
    for body in evidence.bodies:
        bodies[body.expires].append(body.readers)
    found = {}
    for day, total in totals.items():
        mean = total / max(len(bodies[day]), 1)
        partners = sum((mean if readers is None else readers) ** 2 for readers in bodies[day]) - total
        found[day] = max(partners, 0.0) / max(total * (total - 1), 1)
    return found


# layout


def _near_pages(pages: Sequence[Sequence[int]], number: Callable[[int], int]) -> Scores:
    """High for people whose leaves got page numbers close to each other; lying in the same leaf does not count."""
    owners: dict[int, list[int]] = defaultdict(list)
    for person, own in enumerate(pages):
        for page in own:
            owners[number(page)].append(person)
    found: dict[Pair, float] = defaultdict(float)
    for at, people in owners.items():
        for distance in range(1, NEAR):
            for other in owners.get(at + distance, ()):
                for person in people:
                    if person != other:
                        found[_pair(person, other)] += 1 / distance / len(people)
    return found


def _near_cells(rows: Iterable[Row]) -> Scores:
    """High for people in the same leaf whose cells were written in turns. A leaf is filled from its end, so offsets tell the order."""
    leaves: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        leaves[row.page].append(row)
    found: dict[Pair, float] = defaultdict(float)
    for leaf in leaves.values():
        for first, second in pairwise(sorted(leaf, key=lambda row: -row.offset)):
            if first.person != second.person and first.expires == second.expires:
                found[_pair(first.person, second.person)] += 1
    return found


def _common_ghosts(evidence: Evidence) -> Scores:
    """Deleted entries count by day as those do that wait."""
    days = [Counter(row.expires for row in rows) for rows in _by_person(evidence.ghosts, evidence.people)]
    busy = [person for person, day in enumerate(days) if day]
    return {(a, b): sum(min(n, days[b][day]) for day, n in days[a].items()) for a, b in combinations(busy, 2)}


# columns


def _equal(valued: Iterable[tuple[object, Row]]) -> Scores:
    """High for people who have rare values in common."""
    holders: dict[object, list[int]] = defaultdict(list)
    for value, row in valued:
        if value is not None:
            holders[value].append(row.person)
    found: dict[Pair, float] = defaultdict(float)
    for people in holders.values():
        if len(people) <= COMMON:
            for pair in combinations(sorted(set(people)), 2):
                found[pair] += 1 / len(people)
    return found


def _near_rows(rows: Sequence[Row]) -> Scores:
    """High for people whose rows follow one another."""
    found: dict[Pair, float] = defaultdict(float)
    for place, row in enumerate(rows):
        for distance in range(1, NEAR):
            if place + distance < len(rows):
                other = rows[place + distance]
                if other.person != row.person and other.expires == row.expires:
                    found[_pair(row.person, other.person)] += 1 / distance
    return found


def _runs(rows: Sequence[Row], name: str) -> Scores:
    """High for people whose rows follow one another with the same value in this column."""
    numbered = []
    run = 0
    for before, row in pairwise([rows[0], *rows]):
        run += before.extra.get(name) != row.extra.get(name) or before.expires != row.expires
        numbered.append((run, row))
    return _equal(numbered)


def _pair(one: int, other: int) -> Pair:
    return (one, other) if one < other else (other, one)
