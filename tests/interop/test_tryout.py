# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar try` from beginning to end, with the real client, as a newcomer runs it."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.lab.relay import Relay

pytestmark = [pytest.mark.client, pytest.mark.slow]


def test_it_shows_the_conversation_and_finds_nothing_on_the_disk(tmp_path: Path) -> None:
    environment = Relay.environment() | {"TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "razdar", "try"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("سلام بهار", "loud and clear", "window.png", "Neighbours", "Is the water off", "found 0 times", "account", "entry"):
        assert shown in done.stdout
    assert "not explained" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_takes_no_words() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "razdar", "try", "hard"], env=Relay.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "takes no other words" in done.stderr
    assert tempfile.gettempdir() not in done.stderr
