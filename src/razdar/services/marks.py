# SPDX-License-Identifier: AGPL-3.0-or-later
"""Marks \\Deleted that a device has set and not yet acted on, kept in RAM for a second before they are written.

An app marks what it fetched and closes the mailbox at once. To write the mark first would cost a seal, a transaction and an fsync for an
entry that is gone a moment later; it was a third of what a delivered message cost. If the machine stops within that second, the mark is
missing and the message stays until it expires or a device deletes it again: nothing is lost but the saying so. A mailbox with more than one
session does not wait, so that every device sees the flags as they are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress

from razdar.model.ids import Uid
from razdar.model.message import Flag
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreUnavailable
from razdar.services.seals import Opened

WRITE_AFTER_S = 1.0
MARKS_MAX = 500
"""What an app deletes in one round; more is written at once."""


class PendingMarks:
    """Of one session. `write` writes what is pending and calls `forget`."""

    def __init__(self, write: Callable[[], Awaitable[None]]) -> None:
        self._write = write
        self._entries: dict[Uid, Opened] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def may_take(self, before: Mapping[Uid, Opened], after: Mapping[Uid, Opened]) -> bool:
        """Whether these changes do nothing but mark a few messages as deleted."""
        is_room = len(after) + len(self._entries) <= MARKS_MAX
        return is_room and all(entry == before[uid].marked(Flag.DELETED) for uid, entry in after.items())

    def add(self, marked: Mapping[Uid, Opened]) -> None:
        """These count as marked from now on and are written within about a second."""
        self._entries.update(marked)
        if self._entries and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_AFTER_S, self._start)

    def pending(self) -> dict[Uid, Opened]:
        """What is not written yet."""
        return dict(self._entries)

    def over(self, found: dict[Uid, Opened]) -> dict[Uid, Opened]:
        """`found` as the client knows it, whatever the store says."""
        for uid in self._entries.keys() & found.keys():
            found[uid] = self._entries[uid]
        return found

    def forget(self, uids: Iterable[Uid]) -> None:
        """These are written, or gone."""
        for uid in uids:
            self._entries.pop(uid, None)
        if not self._entries and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._write_or_wait())

    async def _write_or_wait(self) -> None:
        with suppress(StoreUnavailable, CrewBusy):  # the next pause of the session tries again
            await self._write()
