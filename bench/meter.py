"""Processor time of the server, of the load generator and of the rest of the machine over one measured phase."""

import resource
from collections.abc import Sequence
from time import monotonic

from bench import machine


class Meter:
    """Processor time and wall time from its making to `read`."""

    def __init__(self, processes: Sequence[int]) -> None:
        self._processes = processes
        self._cpu, self._own, self._at = machine.cpu(processes), _own_seconds(), monotonic()

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


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
