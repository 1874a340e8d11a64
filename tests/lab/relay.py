# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our relay as a process of its own, on data and ports of its own; it can be ended, killed and started again on the same data.

Everything it prints is kept in a file. A relay that does not say "ready" in time, or does not end by itself when asked to, fails the test
with what it printed.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

REPOSITORY = Path(__file__).resolve().parents[2]
READY_S, END_S = 20.0, 20.0
"""Generous: the machine may be busy with seven other tests."""

HIGH = {"smtp": 8025, "http": 8080, "imap": 8143, "https": 8443, "submissions": 8465, "submission": 8587, "imaps": 8993}
STANDARD = {"smtp": 25, "http": 80, "imap": 143, "https": 443, "submissions": 465, "submission": 587, "imaps": 993}


def free_base(address: str) -> int:
    """A number for `--ports` whose whole layout is free on `address` at this moment."""
    while True:
        base = random.randrange(20_000, 32_000)
        try:
            for port in HIGH.values():
                with socket.create_server((address, port - HIGH["https"] + base)):
                    pass
        except OSError:
            continue
        return base


@dataclass
class Relay:
    """Use as a context manager, or call `start` and `stop`. `ports`: `standard` or a number for HTTPS; 0 finds free ones."""

    folder: Path
    domain: str = ""
    bind: str = "127.0.0.1"
    ports: str | int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    ready: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = self.ports or free_base(self.bind)
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def name(self) -> str:
        """The domain of its addresses, chosen or derived."""
        return str(self.ready["domain"])

    def port(self, service: str) -> int:
        """Port of `imaps`, `submissions`, `https` and so on, as `--ports` lays them out."""
        return STANDARD[service] if self.ports == "standard" else HIGH[service] - HIGH["https"] + int(self.ports)

    def command(self) -> list[str]:
        line = [sys.executable, "-m", "razdar", "up", "--data", str(self.data), "--bind", self.bind, "--ports", str(self.ports), "--quiet"]
        line += ["--domain", self.domain] if self.domain else []
        for name, value in self.settings.items():
            line += ["--set", f"{name}={value}"]
        return line

    def other_command(self, *words: str) -> list[str]:
        """A `razdar` command about this relay's data, to be run with `environment()`."""
        return [sys.executable, "-m", "razdar", words[0], "--data", str(self.data), *words[1:]]

    @staticmethod
    def environment() -> dict[str, str]:
        path = os.pathsep.join([str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")])
        return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}

    def spawn(self, in_child: Callable[[], None] | None = None) -> None:
        """The process has begun, and nothing is said of how far it has come. `in_child` runs in it before the relay does."""
        (self.data / "run" / "ready.json").unlink(missing_ok=True)
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdout=output, stderr=subprocess.STDOUT, env=self.environment(), cwd=self.folder, preexec_fn=in_child
            )

    def start(self) -> Self:
        """All listeners accept connections."""
        self.spawn()
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """After `spawn`."""
        assert self.process is not None
        end = time.monotonic() + READY_S
        while not self.is_ready():
            assert self.process.poll() is None, f"the relay ended by itself with {self.process.returncode}:\n{self.output()}"
            assert time.monotonic() < end, f"the relay was not ready within {READY_S} s:\n{self.output()}"
            time.sleep(0.01)  # a file of another process; nothing announces it

    def is_ready(self) -> bool:
        """Whether the process of the last start says so."""
        try:
            self.ready = json.loads((self.data / "run" / "ready.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return bool(self.process and self.ready["pid"] == self.process.pid)

    def stop(self) -> None:
        """Ended by SIGTERM, cleanly and in time."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the relay did not end within {END_S} s after SIGTERM:\n{self.output()}") from None
        assert code == 0, f"the relay ended with {code}:\n{self.output()}"

    def kill(self) -> None:
        """Ended by SIGKILL, as by a power cut to the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def output(self) -> str:
        """Everything it printed, over all starts."""
        return (self.folder / "output.txt").read_text(errors="replace")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()  # the test has its own failure to tell; a second one from here would hide it

    def link(self, local: str = "", password: str = "", host: str = "") -> str:
        """A `dclogin:` code for an account here, new or not: TLS at once, any certificate (WIRE.md, *Accounts*)."""
        address = f"{local or random_text(9)}@{self.name}"
        host = host or self.bind
        options = {"p": password or random_text(22), "v": 1, "ih": host, "ip": self.port("imaps"), "is": "ssl"}
        options |= {"sh": host, "sp": self.port("submissions"), "ss": "ssl", "ic": 3}
        return f"dclogin:{address}?{urllib.parse.urlencode(options)}"


def random_text(length: int) -> str:
    """Small letters and digits, as the apps choose them."""
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))
