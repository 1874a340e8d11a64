"""Keeps the process's memory off the disk: no core dump, no swap where the system allows, no file that others can read.

Best effort for locking memory: it is done only where the limit is off, because with a limit the first allocation above it would fail. Pages
are locked when they are first touched (MCL_ONFAULT), so that reserved but unused memory, such as thread stacks, costs nothing.
Linux only; elsewhere the parts that are missing are skipped.
"""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


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
