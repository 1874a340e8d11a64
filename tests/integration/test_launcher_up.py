# SPDX-License-Identifier: AGPL-3.0-or-later
"""`up` as scripts and operators use it: a real process, its ready file, its signals, and what it says when something is in the way."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.relay import Relay

from razdar import __version__
from razdar.adapters.identity import open_identity
from razdar.adapters.tls import open_tls
from razdar.settings import port_layout

pytestmark = pytest.mark.slow


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    with Relay(tmp_path / "relay") as running:
        yield running


def _fails(relay: Relay, *words: str) -> str:
    """What a start that cannot work says: two sentences and exit code 1."""
    command = [*relay.command(), *words]
    ended = subprocess.run(command, capture_output=True, text=True, env=relay.environment(), cwd=relay.folder, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (1, ""), ended.stderr
    assert len(ended.stderr.splitlines()) == 2, ended.stderr
    return ended.stderr


def _asks(relay: Relay, *words: str) -> str:
    answered = subprocess.run(relay.other_command(*words), capture_output=True, text=True, env=relay.environment(), timeout=30, check=True)
    return answered.stdout


def _certificate(port: int) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as raw, context.wrap_socket(raw) as secured:
        return secured.getpeercert(binary_form=True) or b""


def test_ready_tells_scripts_all_and_goes_at_the_end(relay: Relay) -> None:
    assert relay.ready.keys() == {"pid", "domain", "version", "listeners"}
    assert relay.ready["version"] == __version__
    assert {each["name"]: each["port"] for each in relay.ready["listeners"]} == port_layout(str(relay.ports))
    for each in relay.ready["listeners"]:
        socket.create_connection((each["address"], each["port"]), 10).close()
    relay.stop()
    assert list((relay.data / "run").iterdir()) == []


def test_the_name_survives_a_restart_and_a_kill(relay: Relay) -> None:
    name = relay.name
    assert name.endswith(".razdar.alt")
    relay.kill()
    assert relay.start().name == name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly_even_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """The moment ready.json appears a script may end the relay again."""
    relay = Relay(tmp_path / "relay").start()
    assert relay.process is not None
    relay.process.send_signal(number)
    assert relay.process.wait(20) == 0, relay.output()
    assert not (relay.data / "run/ready.json").exists()


def test_nobody_else_can_read_the_data(relay: Relay) -> None:
    paths = [relay.data, *relay.data.rglob("*")]
    assert {path for path in paths if path.stat().st_mode & 0o077} == set()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "relay")
    with socket.create_server(("127.0.0.1", relay.port("imaps"))):
        said = _fails(relay)
    assert str(relay.port("imaps")) in said
    assert "--ports" in said
    with relay:
        assert relay.ready


def test_a_second_relay_on_the_same_data_is_told_and_harms_nothing(relay: Relay) -> None:
    other = Relay(relay.folder)
    assert "Another relay is running" in _fails(other)
    assert json.loads((relay.data / "run/ready.json").read_text()) == relay.ready
    assert json.loads(_asks(relay, "status", "--json"))["domain"] == relay.name


def test_another_name_is_refused_until_it_is_meant(relay: Relay) -> None:
    name = relay.name
    relay.stop()
    said = _fails(relay, "--domain", "chat.example")
    assert name in said
    assert "--change-name" in said


def test_an_unwritable_folder_and_a_wrong_setting_are_told(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "relay")
    assert "--data" in _fails(relay, "--data", "/proc/razdar")
    assert "did you mean keep_days?" in _fails(relay, "--set", "kep_days=3")
    assert "does not have the address" in _fails(relay, "--bind", "192.0.2.77")


def test_a_newer_store_is_told(relay: Relay) -> None:
    """The version of the schema is SQLite's user_version."""
    import sqlite3

    relay.stop()
    with sqlite3.connect(next(relay.data.glob("*.db"))) as store:
        store.execute("PRAGMA user_version = 1000000")
    store.close()
    assert "newer Razdar" in _fails(relay)


def test_given_certificates_are_used_and_read_again_on_sighup(tmp_path: Path) -> None:
    for name in ("old", "new"):
        open_tls(tmp_path / name, ["chat.example"], int(time.time()))
    files = {"certificate": tmp_path / "old/tls/certificate.pem", "certificate_key": tmp_path / "old/tls/key.pem"}
    with Relay(tmp_path / "relay", settings=files) as relay:
        before = _certificate(relay.port("imaps"))
        for file in files.values():
            file.write_bytes((tmp_path / "new/tls" / file.name).read_bytes())
        assert relay.process is not None
        relay.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while _certificate(relay.port("imaps")) == before:
            assert time.monotonic() < end
            time.sleep(0.01)  # nothing announces what another process has done
        assert _certificate(relay.port("https")) == _certificate(relay.port("imaps")) != before


def test_a_mistake_in_the_file_at_sighup_leaves_it_running(relay: Relay) -> None:
    (relay.data / "razdar.toml").write_text("keep_days = 'many'\n")
    assert relay.process is not None
    relay.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 10
    while "keep_days" not in relay.output():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert json.loads(_asks(relay, "status", "--json"))["domain"] == relay.name


def test_invitations_and_codes_come_from_the_running_relay(relay: Relay, tmp_path: Path) -> None:
    shown = _asks(relay, "invite", "--uses", "2", "--png", str(tmp_path / "code.png"))
    assert f"https://127.0.0.1:{relay.port('https')}/" in shown
    assert (tmp_path / "code.png").stat().st_size > 100
    code = next(line.strip() for line in _asks(relay, "invite", "--direct").splitlines() if line.strip().startswith("dclogin:"))
    assert f"@{relay.name}?" in code
    assert str(relay.port("imaps")) in code


def test_it_takes_the_keys_that_are_there(tmp_path: Path) -> None:
    relay = Relay(tmp_path / "relay")
    identity = open_identity(relay.data, "", os.urandom)
    with relay:
        assert relay.name == identity.domain
