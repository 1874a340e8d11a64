# SPDX-License-Identifier: AGPL-3.0-or-later
"""One process per data folder."""

import fcntl
import os
from pathlib import Path


class StoreInUse(Exception):  # noqa: N818 - a state of the folder, named like one
    """Another process, or another store in this one, owns the data folder."""


def lock_folder(folder: Path) -> int:
    """A file descriptor to be kept open: the lock lives as long as it does, and dies with the process. Raises StoreInUse.

    flock and not lockf: a POSIX lock would be lost when anybody in this process closed another descriptor of the file.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StoreInUse from None
    return descriptor
