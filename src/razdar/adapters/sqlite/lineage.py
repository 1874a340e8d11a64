# SPDX-License-Identifier: AGPL-3.0-or-later
"""Notices that the database is not the one we wrote last, but an earlier copy that somebody put back.

IMAP needs to know: after a restore UIDs would be given out that devices have seen for other messages. So the UIDs of every mailbox jump
ahead, and so do folder numbers, from which the UIDVALIDITY of a new folder comes (RFC 3501 section 2.3.1.1). What is restored keeps UID and
UIDVALIDITY: it is the same message as before. A new UIDVALIDITY would be right too, but the real client then never fetches what waits
(tests/interop/test_client_facts.py), and nothing that was accepted may be lost. Two signs are looked at when a store is opened:

- a count that goes up with the first commit after each checkpoint, in the database and in a small file beside it. The file is written
  after the commit, so it is never ahead, unless the database went back. A missing file counts as a restore: an operator who restores
  everything, file and all, can delete it to say so;
- the database's inode and, where the file system has one, the inode's generation number, as the database itself remembers them: a copy
  has others. Inode numbers alone are given out again at once by ext4.

A rolled back virtual disk shows neither sign. A needless alarm is harmless: it costs each device some 130 empty fetches, once.
"""

import fcntl
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from razdar.model.ids import INBOX, UID_NEXT_MAX

WORN = 2**31
"""An empty INBOX that has given out so many UIDs begins anew at the next start, with a new UIDVALIDITY. Only an empty one: see above."""
UID_STEP = 65_536
"""More than the messages that a mailbox got since the backup; enough for 65 535 restores. The client asks for 500 UIDs at a time."""
FOLDER_STEP = 1_000
"""More than the folders that an account made since the backup."""

_WORN = """
folder = ? AND uid_next > ? AND NOT EXISTS (SELECT 1 FROM entry WHERE entry.account = mailbox.account AND entry.folder = mailbox.folder)
"""
_ANY_WORN = "SELECT 1 FROM mailbox WHERE" + _WORN + "LIMIT 1"  # noqa: S608 - from above
_RENEW = "UPDATE mailbox SET uid_next = 1, uid_validity = uid_validity + 1 WHERE" + _WORN  # noqa: S608

_FS_IOC_GETVERSION = 0x80087601  # linux/fs.h on 64 bit; elsewhere the call fails and the inode number alone must do


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file on the disk this is."""

    inode: int
    inode_generation: int


def identify(path: Path) -> Identity:
    """The generation number is 0 on file systems that have none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        inode = os.fstat(descriptor).st_ino
        with suppress(OSError):
            answer = fcntl.ioctl(descriptor, _FS_IOC_GETVERSION, bytes(8))
            return Identity(inode, int.from_bytes(answer[:4], "little"))
        return Identity(inode, 0)
    finally:
        os.close(descriptor)


class Lineage:
    """Belongs to the thread that writes."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._path = folder / "store.generation"
        self._identity = identify(folder / "store.db")
        self._remembered = self._read()
        (self._generation,) = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        self._is_due = True
        self._is_restored = self._differs(connection)

    def _read(self) -> int | None:
        try:
            return int(self._path.read_text())
        except (OSError, ValueError):
            return None

    def _differs(self, connection: sqlite3.Connection) -> bool:
        if self._generation == 0:  # just made
            return False
        known = dict(connection.execute("SELECT key, value FROM meta WHERE key IN ('inode', 'inode_generation')").fetchall())
        is_other_file = Identity(known["inode"], known["inode_generation"]) != self._identity
        return is_other_file or self._remembered is None or self._remembered > self._generation

    def begin(self, connection: sqlite3.Connection) -> bool:
        """Called at opening. A new or restored database is made ours, in one transaction; whether it was a restored one."""
        if self._generation > 0 and not self._is_restored and connection.execute(_ANY_WORN, (INBOX, WORN)).fetchone() is None:
            return False
        connection.execute("BEGIN IMMEDIATE")
        if self._is_restored:
            connection.execute("UPDATE mailbox SET uid_next = min(uid_next + ?, ?)", (UID_STEP, UID_NEXT_MAX))
            connection.execute("UPDATE account SET folders_made = folders_made + ?", (FOLDER_STEP,))
        connection.execute(_RENEW, (INBOX, WORN))
        self._generation = max(self._generation, self._remembered or 0)
        for key, value in (("inode", self._identity.inode), ("inode_generation", self._identity.inode_generation)):
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        self.advance(connection)
        connection.execute("COMMIT")
        self.remember()
        return self._is_restored

    def make_due(self) -> None:
        """The log was emptied: the next commit counts."""
        self._is_due = True

    def advance(self, connection: sqlite3.Connection) -> None:
        """Within each transaction; writes only when due."""
        if self._is_due:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'generation'", (self._generation + 1,))

    def remember(self) -> None:
        """After each commit. Not synced: it must survive the end of the process, and to be behind is harmless."""
        if self._is_due:
            self._is_due = False
            self._generation += 1
            with suppress(OSError):  # a full disk can only refuse the very first write
                self._write(b"%020d\n" % self._generation)

    def _write(self, text: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, text, 0)
        finally:
            os.close(descriptor)
