# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar check` as a person runs it: before the first start, beside the relay, and when something is wrong."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.lab.relay import Relay

pytestmark = pytest.mark.slow


def _check(relay: Relay, *words: str) -> tuple[int, str]:
    command = relay.other_command("check", "--bind", "127.0.0.1", "--ports", str(relay.ports), *words)
    done = subprocess.run(command, env=relay.environment(), capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout


def test_before_beside_and_after_a_relay(tmp_path: Path) -> None:
    relay = Relay(tmp_path, settings={"push": "no"})
    code, before = _check(relay)
    assert code == 0, before
    assert "free" in before
    assert not relay.data.exists()
    with relay:
        code, beside = _check(relay)
        assert code == 0, beside
        assert "The relay answers on" in beside
    code, after = _check(relay, "--json")
    found = json.loads(after)
    assert (code, found["sound"]) == (0, True)
    assert [each["about"] for each in found["findings"]] == ["data", "ports", "certificate", "clock", "disk", "limits", "versions"]


def test_what_is_wrong_is_said_and_shows_in_the_exit_code(tmp_path: Path) -> None:
    with Relay(tmp_path, settings={"push": "no"}) as relay:
        (relay.data / "keys" / "id_key").chmod(0o644)
        other = Relay(tmp_path / "other", ports=relay.ports)
        code, words = _check(other)
        assert (code, "in use" in words) == (1, True)
    code, words = _check(relay)
    assert code == 1
    assert "chmod -R go=" in words
    assert "✗ پوشهٔ داده‌ها" in words
