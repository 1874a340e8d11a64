# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finds what was marked \\Deleted before the relay started. The flag lies inside the seals, so every seal of a mailbox is opened, once.

A small mailbox is searched by the command that asks. CLOSE of a large one does not wait for that: it removes what has been marked since,
and the rest is searched behind it, one mailbox of the relay at a time and a portion at a time, however many devices come back at the same
moment after a restart. So what was marked before the restart may go a little later than the CLOSE that asked for it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from razdar.model.ids import MailboxId, Uid
from razdar.model.message import Flag
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreUnavailable
from razdar.services.accounts import Login
from razdar.services.folders import Folder
from razdar.services.transfer import portions

if TYPE_CHECKING:
    from razdar.services.mailbox import OpenMailbox

AT_ONCE = 256  # 13 ms of a thread; then somebody else's work may come
BUSY_PAUSE_S = 0.2
WAITING_MAX = 50_000


async def search(mailbox: "OpenMailbox") -> frozenset[Uid]:
    """All UIDs with \\Deleted. Under the mailbox's lock."""
    found: set[Uid] = set()
    for some in portions(await mailbox.shared.store.uids(mailbox.folder.id)):
        found.update(uid for uid, entry in (await mailbox.opened(some)).items() if entry.secret.flags & Flag.DELETED)
    mailbox.shared.deleted.complete(mailbox.folder.id, found)
    return mailbox.shared.deleted.noted(mailbox.folder.id)


class SearchesBehind:
    """Searches that nobody waits for."""

    def __init__(
        self,
        begin: Callable[[Login, Folder], "OpenMailbox"],
        report: Callable[[Exception], object],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`begin` makes a mailbox that no client has selected."""
        self._begin = begin
        self._report = report
        self._pause = pause
        self._waiting: OrderedDict[MailboxId, tuple[Login, Folder]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Mailboxes that wait for it or are being searched."""
        return len(self._waiting)

    def later(self, login: Login, folder: Folder) -> None:
        """What was marked in this mailbox before the relay started will go. If too many wait, the next CLOSE has to ask again."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.setdefault(folder.id, (login, folder))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def finish(self) -> None:
        """Nothing waits any more."""
        while self._task is not None:
            await self._task

    async def close(self) -> None:
        """Nothing is searched any more."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            while self._waiting:
                folder_id, (login, folder) = next(iter(self._waiting.items()))
                try:
                    await self._search(login, folder)
                except StoreUnavailable:
                    pass  # the next CLOSE asks again
                except Exception as error:  # our bug; the others are searched all the same
                    self._report(error)
                finally:
                    self._waiting.pop(folder_id, None)
        finally:
            self._task = None

    async def _search(self, login: Login, folder: Folder) -> None:
        mailbox = self._begin(login, folder)
        try:
            uids = await mailbox.shared.store.uids(folder.id)
            for start in range(0, len(uids), AT_ONCE):
                await self._patiently(mailbox, uids[start : start + AT_ONCE])
            mailbox.shared.deleted.complete(folder.id)
        finally:
            mailbox.close()

    async def _patiently(self, mailbox: "OpenMailbox", uids: Sequence[Uid]) -> None:
        while True:
            try:
                await mailbox.remove_forgotten(uids)
            except CrewBusy:
                await self._pause(BUSY_PAUSE_S)
            else:
                return
