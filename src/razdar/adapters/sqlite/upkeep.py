# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps the files small: empties the log, gives free pages back to the file system, holds the reserve. Runs in the writer's thread.

The log shows a message beside its entries until it is emptied, so it is emptied whenever the relay pauses for a moment and at the
latest when it has grown to its limit. Its old blocks stay on the disk until the file system reuses them: see docs/storage.md.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

from .faults import is_full
from .lineage import Lineage
from .reserve import Reserve
from .schema import PAGE_BYTES

FREE_PAGES_KEPT = 256
"""1 MiB of free pages is worth less than the work of giving it back."""
PAGES_AT_ONCE = 512
COMMITS_PER_CHORE = 64


class Upkeep:
    """`lineage` hears of every emptied log."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lineage: Lineage, reserve: Reserve, wal_bytes: int) -> None:
        self._wal = folder / "store.db-wal"
        self._connection = connection
        self._lineage = lineage
        self._reserve = reserve
        self._wal_bytes = wal_bytes
        self._is_dirty = True
        self._commits = 0

    def committed(self) -> None:
        """Something was written. The log is emptied if it has grown to its limit; a relay that never pauses gets its chores done too."""
        self._is_dirty = True
        self._commits += 1
        with suppress(FileNotFoundError):
            if self._wal.stat().st_size >= self._wal_bytes:
                self._checkpoint()
        if not self._reserve.is_held:
            self.pause()
        elif self._commits % COMMITS_PER_CHORE == 0:
            self._give_back()

    def pause(self) -> bool:
        """Nothing is waiting. Does one small piece of work; whether there is more to do at the next pause."""
        if self._is_dirty:
            has_excess = self._give_back()
            self._is_dirty = not self._checkpoint() or has_excess
        self._reserve.take()
        return self._is_dirty or not self._reserve.is_held

    def _checkpoint(self) -> bool:
        """Whether the log is empty now. A full disk or a reader in its way: the next time."""
        try:
            (is_busy, _, _) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            if is_full(error) or self._reserve.is_disk_full():
                self._reserve.release()
            return False
        if not is_busy:
            self._lineage.make_due()
        return not is_busy

    def _give_back(self) -> bool:
        """Whether there are still more free pages than half of the used ones, so that the disk in use is at most twice what waits."""
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        excess = int(free - max(FREE_PAGES_KEPT, (pages - free) // 2))
        if excess <= 0:
            return False
        # Giving back takes space in the log first, and on a full disk there is little of it.
        step = min(excess, PAGES_AT_ONCE, max(16, self._reserve.free_bytes() // (4 * PAGE_BYTES)))
        with suppress(sqlite3.Error):
            # One page per step and no columns: of Python's ways to run a statement only this one runs such a one to its end.
            self._connection.executescript(f"PRAGMA incremental_vacuum({step})")
        return step < excess
