# SPDX-License-Identifier: AGPL-3.0-or-later
"""Learns from one town, where the answers are known, how to weigh what another town shows. Plain Python: a few thousand pairs are enough.

Each feature is cut into steps at the quantiles of what it was trained on, and each step gets the odds with which pairs on it share
messages, so a feature may rise, fall or peak. A logistic regression (Newton's method, a little ridge) weighs the features against each
other.
"""

import bisect
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STEPS = 24
NEGATIVES = 6_000
ROUNDS = 12
RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Stairs:
    """Log odds of a feature's value, by step. The lowest value, mostly 0, has a step of its own."""

    edges: tuple[float, ...]
    odds: tuple[float, ...]

    @classmethod
    def learn(cls, values: Sequence[float], answers: Sequence[bool]) -> "Stairs":
        lowest = min(values)
        ordered = sorted(value for value in values if value > lowest) or [lowest]
        edges = tuple(sorted({math.nextafter(lowest, math.inf), *(ordered[len(ordered) * step // STEPS] for step in range(1, STEPS))}))
        right, wrong = [0] * (len(edges) + 1), [0] * (len(edges) + 1)
        for value, answer in zip(values, answers, strict=True):
            (right if answer else wrong)[bisect.bisect_right(edges, value)] += 1
        base = sum(right) / len(values)
        odds = tuple(math.log((r + 20 * base) / (w + 20 * (1 - base))) for r, w in zip(right, wrong, strict=True))
        return cls(edges, odds)

    def __call__(self, value: float) -> float:
        return self.odds[bisect.bisect_right(self.edges, value)]


@dataclass(frozen=True, slots=True)
class Learner:
    """Scores pairs of a town it has not seen."""

    stairs: Mapping[str, Stairs]
    weights: tuple[float, ...]

    @classmethod
    def learn(cls, features: Mapping[str, Sequence[float]], answers: Sequence[bool], seed: int = 0) -> "Learner":
        stairs = {name: Stairs.learn(values, answers) for name, values in features.items() if min(values) < max(values)}
        dice = random.Random(f"learner {seed}")
        chosen = [place for place, answer in enumerate(answers) if answer]
        others = [place for place, answer in enumerate(answers) if not answer]
        chosen += dice.sample(others, min(NEGATIVES, len(others)))
        rows = [[1.0, *(stairs[name](features[name][place]) for name in stairs)] for place in chosen]
        return cls(stairs, tuple(_regress(rows, [answers[place] for place in chosen])))

    def scores(self, features: Mapping[str, Sequence[float]]) -> list[float]:
        """Higher: more likely to share messages."""
        total = [self.weights[0]] * len(next(iter(features.values())))
        for weight, (name, stairs) in zip(self.weights[1:], self.stairs.items(), strict=True):
            if name in features:
                cache: dict[float, float] = {}
                for place, value in enumerate(features[name]):
                    if value not in cache:
                        cache[value] = weight * stairs(value)
                    total[place] += cache[value]
        return total


def _regress(rows: Sequence[Sequence[float]], answers: Sequence[bool]) -> list[float]:
    width = len(rows[0])
    weights = [0.0] * width
    for _ in range(ROUNDS):
        slope = [-RIDGE * weight for weight in weights]
        curve = [[RIDGE if a == b else 0.0 for b in range(width)] for a in range(width)]
        for row, answer in zip(rows, answers, strict=True):
            _add(row, answer, weights, slope, curve)
        step = _solve(curve, slope)
        weights = [weight + change for weight, change in zip(weights, step, strict=True)]
        if max(map(abs, step)) < 1e-3:
            break
    return weights


def _add(row: Sequence[float], answer: bool, weights: Sequence[float], slope: list[float], curve: list[list[float]]) -> None:
    """One pair's part of the gradient and of the lower half of the curvature."""
    sum_ = sum(weight * value for weight, value in zip(weights, row, strict=True))
    likely = 1 / (1 + math.exp(-max(-30.0, min(30.0, sum_))))
    error, spread = answer - likely, max(likely * (1 - likely), 1e-6)
    for a, value in enumerate(row):
        slope[a] += error * value
        line, factor = curve[a], spread * value
        for b in range(a + 1):
            line[b] += factor * row[b]


def _solve(lower: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """x with A x = right, where `lower` is the lower half of a positive definite A (Cholesky)."""
    size = len(right)
    root = [[0.0] * size for _ in range(size)]
    for a in range(size):
        for b in range(a + 1):
            rest = lower[a][b] - sum(root[a][k] * root[b][k] for k in range(b))
            root[a][b] = math.sqrt(max(rest, 1e-12)) if a == b else rest / root[b][b]
    middle: list[float] = []
    for a in range(size):
        middle.append((right[a] - sum(root[a][k] * middle[k] for k in range(a))) / root[a][a])
    result = [0.0] * size
    for a in reversed(range(size)):
        result[a] = (middle[a] - sum(root[k][a] * result[k] for k in range(a + 1, size))) / root[a][a]
    return result
