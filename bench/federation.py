# SPDX-License-Identifier: AGPL-3.0-or-later
"""The benchmark between relays: `./razdar bench --federation [--quick] [--runs N] [--only burst,steady,file] [--against CHECKOUT] …`

Two relays of Razdar write to each other by `/mxdeliv`, two others by SMTP, two of Postfix and Dovecot by SMTP: in turn, case by case and
round by round, each started anew, so that all see the same machine. People of the one write to people of the other; a message is delivered
when it can be fetched there. docs/performance.md says how to read the lines.
"""

import argparse
import json
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import machine
from bench.between import Errand
from bench.couples import RAISED_HERE, Couple, PostfixCouple, RazdarCouple
from bench.plan import CASE_S, LARGE_BYTES
from bench.progress import Progress
from bench.summary import Row, summarise
from bench.target import scratch
from tests.lab.chatmail_peer import versions
from tests.lab.relay import REPOSITORY

Found = dict[str, dict[str, list[dict[str, Any]]]]
"""Couple → case → what each round found."""
SECONDS = {"burst": 12.0, "steady": 20.0, "file": 8.0}
"""About how long a round takes."""
CPU = "CPU of both relays per 1000 messages"
ROWS = (
    Row("burst", "messages_per_s", "delivered, 20 senders to 20 people", "messages/s", more=True),
    Row("burst", "acknowledged_per_s", "acknowledged to the senders", "messages/s", more=True),
    Row("burst", "p50_ms", "from sending to fetchable, p50", "ms", more=False),
    Row("burst", "cpu_ms_per_message", CPU, "s", 1, 2, more=False),
    Row("burst", "sending_cpu_ms_per_message", "  of it the sending one", "s", 1, 2, more=False),
    Row("burst", "receiving_cpu_ms_per_message", "  of it the receiving one", "s", 1, 2, more=False),
    Row("burst", "others_cores", "cores busy with other programs", "", 1, 2),
    Row("steady", "p50_ms", "20 messages/s: from sending to fetchable, p50", "ms", more=False),
    Row("steady", "p90_ms", "  p90", "ms", more=False),
    Row("steady", "cpu_ms_per_message", CPU, "s", 1, 2, more=False),
    Row("steady", "others_cores", "cores busy with other programs", "", 1, 2),
    Row("file", "p50_ms", "10 MB: from sending to fetchable, p50", "ms", 1, 0, more=False),
    Row("file", "cpu_ms_per_message", "CPU of both relays per file", "ms", 1, 0, more=False),
    Row("file", "others_cores", "cores busy with other programs", "", 1, 2),
)


def main(words: Sequence[str], commit: Callable[[Path], str]) -> int:
    """0 when everything was measured. In a network namespace of its own; `commit` names the source of a checkout."""
    chosen = _arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and folders go, too
    facts = machine.facts(scratch())
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print("raised for the benchmark: " + ", ".join(f"{name}={value}" for name, value in RAISED_HERE.items()))
    found = measure(_couples(chosen, commit), chosen)
    summaries = {name: summarise(runs) for name, runs in found.items()}
    print("\n".join(table(summaries)))
    if chosen.keep:
        print(f"kept in {_keep(chosen, facts, found, summaries, commit(REPOSITORY))}")
    return 0


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="razdar bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--federation", action="store_true", help="this benchmark")
    parser.add_argument("--quick", action="store_true", help="one short round of each case; nothing is kept")
    parser.add_argument("--runs", type=int, default=5, help="medians are of so many rounds (default 5)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(SECONDS), help=f"cases: {', '.join(SECONDS)}")
    parser.add_argument("--ways", type=lambda text: text.split(","), default=["mxdeliv", "smtp"], help="of Razdar: mxdeliv, smtp")
    parser.add_argument("--pairs", type=int, default=20, help="senders, each with one receiver (default 20)")
    parser.add_argument("--messages", type=int, default=50, help="of each sender in burst (default 50)")
    parser.add_argument("--seconds", type=int, default=15, help="length of steady (default 15)")
    parser.add_argument("--files", type=int, default=3, help="of 10 MB, one after the other, in file (default 3)")
    parser.add_argument("--alone", action="store_true", help="without Postfix and Dovecot")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="CHECKOUT", help="measure that one, too")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="cProfile of the event loops, FILE.sending and FILE.receiving")
    chosen = parser.parse_args(words)
    if chosen.quick:
        chosen.runs, chosen.messages, chosen.seconds, chosen.files = 1, 10, 4, 1
    if unknown := (set(chosen.only) - set(SECONDS)) | (set(chosen.ways) - {"mxdeliv", "smtp"}):
        parser.error(f"no such case or way: {', '.join(unknown)}")
    chosen.keep = not (chosen.quick or chosen.profile)
    return chosen


def _couples(chosen: argparse.Namespace, commit: Callable[[Path], str]) -> Sequence[Couple[Any]]:
    sources = {"razdar": REPOSITORY} | {commit(checkout) or checkout.name: checkout for checkout in chosen.against}
    found: list[Couple[Any]] = []
    for name, checkout in sources.items():
        for way in chosen.ways:
            words = f"{name}, {'/mxdeliv' if way == 'mxdeliv' else 'SMTP'}"
            found.append(RazdarCouple(words, checkout, len(found) + 1, by_smtp=way == "smtp", profile=chosen.profile))
    return found if chosen.alone else [*found, PostfixCouple(len(found) + 1)]


def _options(case: str, chosen: argparse.Namespace) -> Mapping[str, float]:
    if case == "burst":
        return {"messages": chosen.messages}
    if case == "steady":
        return {"messages": max(1, 20 * chosen.seconds // chosen.pairs), "per_second": 20}
    return {"messages": chosen.files, "one_by_one": 1, "size_bytes": LARGE_BYTES}


def measure(couples: Sequence[Couple[Any]], chosen: argparse.Namespace) -> Found:
    """What each round found."""
    found: Found = {couple.name: {case: [] for case in chosen.only} for couple in couples}
    progress = Progress(len(couples) * (10 + chosen.runs * sum(SECONDS[case] for case in chosen.only)))
    with ExitStack() as stack:
        for couple in couples:
            progress.begin(f"{couple.name}: gets ready")
            stack.enter_context(couple).prepare(chosen.pairs)
            progress.done(10)
        for case in chosen.only:
            for number in range(chosen.runs):
                # Whoever comes first in one round comes last in the next.
                for couple in couples if number % 2 == 0 else couples[::-1]:
                    progress.begin(f"{case}: {couple.name}, round {number + 1} of {chosen.runs}")
                    found[couple.name][case].append(measured(couple, 1 if case == "file" else chosen.pairs, _options(case, chosen)))
                    progress.done(SECONDS[case])
    progress.end()
    return found


def measured(couple: Couple[Any], pairs: int, options: Mapping[str, float]) -> dict[str, Any]:
    """What one round found. The load generator is a process of its own."""
    couple.start()
    errand = Errand(couple.sending.server(), couple.receiving.server(), *couple.people(pairs), options)
    command = [sys.executable, "-m", "bench.between"]
    done = subprocess.run(command, input=errand.to_json(), stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, timeout=CASE_S, check=True)
    couple.stop()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def table(summaries: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> list[str]:
    """Markdown: one line per number, one column per couple, `median (lowest to highest)`; and how many times better than the last it is."""
    lines = [f"| | {' | '.join(summaries)} |", "| --- |" + " --- |" * len(summaries)]
    for row in ROWS:
        spreads = [summary.get(row.case, {}).get(row.key) for summary in summaries.values()]
        if all(spreads):
            title = f"{row.title.strip()}, {row.unit}" if row.unit else row.title.strip()
            lines.append(f"| {' | '.join([title, *(_cell(row, spread, spreads[-1]) for spread in spreads)])} |")
    return lines


def _cell(row: Row, spread: Mapping[str, float] | None, last: Mapping[str, float] | None) -> str:
    assert spread is not None
    assert last is not None
    median, low, high = (f"{spread[key] * row.factor:.{row.digits}f}" for key in ("median", "low", "high"))
    text = median if low == high else f"{median} ({low} to {high})"
    if row.more is None or spread is last or not spread["median"] or not last["median"]:
        return text
    times = spread["median"] / last["median"] if row.more else last["median"] / spread["median"]
    return f"{text} **{times:.2g}×**"


def _keep(chosen: argparse.Namespace, facts: Mapping[str, Any], found: Found, summaries: Mapping[str, Any], commit: str) -> str:
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "machine": {**facts, "system": platform.system()},
        "peer": [] if chosen.alone else versions(),
        "raised": RAISED_HERE,
        "asked": {name: getattr(chosen, name) for name in ("runs", "pairs", "messages", "seconds", "files")},
        "others_cores": statistics.median(run["others_cores"] for runs in found.values() for each in runs.values() for run in each),
        "summary": summaries,
        "runs": found,
    }
    file = Path(__file__).parent / "results" / f"{time.strftime('%Y-%m-%d-%H%M')}-{commit.partition('+')[0]}-federation.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
    return str(file.relative_to(REPOSITORY))
