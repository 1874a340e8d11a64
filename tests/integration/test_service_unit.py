# SPDX-License-Identifier: AGPL-3.0-or-later
"""packaging/razdar.service: rated by systemd's own measure, and the relay does all of its work under its restrictions."""

import http.client
import imaplib
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.lab.confined import UNIT, allowed_calls, command, unit
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

from razdar.cli.arguments import build_parser

MOST_EXPOSED = 1.6
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian package systemd)")


@needs_systemd
def test_the_exposure_is_low() -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    shown = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    found = re.search(r"exposure level for razdar\.service: ([0-9.]+)", shown)
    assert found is not None, shown
    assert float(found[1]) <= MOST_EXPOSED


@needs_systemd
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """Only the program itself is missing where the tests run."""
    text = UNIT.read_text(encoding="utf-8").replace("/opt/razdar/razdar", sys.executable)
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(tmp_path / UNIT.name)], capture_output=True, text=True, check=False)
    assert "razdar.service" not in done.stderr
    assert done.returncode == 0


def test_what_it_starts_is_a_command_of_ours() -> None:
    ((start,), settings) = unit()["ExecStart"], unit()
    program, *words = start.split()
    assert program == "/opt/razdar/razdar"
    arguments = build_parser().parse_args(words)
    assert (arguments.command, str(arguments.data)) == ("up", f"/var/lib/{settings['StateDirectory'][0]}")
    assert settings["Type"] == ["notify"]


@needs_systemd
def test_the_list_of_calls_is_systemds() -> None:
    allowed = allowed_calls(unit()["SystemCallFilter"])
    assert {"execve", "prlimit64", "fsync", "mlockall", "accept4", "memfd_create"} <= allowed
    assert not {"ptrace", "mount", "setuid", "chown", "reboot", "bpf", "setpriority", "kexec_load"} & allowed


def _can_confine() -> bool:
    probe = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    has_parts = bool(shutil.which("systemd-analyze") and shutil.which("unshare"))
    try:
        has_parts &= any(Path("/usr/lib").glob("*/libseccomp.so.2")) or Path("/usr/lib64/libseccomp.so.2").exists()
        return has_parts and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


confined = [
    pytest.mark.slow,
    pytest.mark.skipif(not _can_confine(), reason="needs systemd-analyze, libseccomp, and root or a namespace (./razdar test makes one)"),
]


@dataclass
class Confined:
    """The relay under the unit's restrictions; `pid` is its number outside."""

    relay: Relay
    pid: int
    process: subprocess.Popen[bytes]
    ear: socket.socket
    output: Path


@contextmanager
def running(folder: Path, ear: socket.socket) -> Iterator[Confined]:
    relay = Relay(folder, settings={"push": "no", "log_level": "debug"})
    relay.data.mkdir()
    words = command(relay.data, relay.command())
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, env=relay.environment(), cwd=folder)
    try:
        said = ear.recv(100)
        assert said == b"READY=1", said
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        relay.ready = {"domain": (relay.data / "keys" / "domain").read_text().strip()}
        yield Confined(relay, int(child), process, ear, folder / "output.txt")
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def ear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", ear.getsockname())
        yield ear


class TestConfined:
    pytestmark = confined

    def test_the_restrictions_bite(self, tmp_path: Path) -> None:
        """Otherwise the next test would prove nothing. Each line is tried by a program in the relay's place."""
        tries = {
            "write elsewhere": "open('/tmp/razdar-must-not-exist', 'w')",
            "other processes": "open('/proc/meminfo')",
            "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
            "raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
            "low port": "socket.create_server(('127.0.0.1', 99))",
            "new namespace": "check(libc.unshare(0x10000000))",
            "become another": "os.setuid(1)",
            "priority": "os.setpriority(os.PRIO_PROCESS, 0, -5)",
            "written code": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
            "trace": "check(libc.ptrace(0, 0, 0, 0))",
        }
        program = "import ctypes, mmap, os, socket\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        program += "def check(result):\n    if result < 0: raise OSError(ctypes.get_errno(), '')\n"
        for name, line in tries.items():
            program += f"try: {line}\nexcept OSError: pass\nelse: print({name!r})\n"
        program += "open(os.environ['DATA'] + '/fine', 'w').close()\nprint('done')\n"
        done = subprocess.run(
            command(tmp_path, [sys.executable, "-c", program]),
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"DATA": str(tmp_path)},
        )
        assert (done.stdout, done.stderr) == ("done\n", "")
        assert (tmp_path / "fine").exists()

    def test_a_relay_does_all_its_work_and_ends_cleanly(self, tmp_path: Path, ear: socket.socket) -> None:
        context = ssl._create_unverified_context()
        with running(tmp_path, ear) as service:
            relay = service.relay
            address, password = f"{random_text(9)}@{relay.name}", random_text(22)
            with imaplib.IMAP4_SSL("127.0.0.1", relay.port("imaps"), ssl_context=context) as imap:
                imap.login(address, password)
                with smtplib.SMTP_SSL("127.0.0.1", relay.port("submissions"), context=context) as smtp:
                    smtp.login(address, password)
                    refused = smtp.sendmail(address, [address], encrypted_message(address, [address], 3_000, 1))
                assert refused == {}
                assert imap.select()[1] == [b"1"]
                assert imap.fetch("1", "(RFC822.SIZE)")[0] == "OK"
            page = http.client.HTTPSConnection("127.0.0.1", relay.port("https"), context=context)
            page.request("GET", "/")
            assert page.getresponse().status == 200
            page.close()
            invited = subprocess.run(relay.other_command("invite"), env=relay.environment(), capture_output=True, text=True, check=False)
            assert "https://" in invited.stdout, invited.stderr
            os.kill(service.pid, signal.SIGHUP)
            os.kill(service.pid, signal.SIGTERM)
            assert ear.recv(100) == b"STOPPING=1"
            assert service.process.wait(30) == 0, service.output.read_text()
        log = service.output.read_text()
        assert '"bug"' not in log
        assert "Traceback" not in log
