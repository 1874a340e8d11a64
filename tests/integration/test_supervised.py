# SPDX-License-Identifier: AGPL-3.0-or-later
"""The relay as a service: it tells its supervisor how it is, and its numbers tell nothing of the people."""

import http.client
import imaplib
import json
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from tests.lab.relay import Relay, free_base, random_text

pytestmark = pytest.mark.slow


def test_ready_alive_and_stopping_are_said_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", ear.getsockname())
        monkeypatch.setenv("WATCHDOG_USEC", "60000000")
        with Relay(tmp_path, settings={"push": "no"}) as relay:
            assert ear.recv(100) == b"READY=1"
            with socket.create_connection(("127.0.0.1", relay.port("imap"))) as client:  # ready means that every door is open
                assert client.recv(4) == b"* OK"
            assert ear.recv(100) == b"WATCHDOG=1"
        assert ear.recv(100) == b"STOPPING=1"


def test_a_relay_that_cannot_start_never_says_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", ear.getsockname())
        relay = Relay(tmp_path, settings={"push": "no", "certificate": "/nowhere", "certificate_key": "/nowhere"})
        done = subprocess.run(relay.command(), env=relay.environment(), capture_output=True, check=False, timeout=60)
        assert done.returncode == 1
        ear.setblocking(False)
        with pytest.raises(BlockingIOError):
            ear.recv(100)


def test_the_numbers_are_local_and_name_nobody(tmp_path: Path) -> None:
    port, local, password = free_base("127.0.0.1"), random_text(9), random_text(22)
    with Relay(tmp_path, settings={"push": "no", "metrics_port": port, "log_level": "debug"}) as relay:
        with imaplib.IMAP4_SSL("127.0.0.1", relay.port("imaps"), ssl_context=ssl._create_unverified_context()) as client:
            client.login(f"{local}@{relay.name}", password)
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        status = subprocess.run(relay.other_command("status", "--json"), env=relay.environment(), capture_output=True, check=True)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))  # not on every address of the machine
    assert json.loads(status.stdout)["accounts"] == 1
    assert "razdar_certificate_days" in text
    for marker in (local, relay.name, password, "connections", "accounts"):
        assert marker not in text
