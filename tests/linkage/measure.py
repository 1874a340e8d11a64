# SPDX-License-Identifier: AGPL-3.0-or-later
"""How good a ranking of pairs is: precision against chance, with an interval.

*Precision* is the part of true pairs among as many top-ranked pairs as there are true ones; *chance* is the part of true pairs among all.
Both are 1 when everybody shares messages with everybody, and equal for an attacker who guesses. The interval comes from drawing people,
not pairs, with replacement: pairs of the same person are not independent of each other.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.linkage.plan import Pair

DRAWS = 200


@dataclass(frozen=True, slots=True)
class Ranking:
    """Pairs of one town, best first, and whether each is true. Ties were broken by chance."""

    people: int
    pairs: Sequence[Pair]
    answers: Sequence[bool]
    right: Sequence[Pair]
    """The true pairs alone, because most pairs are not and each draw counts them anew."""

    @classmethod
    def by(cls, scores: Sequence[float], pairs: Sequence[Pair], answers: Sequence[bool], people: int) -> "Ranking":
        dice = random.Random("ties")
        order = sorted(range(len(pairs)), key=lambda place: (-scores[place], dice.random()))
        right = [pair for pair, answer in zip(pairs, answers, strict=True) if answer]
        return cls(people, [pairs[place] for place in order], [answers[place] for place in order], right)

    def tally(self, weights: Sequence[int] | None = None) -> tuple[float, float, float]:
        """True pairs found, true pairs, all pairs; each pair counts as often as both of its people were drawn together."""
        weights = weights or [1] * self.people
        true = sum(weights[a] * weights[b] for a, b in self.right)
        whole = (sum(weights) ** 2 - sum(weight**2 for weight in weights)) / 2
        seen = found = 0
        for (a, b), answer in zip(self.pairs, self.answers, strict=True):
            if seen >= true:
                break
            seen += weights[a] * weights[b]
            found += weights[a] * weights[b] * answer
        return found, true, whole


@dataclass(frozen=True, slots=True)
class Result:
    """`advantage` is precision less chance; `low` and `high` hold it in 95 of 100 draws."""

    precision: float
    chance: float
    low: float
    high: float

    @property
    def advantage(self) -> float:
        return self.precision - self.chance

    def __str__(self) -> str:
        return (
            f"precision {self.precision:6.1%}  chance {self.chance:5.1%}  advantage {self.advantage:+7.3f}  "
            f"[{self.low:+.3f}, {self.high:+.3f}]"
        )


def measure(rankings: Sequence[Ranking], draws: int = DRAWS) -> Result:
    """All towns together."""
    precision, chance = _rates([ranking.tally() for ranking in rankings])
    advantages = sorted(precise - base for precise, base in _drawn(rankings, draws))
    low, high = _middle(advantages) if advantages else (precision - chance,) * 2
    return Result(precision, chance, low, high)


def difference(better: Sequence[Ranking], worse: Sequence[Ranking], draws: int = DRAWS) -> tuple[float, float, float]:
    """By how much the precision of the first is higher, and the interval of that, both measured on the same draws."""
    whole = _rates([r.tally() for r in better])[0] - _rates([r.tally() for r in worse])[0]
    pairs = zip(_drawn(better, draws), _drawn(worse, draws), strict=True)
    return whole, *_middle(sorted(one[0] - other[0] for one, other in pairs))


def _drawn(rankings: Sequence[Ranking], draws: int) -> list[tuple[float, float]]:
    dice = random.Random("draws")
    found = []
    for _ in range(draws):
        tallies = []
        for ranking in rankings:
            weights = [0] * ranking.people
            for person in dice.choices(range(ranking.people), k=ranking.people):
                weights[person] += 1
            tallies.append(ranking.tally(weights))
        found.append(_rates(tallies))
    return found


def _rates(tallies: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Precision and chance. A guesser names as many pairs in each town as there are true ones."""
    found, true = sum(tally[0] for tally in tallies), sum(tally[1] for tally in tallies)
    return found / true, sum(right * right / whole for _, right, whole in tallies) / true


def _middle(ordered: Sequence[float]) -> tuple[float, float]:
    return ordered[len(ordered) * 25 // 1000], ordered[-1 - len(ordered) * 25 // 1000]
