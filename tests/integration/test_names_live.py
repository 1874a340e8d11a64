# SPDX-License-Identifier: AGPL-3.0-or-later
"""The list of other relays and the line for other operators, with real relays and real commands."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.relay import Relay

from razdar.adapters.names_file import read_names
from razdar.model.trouble import Trouble
from razdar.servers.control import ask

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def relays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Relay, Relay]]:
    with Relay(tmp_path_factory.mktemp("one")) as one, Relay(tmp_path_factory.mktemp("two")) as two:
        yield one, two
        assert all('"event": "bug"' not in each.output() for each in (one, two))


def typed(relay: Relay, *words: str) -> subprocess.CompletedProcess[str]:
    """What somebody types where the relay runs."""
    return subprocess.run(
        relay.other_command(*words), env=relay.environment(), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def test_what_one_prints_the_other_takes_while_both_run(relays: tuple[Relay, Relay]) -> None:
    one, two = relays
    options = ["--ports", str(one.port("https")), "--address", "127.0.0.1"]
    line = json.loads(typed(one, "dns", "--json", *options).stdout)["peer"]
    added = typed(two, *shlex.split(line)[1:])
    assert added.returncode == 0, added.stderr
    peer = read_names(two.data / "names.txt")[one.name]
    assert (peer.https_port, peer.smtp_port) == (one.port("https"), one.port("smtp"))
    looked = typed(two, "peer", "add", one.name, "127.0.0.1", "--https-port", str(one.port("https")))
    assert looked.returncode == 0, looked.stderr  # what answers there is what the line said
    assert read_names(two.data / "names.txt")[one.name].pin == peer.pin


def test_a_slip_of_the_pen_is_told_by_the_relay_that_runs(relays: tuple[Relay, Relay]) -> None:
    one, _ = relays
    assert ask(one.data, {"op": "names"}) == {}
    names: Path = one.data / "names.txt"
    names.write_text("other.example nonsense\n")
    with pytest.raises(Trouble, match="Line 1 of"):
        ask(one.data, {"op": "names"})
    listed = typed(one, "peer", "list")
    assert listed.returncode == 1
    assert "Line 1 of" in listed.stderr
    names.unlink()
    assert ask(one.data, {"op": "names"}) == {}
