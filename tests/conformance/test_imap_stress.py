# SPDX-License-Identifier: AGPL-3.0-or-later
"""Random sessions on one mailbox for half a minute; `RAZDAR_STRESS_SECONDS` for longer, or `python -m tests.conformance.stress`."""

import os
import random
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.conformance.stress import CHANCES, SETTINGS, Stress
from tests.lab.relay import Relay

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("RAZDAR_STRESS_SECONDS", "30"))


def test_random_sessions_agree_on_everything(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    with Relay(tmp_path, settings=SETTINGS) as relay, ExitStack() as stack:
        stress = Stress(relay, stack, sessions=4, seed=seed)
        try:
            done = stress.run(SECONDS)
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise
    assert stress.rounds >= 1
    assert set(done) == set(CHANCES)
