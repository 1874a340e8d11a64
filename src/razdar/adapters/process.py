# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the process asks of the system for itself: memory that stays off the disk (no core dump, no swap where that is allowed, no file that
others can read), and as many open files as it may have.

Best effort for locking memory: it is done only where the limit is off, because with a limit the first allocation above it would fail. Pages
are locked when they are first touched (MCL_ONFAULT), so that reserved but unused memory, such as thread stacks, costs nothing.
Linux only; elsewhere the parts that are missing are skipped.
"""

import ctypes
import os
import resource
from pathlib import Path

_PR_SET_DUMPABLE = 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_FILES_MAX = 1 << 20


def keep_memory_private() -> bool:
    """From now on new files are for the owner only and a crash writes no core. Returns whether memory is kept out of swap, too."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        # Also keeps other processes of the same user from attaching a debugger or reading /proc/PID/mem (ptrace(2)).
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    soft, _hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY or not hasattr(libc, "mlockall"):
        return False
    return bool(libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0)


def allow_many_files() -> int:
    """As many open files as the system allows without asking root; returns how many. Shells begin with 1024, which is 1024 people."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def free_memory_bytes() -> int:
    """What the machine could still give to programs (proc(5), MemAvailable); -1 where that cannot be known, as with ProcSubset=pid."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return -1
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), -1)


def memory_bytes() -> int:
    """What the process has in RAM at this moment (proc(5), statm); 0 where that cannot be known."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return 0
