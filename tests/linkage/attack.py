# SPDX-License-Identifier: AGPL-3.0-or-later
"""The linkage attacker of docs/storage.md: who shares messages with whom, asked of a seized disk.

    PYTHONPATH=src python -m tests.linkage.attack [--json FILE]

plays two towns of each kind on real relays, seizes them and prints what the attacker makes of it (seized.py). Takes a few minutes.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.linkage import controls
from tests.linkage.measure import Result
from tests.linkage.plan import Plan, draw_even, draw_lively
from tests.linkage.seized import Case, MainFile, control, live_log, main_file, play, remains

PEOPLE, MESSAGES, LIVELY_DAYS = 300, 1500, 4
LOOKS = (
    ("main file after a clean stop", "stopped", False),
    ("main file of a running relay that pauses", "idle", False),
    ("main file, with free pages and gaps", "stopped", True),
)


def _say(text: str = "") -> None:
    print(text, flush=True)


def _say_main(title: str, found: MainFile) -> None:
    _say(f"\n{title}")
    _say(f"  everything                   {found.everything}")
    _say(f"  numbers of messages only     {found.activity}")
    _say(f"  layout and columns only      {found.layout}")
    _say("  beyond the numbers           {:+.3f}  [{:+.3f}, {:+.3f}]".format(*found.beyond))
    best = max(found.singles.items(), key=lambda item: item[1].precision)
    _say(f"  best feature alone           {best[1].precision:.1%} ({best[0]})")


def _numbers(found: MainFile) -> dict[str, object]:
    def one(result: Result) -> dict[str, float]:
        return asdict(result) | {"advantage": result.advantage}

    whole = {name: one(getattr(found, name)) for name in ("everything", "activity", "layout")}
    return {**whole, "beyond": found.beyond, "single_features": {name: each.precision for name, each in found.singles.items()}}


def _main_files(cases: Sequence[Case]) -> dict[str, object]:
    report: dict[str, object] = {}
    for title, seizure, raw in LOOKS:
        found = main_file(cases, seizure, raw=raw)
        _say_main(title, found)
        report[title] = _numbers(found)
    return report


def _log(cases: Sequence[Case]) -> list[dict[str, object]]:
    _say("\nthe log of a running relay, seized in traffic")
    report = []
    for case in cases:
        log = live_log(case)
        _say(f"  {log.log_bytes} bytes, {log.commits} commits with entries: {log.pairs} pairs named,")
        _say(
            f"    {log.precision:.1%} of them right, chance {log.chance:.1%}; empty {case.town.log_emptied_s:.2f} s after the last message"
        )
        report.append(asdict(log) | {"emptied_s": case.town.log_emptied_s})
    return report


def _controls(cases: Sequence[Case], folder: Path) -> dict[str, float]:
    _say("\nthe same attacker on stores that leak")
    report = {}
    for name in controls.CONTROLS:
        result = control(cases, name, folder)
        _say(f"  {name:<34} precision {result.precision:6.1%}  chance {result.chance:5.1%}")
        report[name] = result.precision
    seen_by_layout = control(cases, "rows in order of arrival", folder, ("layout",))
    _say(f"  {'order of arrival, by layout only':<34} precision {seen_by_layout.precision:6.1%}  chance {seen_by_layout.chance:5.1%}")
    return report | {"rows in order of arrival, layout only": seen_by_layout.precision}


def report_on(kind: str, plans: Sequence[Plan], folder: Path) -> dict[str, object]:
    """Everything about the two towns of one kind, printed and as numbers."""
    cases = asyncio.run(play(plans, folder))
    _say(f"\n=== the {kind} towns: 2 x {cases[0].people} people, {len(plans[0].messages())} messages each ===")
    report = _main_files(cases)
    report["remains"] = [remains(case) for case in cases]
    for left in [remains(case) for case in cases]:
        _say(
            "{entries} entries, {bodies} bodies, {free_pages} free pages, {deleted_entries} deleted entries left in them or in gaps".format(
                **left
            )
        )
    report["log"] = _log(cases)
    if kind == "even":  # the controls need to know every entry's message, and in the lively towns some were copied
        report["controls"] = _controls(cases, folder / "controls")
    return report


def _plans(given: argparse.Namespace) -> Mapping[str, Sequence[Plan]]:
    seeds = (given.seed, given.seed + 1)
    plans = {
        "even": [draw_even(seed, given.people, given.messages) for seed in seeds],
        "lively": [draw_lively(seed, given.people, given.messages, given.days) for seed in seeds],
    }
    return plans if given.towns == "both" else {given.towns: plans[given.towns]}


def _given(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.linkage.attack", description="Who shares messages with whom, asked of a seized disk."
    )
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--days", type=int, default=LIVELY_DAYS, help="relay days of the lively towns")
    parser.add_argument("--seed", type=int, default=1, help="the towns are drawn from this seed and the next one")
    parser.add_argument("--towns", choices=("even", "lively", "both"), default="both")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    given = _given(words)
    began = time.monotonic()
    report: dict[str, object] = {"people": given.people, "messages": given.messages, "seed": given.seed}
    for kind, plans in _plans(given).items():
        with tempfile.TemporaryDirectory(prefix="razdar-linkage-") as folder:
            report[kind] = report_on(kind, plans, Path(folder))
    _say(f"\n{time.monotonic() - began:.0f} s")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
