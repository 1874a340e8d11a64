# SPDX-License-Identifier: AGPL-3.0-or-later
"""kill -9 in the middle of sending to other relays: each recipient has each message that was accepted, or its sender holds a report."""

import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from tests.integration.store_program import ENVIRONMENT

pytestmark = pytest.mark.slow
PROGRAM = [sys.executable, "-m", "tests.integration.queue_program"]
ROUNDS = 8


def killed_after(folder: Path, lines: int) -> list[str]:
    with subprocess.Popen([*PROGRAM, "work", str(folder)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        return said + process.stdout.readlines()


def test_nothing_is_lost_whenever_it_is_killed(tmp_path: Path) -> None:
    said = []
    for _ in range(ROUNDS):
        said += killed_after(tmp_path, random.randint(20, 200))
    last = subprocess.run([*PROGRAM, "finish", str(tmp_path)], capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=True)
    accepted: dict[str, list[str]] = {}
    got: Counter[tuple[str, str]] = Counter()
    told: defaultdict[str, set[str]] = defaultdict(set)
    for line in said + last.stdout.splitlines():
        what, mark, *addresses = line.split()
        if what == "accepted":
            accepted[mark] = addresses
        elif what == "got":
            got[mark, addresses[0]] += 1
        elif what == "told":
            told[mark].update(addresses)
    assert len(accepted) > ROUNDS
    lost = [(mark, each) for mark, addresses in accepted.items() for each in addresses if not got[mark, each] and each not in told[mark]]
    assert not lost
    assert sum(count > 1 for count in got.values()) < 0.3 * len(got), "sent twice only where an answer was lost or a kill came between"
    assert last.stdout.splitlines()[-1].split() == ["left", *[str(last.stdout.count("told "))] * 2]  # nothing but the reports
