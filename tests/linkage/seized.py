# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two seized towns and the questions that are put to them: what the main file gives away, what the log names, what leaky stores would show.

The attacker learns on one town, where the answers are known to him, and is measured on the other, and the other way round. What he is given
is the files and the server's keys; what he is measured by was recorded outside of the relay's data.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from tests.linkage import controls, evidence, features
from tests.linkage.learner import Learner
from tests.linkage.measure import Ranking, Result, difference, measure
from tests.linkage.plan import Pair, Plan
from tests.linkage.town import Town

FAMILIES = {"activity": features.activity, "layout": features.layout, "columns": features.columns}
Features = Mapping[str, Mapping[str, Sequence[float]]]
"""Family → feature → one number per pair."""


@dataclass
class Case:
    """One town after its seizure, and who is behind each account id."""

    town: Town
    faces: Mapping[bytes, int] = field(init=False)
    answers: list[bool] = field(init=False)

    def __post_init__(self) -> None:
        self.faces = self.town.faces()
        true = self.town.truth.waiting_together()
        self.answers = [pair in true for pair in features.all_pairs(self.people)]

    @property
    def people(self) -> int:
        return self.town.truth.people

    def look(self, database: Path, *, raw: bool = False) -> Features:
        """Everything the attacker computes from one database."""
        seen = evidence.read(database, self.faces, self.people, raw=raw)
        return {family: make(seen) for family, make in FAMILIES.items()}

    def rank(self, scores: Sequence[float]) -> Ranking:
        return Ranking.by(scores, features.all_pairs(self.people), self.answers, self.people)


async def play(plans: Sequence[Plan], folder: Path) -> list[Case]:
    """All towns at the same time, each with its own relay."""
    towns = []
    for number, plan in enumerate(plans):
        (folder / str(number)).mkdir(parents=True)
        towns.append(Town(plan, folder / str(number)))
    try:
        await asyncio.gather(*(town.play() for town in towns))
    finally:
        for town in towns:
            town.relay.kill()
    return [Case(town) for town in towns]


def attack(cases: Sequence[Case], seen: Sequence[Features], families: Sequence[str]) -> list[Ranking]:
    """For each of the two towns the ranking by what was learnt on the other one."""
    rankings = []
    for own, other in ((0, 1), (1, 0)):
        lesson, exam = (_merged(seen[place], families) for place in (own, other))
        learner = Learner.learn(lesson, cases[own].answers)
        rankings.append(cases[other].rank(learner.scores(exam)))
    return rankings


def single_features(cases: Sequence[Case], seen: Sequence[Features]) -> dict[str, Result]:
    """Each feature alone, highest first, without any learning."""
    names = [(family, name) for family in FAMILIES for name in seen[0][family]]
    return {
        f"{family}: {name}": measure([case.rank(own[family][name]) for case, own in zip(cases, seen, strict=True)], draws=0)
        for family, name in names
    }


def _merged(seen: Features, families: Sequence[str]) -> dict[str, Sequence[float]]:
    return {f"{family}: {name}": values for family in families for name, values in seen[family].items()}


@dataclass(frozen=True, slots=True)
class MainFile:
    """What the main database file gives away. `beyond`: precision above that of somebody who knows the numbers of messages only, and its
    interval."""

    everything: Result
    activity: Result
    layout: Result
    beyond: tuple[float, float, float]
    singles: Mapping[str, Result]


def main_file(cases: Sequence[Case], seizure: str = "stopped", *, raw: bool = False) -> MainFile:
    """`raw`: with free pages and gaps."""
    seen = [case.look(case.town.seizures[seizure].database, raw=raw) for case in cases]
    whole, activity, layout = (
        attack(cases, seen, families) for families in (("activity", "layout", "columns"), ("activity",), ("layout", "columns"))
    )
    return MainFile(measure(whole), measure(activity), measure(layout), difference(whole, activity), single_features(cases, seen))


def everything(cases: Sequence[Case], seizure: str = "stopped", *, raw: bool = False) -> Result:
    """As `main_file`, all that is seen taken together and nothing else."""
    seen = [case.look(case.town.seizures[seizure].database, raw=raw) for case in cases]
    return measure(attack(cases, seen, tuple(FAMILIES)))


def control(cases: Sequence[Case], name: str, folder: Path, families: Sequence[str] = tuple(FAMILIES)) -> Result:
    """The same attacker on a store that leaks."""
    seen = []
    for place, case in enumerate(cases):
        (folder / str(place)).mkdir(parents=True, exist_ok=True)
        source = case.town.seizures["stopped"].database
        leaky = controls.make(name, source, folder / str(place), case.town.truth, case.faces)
        seen.append(case.look(leaky))
        leaky.unlink()
    return measure(attack(cases, seen, families), draws=0)


@dataclass(frozen=True, slots=True)
class Log:
    """What the log of the running relay named: pairs, how many of them rightly, and what a guesser would have got."""

    log_bytes: int
    commits: int
    pairs: int
    precision: float
    chance: float


def live_log(case: Case) -> Log:
    """Entries that one commit added belong together."""
    seizure = case.town.seizures["traffic"]
    commits = [added for added in evidence.entries_in_log(seizure.database, seizure.log, case.faces) if added]
    named: set[Pair] = set()
    for added in commits:
        named.update(combinations(sorted({row.person for row in added}), 2))
    true = case.town.truth.arrived_together()
    right = len(named & true) / len(named) if named else 0.0
    return Log(seizure.log_bytes, len(commits), len(named), right, len(true) / len(case.answers))


def remains(case: Case, seizure: str = "stopped") -> dict[str, int]:
    """What free pages and gaps still hold."""
    seen = evidence.read(case.town.seizures[seizure].database, case.faces, case.people, raw=True)
    return {"entries": len(seen.rows), "bodies": len(seen.bodies), "free_pages": len(seen.free_pages), "deleted_entries": len(seen.ghosts)}
