# SPDX-License-Identifier: AGPL-3.0-or-later
"""Servers that can be put under load. What a case needs of one is `Target`; this relay, from this checkout or another, is the first.

A relay runs as it is shipped (fsync, hardening, TLS on loopback) on a real disk, in a folder beside the results that is removed afterwards.
Only the limits that would refuse a benchmark's senders are raised, and the results say so.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from bench.spec import Server
from tests.lab.relay import REPOSITORY, Relay

RAISED = {"send_per_minute": 1_000_000, "send_burst": 1_000_000, "signups_per_hour": 1_000_000}
"""An ordinary account may send 60 messages a minute; here twenty senders stand for a thousand, and all of them join from one network."""


class Target(Protocol):
    """A server with a place from `__enter__` to `__exit__`. It runs between `start` and `stop`, as often as need be, on the same data."""

    name: str

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def start(self) -> None:
        """A fresh process; everything answers."""

    def stop(self) -> None:
        """Ended, and nothing is on its way."""

    def server(self) -> Server:
        """Where it is now; another one after the next start."""

    def people(self, count: int) -> Sequence[tuple[str, str]]:
        """So many accounts, always the same ones; addresses and passwords."""

    def fill(self, messages: int) -> None:
        """So many messages more wait in every mailbox that is used so far. The server has stopped."""


def strangers(count: int, domain: str) -> Sequence[tuple[str, str]]:
    """Always the same names."""
    rng = random.Random(1)
    return [(f"{rng.randbytes(6).hex()}@{domain}", rng.randbytes(11).hex()) for _ in range(count)]


class _Process(Relay):
    """From any checkout, and perhaps under the profiler."""

    checkout: Path = REPOSITORY
    profile: Path | None = None

    def command(self) -> list[str]:
        line = super().command()
        if self.profile is not None:
            line[1:3] = ["-m", "bench.profiled", str(self.profile)]
        return ["env", f"PYTHONPATH={self.checkout / 'src'}:{REPOSITORY}", *line]


@dataclass
class RazdarTarget:
    """This relay. `checkout`: whose source runs. `profile`: where cProfile's statistics of the event loop go at the end.

    `domain`, `bind`, `ports` and `settings` as of `tests.lab.relay.Relay`.
    """

    name: str
    checkout: Path = REPOSITORY
    profile: Path | None = None
    domain: str = ""
    bind: str = "127.0.0.1"
    ports: str | int = 0
    settings: Mapping[str, object] = field(default_factory=lambda: RAISED)

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch()))
        self._relay = _Process(self._folder, self.domain, self.bind, self.ports, self.settings)
        self._relay.checkout, self._relay.profile = self.checkout, self.profile
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is not None and self._relay.process is not None:
                print(self._relay.output()[-2000:], file=sys.stderr)
            self._relay.__exit__(kind, error, trace)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        try:
            self._relay.start()
        except BaseException:
            self._relay.kill()
            raise

    def stop(self) -> None:
        self._relay.stop()

    def server(self) -> Server:
        process = self._relay.process
        assert process is not None, "started"
        ports = self._relay.port("imaps"), self._relay.port("submissions")
        return Server(self._relay.bind, *ports, [process.pid], str(self._folder))

    @property
    def data(self) -> Path:
        """The relay's data folder."""
        return self._relay.data

    def people(self, count: int) -> Sequence[tuple[str, str]]:
        return strangers(count, self._relay.name)

    def fill(self, messages: int) -> None:
        command = [sys.executable, "-m", "bench.store_fill", str(self._relay.data), str(messages)]
        environment = os.environ | {"PYTHONPATH": f"{self.checkout / 'src'}:{REPOSITORY}"}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def scratch() -> Path:
    """On the checkout's disk, never a tmpfs."""
    folder = REPOSITORY / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
