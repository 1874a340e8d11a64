# SPDX-License-Identifier: AGPL-3.0-or-later
"""Processor time of the server, of the load generator and of the rest of the machine over one measured phase, and what was written."""

import os
import resource
from pathlib import Path
from time import monotonic

from bench import machine
from bench.spec import Server


class Meter:
    """Processor time and wall time from its making to `read`."""

    def __init__(self, server: Server) -> None:
        self._processes = server.processes
        self._cpu, self._own, self._at = machine.cpu(self._processes), _own_seconds(), monotonic()

    def read(self) -> dict[str, float]:
        """Seconds since it was made; `others_cores`: how many cores the rest of the machine kept busy."""
        used, own, wall = machine.cpu(self._processes) - self._cpu, _own_seconds() - self._own, monotonic() - self._at
        return {
            "wall_s": wall,
            "server_cpu_s": used.total,
            "server_loop_cpu_s": used.main,
            "generator_cpu_s": own,
            "others_cores": max(0.0, used.machine - used.total - own) / wall if wall else 0.0,
        }


class Disk:
    """Bytes written from its making to `read`. Both wait until everything is on the disk, which takes time: not inside what is timed."""

    def __init__(self, server: Server) -> None:
        os.sync()
        self._server = server
        self._by_server, self._in_all = self._now()

    def _now(self) -> tuple[int, int]:
        folder = Path(self._server.folder or ".")
        return machine.written_bytes(self._server.processes), machine.device_written_bytes(folder)

    def read(self) -> dict[str, float]:
        """`server_written_mib`: what its processes wrote; `disk_written_mib`: what the device took, with the journal, from everybody."""
        os.sync()
        by_server, in_all = self._now()
        return {
            "server_written_mib": (by_server - self._by_server) / 2**20,
            "disk_written_mib": (in_all - self._in_all) / 2**20,
        }


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
