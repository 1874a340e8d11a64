"""Servers that can be put under load. What a case needs of one is `Target`; this relay, from this checkout or another, is the first.

A relay runs as it is shipped (fsync, hardening, TLS on loopback) on a real disk, in a folder beside the results that is removed afterwards.
Only the limits that would refuse a benchmark's senders are raised, and the results say so.
"""

import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from bench.spec import Server
from tests.lab.relay import REPOSITORY, Relay

RAISED = {"send_per_minute": 1_000_000, "send_burst": 1_000_000}
"""An ordinary account may send 60 messages a minute; here twenty senders stand for a thousand."""


class Target(Protocol):
    """A server that runs from `__enter__` to `__exit__`."""

    name: str

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def server(self) -> Server:
        """Where it is now; another one after `restart`."""

    def people(self, count: int) -> Sequence[tuple[str, str]]:
        """So many accounts, always the same ones; addresses and passwords."""

    def restart(self) -> None:
        """A fresh process on the same data."""


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
    """This relay. `checkout`: whose source runs. `profile`: where cProfile's statistics of the event loop go at the end."""

    name: str
    checkout: Path = REPOSITORY
    profile: Path | None = None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch()))
        self._relay = _Process(self._folder, settings=RAISED)
        self._relay.checkout, self._relay.profile = self.checkout, self.profile
        try:
            self._relay.start()
        except BaseException:
            self._relay.kill()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is not None:
                print(self._relay.output()[-2000:], file=sys.stderr)
            self._relay.__exit__(kind, error, trace)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def server(self) -> Server:
        process = self._relay.process
        assert process is not None, "entered"
        return Server(self._relay.bind, self._relay.port("imaps"), self._relay.port("submissions"), [process.pid])

    def people(self, count: int) -> Sequence[tuple[str, str]]:
        rng = random.Random(1)
        return [(f"{rng.randbytes(6).hex()}@{self._relay.name}", rng.randbytes(11).hex()) for _ in range(count)]

    def restart(self) -> None:
        self._relay.stop()
        self._relay.start()


def scratch() -> Path:
    """On the checkout's disk, never a tmpfs."""
    folder = REPOSITORY / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
