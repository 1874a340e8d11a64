# SPDX-License-Identifier: AGPL-3.0-or-later
"""What /proc says: processor time and memory of the server's processes, how busy the rest of the machine is, what machine it is.

No host names, paths or user names are read, so results can be published as they are. Linux only. Where memory maps cannot be read (another
user's process, or one that made itself undumpable) the resident size stands in for the proportional one.
"""

import os
import platform
import re
import sqlite3
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def family(roots: Iterable[int]) -> list[int]:
    """These processes and all that descend from them, as far as they live."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(entry)):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def _stat(folder: Path) -> list[str]:
    """Fields of stat from the state on (number 3 in proc(5)); empty if it is gone."""
    try:
        return (folder / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of processor time so far. `main` is that of the first thread of the first process."""

    total: float
    main: float
    machine: float
    """Of everything on this machine."""

    def __sub__(self, earlier: "Cpu") -> "Cpu":
        return Cpu(self.total - earlier.total, self.main - earlier.main, self.machine - earlier.machine)


def cpu(roots: Iterable[int]) -> Cpu:
    """Time of children that have ended counts with their parent."""
    roots = list(roots)
    total = sum(sum(map(int, fields[11:15])) for process in family(roots) if (fields := _stat(PROC / str(process))))
    main = _stat(PROC / str(roots[0]) / "task" / str(roots[0]))
    busy = [int(word) for word in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    return Cpu(total / TICKS, sum(map(int, main[11:13])) / TICKS, (sum(busy) - busy[3] - busy[4] - busy[7]) / TICKS)


def memory_bytes(roots: Iterable[int]) -> int:
    """Proportional set size of all processes together."""
    return sum(map(_memory_of, family(roots)))


def _memory_of(process: int) -> int:
    folder = PROC / str(process)
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", (folder / "smaps_rollup").read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    except OSError:
        pass
    try:
        return int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def written_bytes(roots: Iterable[int]) -> int:
    """What these processes have made dirty in files so far, children that have ended included (write_bytes in proc(5)); 0 if unknown."""
    total = 0
    for process in family(roots):
        try:
            found = re.search(r"^write_bytes: (\d+)$", (PROC / str(process) / "io").read_text(), re.MULTILINE)
        except OSError:
            continue
        total += int(found[1]) if found else 0
    return total


def device_written_bytes(folder: Path) -> int:
    """What has gone to the device below `folder`, whoever wrote it, the journal included; 0 if it has none. Sync first."""
    device = folder.stat().st_dev
    try:
        fields = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()
    except OSError:
        return 0
    return int(fields[6]) * 512


def facts(folder: Path) -> dict[str, str | int | float]:
    """What the reader of a result wants to know. `folder`: where the server's data lies."""
    cpuinfo = (PROC / "cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    total = re.search(r"^MemTotal:\s+(\d+)", (PROC / "meminfo").read_text(), re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(int(total[1]) / 2**20, 1) if total else 0,
        "kernel": platform.release().split("-")[0],
        "file_system": _file_system(folder),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "sqlite": sqlite3.sqlite_version,
        "load_before": round(os.getloadavg()[0], 2),
        "nice": os.nice(0),
    }


def _file_system(folder: Path) -> str:
    """Its type, such as ext4; a tmpfs here would make every number about storage a lie."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in (PROC / "self" / "mountinfo").read_text().splitlines():
        if line.split()[2] == wanted:
            return line.partition(" - ")[2].split()[0]
    return "unknown"
