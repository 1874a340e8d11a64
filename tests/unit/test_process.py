# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the process does to keep its memory and files to itself; tried in a process of its own, because it cannot be undone."""

import subprocess
import sys
from pathlib import Path

import razdar

_PROBE = """
import os, resource, stat, sys
from razdar.adapters.process import keep_memory_private
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
locked = keep_memory_private()
open(sys.argv[1], "w").close()
print(locked, oct(stat.S_IMODE(os.stat(sys.argv[1]).st_mode)), resource.getrlimit(resource.RLIMIT_CORE))
with open("/proc/self/status") as status:
    print([line.split()[1] for line in status if line.startswith("VmLck")])
grown = bytearray(1 << 24)
"""


def test_no_core_no_foreign_readers_and_a_memory_limit_is_respected(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(razdar.__path__[0]).parent)}
    command = [sys.executable, "-c", _PROBE, str(tmp_path / "file")]
    probe = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert probe.stdout.split("\n")[:2] == ["False 0o600 (0, 0)", "['0']"]
