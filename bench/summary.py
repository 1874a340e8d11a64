"""From the numbers of all runs to medians with their spread, and to lines for people."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Runs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: which number of which case, and how it is called."""

    case: str
    key: str
    title: str
    unit: str
    factor: float = 1.0
    digits: int = 1


ROWS = (
    Row("pairs", "messages_per_s", "delivered, 20 pairs", "messages/s"),
    Row("pairs", "acknowledged_per_s", "acknowledged", "messages/s"),
    Row("pairs", "messages_per_round", "fetched in one round", "messages", 1, 2),
    Row("pairs", "server_cpu_ms_per_message", "relay CPU per 1000 messages", "s", 1, 2),
    Row("pairs", "server_loop_cpu_s", "  of it in the event loop's thread, in all", "s", 1, 2),
    Row("pairs", "generator_cpu_s", "load generator's CPU, in all", "s", 1, 2),
    Row("pairs", "others_cores", "cores busy with other programs", "", 1, 2),
    Row("steady", "p50_ms", "latency at 20 messages/s, p50", "ms"),
    Row("steady", "p90_ms", "latency, p90", "ms"),
    Row("steady", "p99_ms", "latency, p99", "ms"),
    Row("steady", "server_cpu_ms_per_message", "relay CPU per 1000 messages at this pace", "s", 1, 2),
    Row("steady", "others_cores", "cores busy with other programs", "", 1, 2),
    Row("crowd", "kib_per_connection", "memory per idle TLS connection", "KiB"),
    Row("crowd", "server_mib", "relay's memory with all connected", "MiB"),
    Row("crowd", "logins_per_s", "returning devices after a start", "logins/s"),
    Row("fanout", "accepted_s", "one message to all of them: acknowledged", "ms", 1000, 0),
    Row("fanout", "half_s", "half have fetched it", "ms", 1000, 0),
    Row("fanout", "last_s", "the last has fetched it", "ms", 1000, 0),
    Row("fanout", "server_cpu_s", "relay CPU, deletions included", "ms", 1000, 0),
    Row("fanout", "generator_cpu_s", "load generator's CPU", "ms", 1000, 0),
)


def summarise(results: Mapping[str, Runs]) -> dict[str, dict[str, dict[str, float]]]:
    """Case → number → median, lowest and highest. Fan-outs of all runs count alike, as a case of their own."""
    cases = dict(results)
    if "crowd" in cases:
        cases["fanout"] = [fanout for run in cases["crowd"] for fanout in run["fanouts"]]
    return {case: {key: _spread([run[key] for run in runs]) for key in _numbers(runs)} for case, runs in cases.items() if runs}


def _numbers(runs: Runs) -> Iterable[str]:
    return [key for key, value in runs[0].items() if isinstance(value, int | float)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 4), "low": round(min(values), 4), "high": round(max(values), 4)}


def table(summaries: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> list[str]:
    """One line per number, one column per server: median (lowest to highest)."""
    lines = [f"{'':46}" + "".join(f"{name:>30}" for name in summaries)]
    for row in ROWS:
        cells = [_cell(row, summary) for summary in summaries.values()]
        if any(cells):
            lines.append(f"{row.title:46}" + "".join(f"{cell:>30}" for cell in cells) + f" {row.unit}")
    return lines


def _cell(row: Row, summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    spread = summary.get(row.case, {}).get(row.key)
    if spread is None:
        return ""
    median, low, high = (f"{spread[key] * row.factor:.{row.digits}f}" for key in ("median", "low", "high"))
    return median if low == high else f"{median} ({low} to {high})"
