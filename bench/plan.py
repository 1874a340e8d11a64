# SPDX-License-Identifier: AGPL-3.0-or-later
"""The cases: what is made ready for each of them once, and what is measured in every round.

A case is played on all servers in turn, so that they see the same machine; whoever comes first in one round comes last in the next. Only
the server that is being measured runs. Each starts anew for every round, on the data of the rounds before, which is little: what was
sent has been fetched and deleted.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.spec import Spec
from bench.target import Target
from tests.lab.relay import REPOSITORY

CASE_S = 1500.0
LARGE_BYTES = 10_000_000
LARGE_PAIRS = 4
SETTLE_S = 40.0
"""Dovecot puts whoever is silent for 30 s into hibernation; so memory is looked at again after that."""

Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the cases are."""

    pairs: int = 20
    messages: int = 100
    per_second: int = 20
    seconds: int = 30
    logins: int = 500
    connections: int = 1000
    idle: int = 2000
    fanouts: int = 3
    waiting: int = 1_000_000
    """Entries that wait in the mailboxes of `connections` other people, who are not there, before the fan-out."""
    files: int = 3
    """Of 10 MB, from each of four senders."""
    settle_s: float = SETTLE_S


@dataclass(frozen=True, slots=True)
class Case:
    """`prepare` runs once for each server, which is stopped before and after; `measure` in every round, the same way."""

    name: str
    prepare: Callable[[Target, Sizes], None]
    measure: Callable[[Target, Sizes, int], Numbers]
    seconds: Callable[[Sizes], float]
    """About how long a round takes, for the progress bar's first guess."""


def play(target: Target, case: str, people: Sequence[tuple[str, str]], options: Mapping[str, float] | None = None) -> Numbers:
    """What the load generator measured; it runs in a process of its own."""
    spec = Spec(case, target.server(), people, options or {})
    command = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(command, input=spec.to_json(), stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, timeout=CASE_S, check=True)
    measured: Numbers = json.loads(done.stdout)
    return measured


def _with_accounts(count: Callable[[Sizes], int]) -> Callable[[Target, Sizes], None]:
    """Everybody has been there, and something waits for everybody."""

    return lambda target, sizes: _settle(target, 0, count(sizes))


def _settle(target: Target, first: int, count: int) -> None:
    """So many people have been there, and something waits for each of them. The server has stopped."""
    target.start()
    people = target.people(first + count)[first:]
    play(target, "visit", people)
    play(target, "welcome", people)
    target.stop()


def _filled(target: Target, sizes: Sizes) -> None:
    """Others, as many as will be connected, have not been there for long, and messages wait for them."""
    _settle(target, sizes.connections + 1, sizes.connections)
    target.fill(sizes.waiting // sizes.connections)
    _settle(target, 0, sizes.connections + 1)


def _nothing(_target: Target, _sizes: Sizes) -> None:
    """The server comes as it is."""


def _pairs(target: Target, sizes: Sizes, _round: int) -> Numbers:
    return _played(target, "pairs", 2 * sizes.pairs, {"pairs": sizes.pairs, "messages": sizes.messages})


def _steady(target: Target, sizes: Sizes, _round: int) -> Numbers:
    return _played(target, "steady", 2 * sizes.pairs, {"pairs": sizes.pairs, "per_second": sizes.per_second, "seconds": sizes.seconds})


def _large(target: Target, sizes: Sizes, _round: int) -> Numbers:
    options = {"pairs": LARGE_PAIRS, "messages": sizes.files, "size_bytes": LARGE_BYTES}
    found = _played(target, "pairs", 2 * LARGE_PAIRS, options)
    return found | {"mb_per_s": found["messages_per_s"] * LARGE_BYTES / 1e6}


def _idle(target: Target, sizes: Sizes, _round: int) -> Numbers:
    return _played(target, "crowd", sizes.idle + 1, {"fanouts": 0, "settle_s": sizes.settle_s})


def _crowd(target: Target, sizes: Sizes, _round: int) -> Numbers:
    return _played(target, "crowd", sizes.connections + 1, {"fanouts": sizes.fanouts})


def _played(target: Target, case: str, count: int, options: Mapping[str, float]) -> Numbers:
    target.start()
    found = play(target, case, target.people(count), options)
    target.stop()
    return found


def _logins(target: Target, sizes: Sizes, round_: int) -> Numbers:
    """People nobody knows; then the same ones come back after the server was started anew."""
    target.start()
    people = target.people(sizes.logins * (round_ + 1))[sizes.logins * round_ :]
    first = play(target, "visit", people)
    play(target, "welcome", people)
    target.stop()
    target.start()
    returning = play(target, "visit", people)
    target.stop()
    return {f"first_{key}": value for key, value in first.items()} | {f"returning_{key}": value for key, value in returning.items()}


CASES = {
    case.name: case
    for case in (
        Case("pairs", _with_accounts(lambda sizes: 2 * sizes.pairs), _pairs, lambda sizes: 6 + sizes.pairs * sizes.messages / 150),
        Case("steady", _with_accounts(lambda sizes: 2 * sizes.pairs), _steady, lambda sizes: 6 + sizes.seconds),
        Case("logins", _nothing, _logins, lambda sizes: 10 + sizes.logins / 25),
        Case("idle", _with_accounts(lambda sizes: sizes.idle + 1), _idle, lambda sizes: 12 + sizes.settle_s + sizes.idle / 50),
        Case(
            "crowd",
            _with_accounts(lambda sizes: sizes.connections + 1),
            _crowd,
            lambda sizes: 12 + sizes.connections / 50 + 8 * sizes.fanouts,
        ),
        Case("waiting", _filled, _crowd, lambda sizes: 12 + sizes.connections / 50 + 8 * sizes.fanouts),
        Case("large", _with_accounts(lambda _: 2 * LARGE_PAIRS), _large, lambda sizes: 8 + sizes.files * LARGE_PAIRS / 2),
    )
}
