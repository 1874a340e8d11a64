"""The small benchmark: `./razdar bench [--quick] [--runs N] [--only pairs,steady,crowd] [--against CHECKOUT] …`

Starts a relay as it is shipped, puts it under load from a process of its own over loopback, prints about twenty lines and keeps all numbers
in bench/results. With `--against` a second checkout runs in turn with this one, case by case, so that both see the same machine.
Bounded in count and time; it stops by itself. docs/performance.md says how to read the lines.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import machine
from bench.spec import Spec
from bench.summary import summarise, table
from bench.target import RAISED, RazdarTarget, Target, scratch
from tests.lab.relay import REPOSITORY

CASES = ("pairs", "steady", "crowd")
CASE_S = 700.0


def main(words: Sequence[str]) -> int:
    """0 when everything was measured."""
    chosen = _arguments(words)
    _allow_many_files(2 * chosen.connections + 500)
    targets: list[Target] = [RazdarTarget("this", profile=chosen.profile)]
    targets += [RazdarTarget(_commit(checkout), checkout) for checkout in chosen.against]
    facts = machine.facts(scratch())
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print("raised for the benchmark: " + ", ".join(f"{name}={value}" for name, value in RAISED.items()))
    results: dict[str, dict[str, list[dict[str, Any]]]] = {target.name: {case: [] for case in chosen.only} for target in targets}
    for number in range(chosen.runs):
        for case in chosen.only:
            # Whoever comes first in one run comes last in the next.
            for target in targets if number % 2 == 0 else targets[::-1]:
                print(f"run {number + 1} of {chosen.runs}: {case}, {target.name} …", file=sys.stderr, flush=True)
                results[target.name][case].append(measure(target, case, chosen))
    summaries = {name: summarise(runs) for name, runs in results.items()}
    print("\n".join(table(summaries)))
    if chosen.keep:
        print(f"kept in {_keep(chosen, facts, results, summaries)}")
    return 0


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="razdar bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short run of each case, about half a minute; nothing is kept")
    parser.add_argument("--runs", type=int, default=5, help="medians are of so many runs (default 5)")
    parser.add_argument("--only", default=",".join(CASES), type=lambda text: text.split(","), help="cases, with commas between")
    parser.add_argument("--pairs", type=int, default=20, help="pairs of people in pairs and steady (default 20)")
    parser.add_argument("--messages", type=int, default=100, help="messages of each sender in pairs (default 100)")
    parser.add_argument("--seconds", type=int, default=30, help="length of steady (default 30)")
    parser.add_argument("--connections", type=int, default=1000, help="people in crowd (default 1000)")
    parser.add_argument("--fanouts", type=int, default=3, help="messages to all of them (default 3)")
    parser.add_argument("--against", type=Path, action="append", default=[], metavar="CHECKOUT", help="measure that one, too")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="cProfile of the event loop; nothing is kept")
    chosen = parser.parse_args(words)
    chosen.keep = not (chosen.quick or chosen.profile)
    if chosen.quick:
        chosen.runs, chosen.messages, chosen.seconds, chosen.connections, chosen.fanouts = 1, 30, 6, 200, 1
    if unknown := set(chosen.only) - set(CASES):
        parser.error(f"no such case: {', '.join(unknown)}")
    return chosen


def measure(target: Target, case: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """One case against a fresh server."""
    count = chosen.connections + 1 if case == "crowd" else 2 * chosen.pairs
    options = {"pairs": chosen.pairs, "messages": chosen.messages, "seconds": chosen.seconds, "per_second": 20, "fanouts": chosen.fanouts}
    with target:
        people = target.people(count)
        _generate(Spec("provision", target.server(), people))
        if case == "crowd":
            target.restart()
        return _generate(Spec(case, target.server(), people, options))


def _generate(spec: Spec) -> dict[str, Any]:
    """What the load generator measured; it runs in a process of its own."""
    command = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(command, input=spec.to_json(), stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, timeout=CASE_S, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _allow_many_files(count: int) -> None:
    """For the generator's sockets and, as an operator would, the relay's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _keep(chosen: argparse.Namespace, facts: dict[str, Any], results: dict[str, Any], summaries: dict[str, Any]) -> str:
    commit = _commit(REPOSITORY)
    asked = {name: value for name, value in vars(chosen).items() if isinstance(value, int) and not isinstance(value, bool)}
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
        "machine": facts | {"system": platform.system()},
        "raised": RAISED,
        "asked": asked,
        "summary": summaries,
        "runs": results,
    }
    file = Path(__file__).parent / "results" / f"{time.strftime('%Y-%m-%d-%H%M')}-{commit.partition('+')[0]}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document, indent=1) + "\n")
    return str(file.relative_to(REPOSITORY))


def _commit(checkout: Path) -> str:
    """Which source runs there."""
    return _git(checkout, "rev-parse", "--short", "HEAD") + ("+changes" if _git(checkout, "status", "--porcelain", "--", "src") else "")


def _git(checkout: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=checkout, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
