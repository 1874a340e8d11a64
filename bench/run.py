# SPDX-License-Identifier: AGPL-3.0-or-later
"""The benchmark: `./razdar bench [--peer postfix-dovecot] [--quick] [--runs N] [--only pairs,steady,…] [--against CHECKOUT] …`

Starts a relay as it is shipped, puts it under load from a process of its own over loopback, prints a table and keeps all numbers in
bench/results. With `--peer postfix-dovecot` Razdar and a chatmail relay of Debian's packages are measured in turn, case by case, so that
both see the same machine; with `--against` other checkouts are. Bounded in count and time; it stops by itself. docs/performance.md says
how to read the lines.
"""

import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import federation, machine
from bench.chart import chart
from bench.document import publish
from bench.peer import NAME, PeerTarget
from bench.plan import CASES, Case, Sizes
from bench.progress import Progress
from bench.summary import summarise, table
from bench.target import RAISED, RazdarTarget, Target, scratch
from tests.lab.chatmail_peer import Unavailable, require, versions
from tests.lab.relay import REPOSITORY

from razdar.cli.namespace import raise_loopback

Results = dict[str, dict[str, list[dict[str, Any]]]]
"""Server → case → what each round found."""
SMALL = ("pairs", "steady", "crowd")
SIDE_BY_SIDE = ("pairs", "steady", "logins", "idle", "waiting", "large")
QUICK = Sizes(messages=20, seconds=5, logins=32, connections=100, idle=100, fanouts=1, waiting=5_000, files=1, settle_s=0)
INSIDE = "RAZDAR_BENCH_NAMESPACE"
PREPARING = 1.0
"""What getting ready is expected to take, in rounds."""


def main(words: Sequence[str]) -> int:
    """0 when everything that was asked for was measured."""
    if "--federation" in words:
        return federation.main(words, _commit) if _is_inside(words) else 1
    chosen = _arguments(words)
    if chosen.document:
        publish(chosen.document, REPOSITORY / "docs")
        return 0
    if chosen.peer and not _is_inside(words):
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and folders go, too
    _allow_many_files(2 * max(chosen.sizes.idle, chosen.sizes.connections) + 500)
    facts = machine.facts(scratch())
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print("raised for the benchmark: " + ", ".join(f"{name}={value}" for name, value in RAISED.items()))
    results = measure(_targets(chosen), chosen.only, chosen.sizes, chosen.runs)
    summaries = {name: summarise(runs) for name, runs in results.items()}
    print("\n".join(table(summaries)))
    if chosen.keep:
        print(f"kept in {_keep(chosen, facts, results, summaries)}")
    return 0 if all(set(runs) == set(chosen.only) for runs in results.values()) else 1


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="razdar bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    normal = Sizes()
    parser.add_argument("--peer", choices=[NAME], help="measure that one in turn with Razdar; needs Debian 12, its packages and root")
    parser.add_argument("--late", action="store_true", help="the peer's Dovecot tells of new mail after half a second, as Debian's does")
    parser.add_argument("--quick", action="store_true", help="one short round of each case; nothing is kept")
    parser.add_argument("--runs", type=int, default=5, help="medians are of so many rounds (default 5)")
    parser.add_argument("--only", type=lambda text: text.split(","), help=f"cases, with commas between: {', '.join(CASES)}")
    for name, what in _SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=getattr(normal, name), help=f"{what} (default {getattr(normal, name)})")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="CHECKOUT", help="measure that one, too")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="cProfile of the event loop; nothing is kept")
    parser.add_argument("--document", type=Path, metavar="FILE", help="only put the numbers of that kept run into docs/performance.md")
    chosen = parser.parse_args(words)
    chosen.keep = not (chosen.quick or chosen.profile)
    chosen.runs = 1 if chosen.quick else chosen.runs
    chosen.only = chosen.only or (SIDE_BY_SIDE if chosen.peer else SMALL)
    chosen.sizes = QUICK if chosen.quick else Sizes(**{name: getattr(chosen, name) for name in _SIZES})
    if unknown := set(chosen.only) - set(CASES):
        parser.error(f"no such case: {', '.join(unknown)}")
    return chosen


_SIZES = {
    "pairs": "pairs of people in pairs and steady",
    "messages": "messages of each sender in pairs",
    "seconds": "length of steady",
    "logins": "people in logins",
    "idle": "connections in idle",
    "connections": "people in crowd and waiting",
    "fanouts": "messages to all of them",
    "waiting": "entries in the mailboxes of as many others before that, in waiting",
    "files": "files of each of four senders in large",
}


def _is_inside(words: Sequence[str]) -> bool:
    """Whether this process is in a network namespace of its own; becomes one that is, if it can.

    The packages come first: inside there is no network.
    """
    if os.environ.get(INSIDE):
        raise_loopback()
        return True
    try:
        require()
    except Unavailable as reason:
        print(f"--peer {NAME} cannot run here: {reason}", file=sys.stderr)
        return False
    own = ["unshare", "--mount", "--net", *([] if os.getuid() == 0 else ["--user", "--map-root-user", "--map-auto"])]
    sys.stdout.flush()
    return os.execvpe("unshare", [*own, sys.executable, "-m", "bench.run", *words], os.environ | {INSIDE: "1"})


def _targets(chosen: argparse.Namespace) -> list[Target]:
    targets: list[Target] = [RazdarTarget("razdar" if chosen.peer else "this", profile=chosen.profile)]
    targets += [RazdarTarget(_commit(checkout), checkout) for checkout in chosen.against]
    return [*targets, PeerTarget(prompt=not chosen.late)] if chosen.peer else targets


def measure(targets: Sequence[Target], cases: Sequence[str], sizes: Sizes, rounds: int) -> Results:
    """Server → case → what each round found. A case that a server fails at is left out for all, and said so; the others count."""
    results: Results = {target.name: {case: [] for case in cases} for target in targets}
    progress = Progress(sum(CASES[case].seconds(sizes) * (rounds + PREPARING) * len(targets) for case in cases))
    for case in (CASES[name] for name in cases):
        try:
            _measure(case, targets, sizes, rounds, results, progress)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            print(f"\n{case.name} failed and is left out: {error}", file=sys.stderr)
            for runs in results.values():
                del runs[case.name]
    progress.end()
    return results


def _measure(case: Case, targets: Sequence[Target], sizes: Sizes, rounds: int, results: Results, progress: Progress) -> None:
    with ExitStack() as stack:
        for target in targets:
            progress.begin(f"{case.name}: {target.name} gets ready")
            case.prepare(stack.enter_context(target), sizes)
            progress.done(case.seconds(sizes) * PREPARING)
        for number in range(rounds):
            # Whoever comes first in one round comes last in the next.
            for target in targets if number % 2 == 0 else targets[::-1]:
                progress.begin(f"{case.name}: {target.name}, round {number + 1} of {rounds}")
                results[target.name][case.name].append(case.measure(target, sizes, number))
                progress.done(case.seconds(sizes))


def _allow_many_files(count: int) -> None:
    """For the generator's sockets and, as an operator would, the relay's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _keep(chosen: argparse.Namespace, facts: dict[str, Any], results: dict[str, Any], summaries: dict[str, Any]) -> str:
    commit = _commit(REPOSITORY)
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "machine": facts | {"system": platform.system()},
        "peer": [*versions(), "tells of new mail late" if chosen.late else "tells of new mail at once"] if chosen.peer else [],
        "raised": RAISED,
        "asked": {"runs": chosen.runs} | {name: getattr(chosen, name) for name in _SIZES},
        "summary": summaries,
        "runs": results,
    }
    file = Path(__file__).parent / "results" / f"{time.strftime('%Y-%m-%d-%H%M')}-{commit.partition('+')[0]}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
    file.with_suffix(".svg").write_text(chart(summaries))
    return str(file.relative_to(REPOSITORY))


def _commit(checkout: Path) -> str:
    """Which source runs there."""
    return _git(checkout, "rev-parse", "--short", "HEAD") + ("+changes" if _git(checkout, "status", "--porcelain", "--", "src") else "")


def _git(checkout: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=checkout, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
