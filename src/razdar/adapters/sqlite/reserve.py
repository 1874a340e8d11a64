# SPDX-License-Identifier: AGPL-3.0-or-later
"""Disk space held back by a file of nothing, so that deleting and emptying the log still work when the disk is full.

Deleting needs space too: it is written to the log first. When the disk is full the file is removed, deliveries are refused and
deletions go on; when there is room again, with some to spare, the file comes back.
"""

import os
from contextlib import suppress
from pathlib import Path

SPARE = 1.5
"""Free space, in reserves, at which the file is made again; more than one, so that it does not come and go."""
NOTHING_BYTES = 65_536
"""Less than this is nothing: the log and its index grow by 32 KiB at a time."""


class Reserve:
    """The file `reserve` of the data folder."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self._path = folder / "reserve"
        self._size_bytes = size_bytes
        self.is_held = False

    def take(self) -> bool:
        """Whether the space is held now."""
        if not self.is_held:
            self.is_held = self._size_bytes == 0 or self._is_complete() or (self._has_room() and self._allocate())
        return self.is_held

    def release(self) -> bool:
        """The space is free for others. Whether there was any to give back."""
        had = self.is_held
        self.is_held = False
        with suppress(OSError):
            self._path.unlink()
        return had

    def _is_complete(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False
        return found.st_size == self._size_bytes and found.st_blocks * 512 >= self._size_bytes

    def is_disk_full(self) -> bool:
        """Whether an error without a clear name comes from lack of space."""
        return self.free_bytes() < NOTHING_BYTES

    def _has_room(self) -> bool:
        return self.free_bytes() >= self._size_bytes * SPARE

    def free_bytes(self) -> int:
        """What the file system still has for an ordinary user."""
        room = os.statvfs(self._path.parent)
        return room.f_bavail * room.f_frsize

    def _allocate(self) -> bool:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
            os.ftruncate(descriptor, self._size_bytes)
        except OSError:
            self.release()
            return False
        finally:
            os.close(descriptor)
        return True
