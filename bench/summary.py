# SPDX-License-Identifier: AGPL-3.0-or-later
"""From the numbers of all runs to medians with their spread, and to lines for people."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Runs = Sequence[Mapping[str, Any]]


Summary = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Case → number → median, low, high."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached: a bound, or so many times better than the other server."""

    at_most: float = 0.0
    times: float = 0.0

    def is_met(self, value: float, times: float | None) -> bool | None:
        """None: cannot be told. `times`: how many times better than the other server."""
        if self.times:
            return None if times is None else times >= self.times
        return value <= self.at_most

    def __str__(self) -> str:
        return f"{self.times:g} times" if self.times else f"at most {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: which number of which case, and how it is called. `more`: whether more is better (None: neither)."""

    case: str
    key: str
    title: str
    unit: str
    factor: float = 1.0
    digits: int = 1
    more: bool | None = None
    goal: Goal | None = None


ROWS = (
    Row("pairs", "messages_per_s", "delivered, 20 pairs", "messages/s", more=True, goal=Goal(times=4)),
    Row("pairs", "acknowledged_per_s", "acknowledged", "messages/s", more=True),
    Row("pairs", "messages_per_round", "fetched in one round", "messages", 1, 2),
    Row("pairs", "p50_ms", "from sending to fetched, p50", "ms", more=False),
    Row("pairs", "server_cpu_ms_per_message", "relay CPU per 1000 messages", "s", 1, 2, more=False, goal=Goal(times=4)),
    Row("pairs", "server_loop_cpu_s", "  of it in the event loop's thread, in all", "s", 1, 2),
    Row("pairs", "generator_cpu_s", "load generator's CPU, in all", "s", 1, 2),
    Row("pairs", "others_cores", "cores busy with other programs", "", 1, 2),
    Row("steady", "p50_ms", "latency at 20 messages/s, p50", "ms", more=False, goal=Goal(10)),
    Row("steady", "p90_ms", "latency, p90", "ms", more=False),
    Row("steady", "p99_ms", "latency, p99", "ms", more=False, goal=Goal(50)),
    Row("steady", "server_cpu_ms_per_message", "relay CPU per 1000 messages at this pace", "s", 1, 2, more=False, goal=Goal(times=4)),
    Row("steady", "others_cores", "cores busy with other programs", "", 1, 2),
    Row("logins", "first_logins_per_s", "first logins", "logins/s", more=True),
    Row("logins", "first_server_cpu_ms_per_login", "CPU of a first login", "ms", more=False),
    Row("logins", "returning_logins_per_s", "returning logins, server just started", "logins/s", more=True),
    Row("logins", "returning_server_cpu_ms_per_login", "CPU of a returning login", "ms", more=False),
    Row("idle", "connections", "idle TLS connections", "", 1, 0),
    Row("idle", "kib_per_connection", "memory of each, just connected", "KiB", more=False, goal=Goal(64)),
    Row("idle", "kib_per_silent_connection", "memory of each after 40 s of silence", "KiB", more=False, goal=Goal(64)),
    Row("idle", "server_mib", "server's memory with all connected", "MiB", more=False),
    Row("crowd", "kib_per_connection", "memory per idle TLS connection", "KiB", more=False, goal=Goal(64)),
    Row("crowd", "server_mib", "relay's memory with all connected", "MiB", more=False),
    Row("crowd", "logins_per_s", "returning devices after a start", "logins/s", more=True),
    *(
        row
        for case, title in (("fanout", "one message to all of them"), ("waiting", "one message to all, many waiting"))
        for row in (
            Row(case, "accepted_s", f"{title}: acknowledged", "ms", 1000, 0, more=False),
            Row(case, "half_s", "half have fetched it", "ms", 1000, 0, more=False),
            Row(case, "last_s", "the last has fetched it", "ms", 1000, 0, more=False),
            Row(case, "server_cpu_s", "relay CPU, deletions included", "ms", 1000, 0, more=False),
            Row(case, "server_written_mib", "written by the server's processes", "MiB", more=False),
            Row(case, "disk_written_mib", "written to the disk, journal included", "MiB", more=False),
            Row(case, "generator_cpu_s", "load generator's CPU", "ms", 1000, 0),
        )
    ),
    Row("large", "mb_per_s", "files of 10 MB, four senders", "MB/s", more=True),
    Row("large", "p50_ms", "from sending to fetched, p50", "ms", 1, 0, more=False),
    Row("large", "server_cpu_ms_per_message", "relay CPU per file", "ms", 1, 0, more=False),
)


def summarise(results: Mapping[str, Runs]) -> dict[str, dict[str, dict[str, float]]]:
    """Case → number → median, lowest and highest. Fan-outs of all runs count alike, as cases of their own."""
    cases = dict(results)
    if "crowd" in cases:
        cases["fanout"] = [fanout for run in cases["crowd"] for fanout in run["fanouts"]]
    if "waiting" in cases:
        cases["waiting"] = [fanout for run in cases["waiting"] for fanout in run["fanouts"]]
    return {case: {key: _spread([run[key] for run in runs]) for key in _numbers(runs)} for case, runs in cases.items() if runs}


def _numbers(runs: Runs) -> Iterable[str]:
    return [key for key, value in runs[0].items() if isinstance(value, int | float)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 4), "low": round(min(values), 4), "high": round(max(values), 4)}


def times_better(row: Row, summaries: Mapping[str, Summary]) -> float | None:
    """How many times better the first server's median is than the second's; None where there are not two, or neither is better."""
    medians = [summary.get(row.case, {}).get(row.key, {}).get("median") for summary in summaries.values()]
    if row.more is None or len(medians) != 2 or not medians[0] or not medians[1]:
        return None
    return medians[0] / medians[1] if row.more else medians[1] / medians[0]


def verdict(row: Row, summaries: Mapping[str, Summary]) -> str:
    """`4 times: reached`, or `at most 10: missed`; empty without a goal."""
    spread = next(iter(summaries.values())).get(row.case, {}).get(row.key)
    if row.goal is None or spread is None:
        return ""
    met = row.goal.is_met(spread["median"] * row.factor, times_better(row, summaries))
    return "" if met is None else f"{row.goal}: {'reached' if met else 'missed'}"


def lines_of(summaries: Mapping[str, Summary]) -> list[tuple[Row, list[str], str, str]]:
    """For every number measured: its row, a cell for each server, how many times better the first is, and what became of the goal."""
    found = []
    for row in ROWS:
        cells = [_cell(row, summary) for summary in summaries.values()]
        if any(cells):
            times = times_better(row, summaries)
            found.append((row, cells, "" if times is None else f"{times:.2g}×", verdict(row, summaries)))
    return found


def table(summaries: Mapping[str, Summary]) -> list[str]:
    """One line per number, one column per server: median (lowest to highest); with two servers, how many times better the first is."""
    lines = [f"{'':46}" + "".join(f"{name:>30}" for name in summaries)]
    for row, cells, times, goal in lines_of(summaries):
        line = f"{row.title:46}" + "".join(f"{cell:>30}" for cell in cells) + f" {row.unit:12}{times:>8}  {goal}"
        lines.append(line.rstrip())
    return lines


def _cell(row: Row, summary: Summary) -> str:
    spread = summary.get(row.case, {}).get(row.key)
    if spread is None:
        return ""
    median, low, high = (f"{spread[key] * row.factor:.{row.digits}f}" for key in ("median", "low", "high"))
    return median if low == high else f"{median} ({low} to {high})"
