# SPDX-License-Identifier: AGPL-3.0-or-later
"""What opened mailboxes share: locks, the sessions that have the same one open, quota."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from razdar.model.ids import MailboxId
from razdar.model.message import Flag
from razdar.policy.quota import ShareBook, charge, is_full, unit_bytes
from razdar.ports.bus import Bus, Change
from razdar.ports.clock import Entropy
from razdar.ports.crew import Crew
from razdar.ports.store import Store
from razdar.services.accounts import Login
from razdar.services.deleted_book import DeletedBook
from razdar.services.deleted_search import SearchesBehind
from razdar.services.folders import INBOX_NAME, Folder, Folders
from razdar.services.mailbox import OpenMailbox
from razdar.services.transfer import OverQuota, portions
from razdar.settings import Settings


@dataclass(frozen=True, slots=True)
class Tally:
    """Messages without \\Seen, messages with \\Deleted, sizes together."""

    unseen: int
    deleted: int
    size_bytes: int


class Mailboxes:
    """What opened mailboxes share."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        crew: Crew,
        folders: Folders,
        shares: ShareBook,
        entropy: Entropy,
        settings: Callable[[], Settings],
        report: Callable[[Exception], object],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`report` hears of our own bugs in work that nobody waits for."""
        self.store = store
        self.bus = bus
        self.crew = crew
        self.folders = folders
        self.shares = shares
        self.entropy = entropy
        self.settings = settings
        self.deleted = DeletedBook()
        self.searches = SearchesBehind(self._begin, report, pause)
        self._locks: WeakValueDictionary[MailboxId, asyncio.Lock] = WeakValueDictionary()
        self._sessions: dict[MailboxId, list[OpenMailbox]] = {}

    def lock(self, mailbox: MailboxId) -> asyncio.Lock:
        """Held while flags are looked at and changed, or messages removed because of them. Taken before that of `Folders`, never after."""
        return self._locks.setdefault(mailbox, asyncio.Lock())

    def enter(self, mailbox: OpenMailbox) -> Sequence[OpenMailbox]:
        """It is open from now on, until `leave`; returns the other sessions that have the same one open."""
        sessions = self._sessions.setdefault(mailbox.folder.id, [])
        others = tuple(sessions)
        sessions.append(mailbox)
        return others

    def leave(self, mailbox: OpenMailbox) -> None:
        """No effect the second time."""
        left = [session for session in self._sessions.get(mailbox.folder.id, ()) if session is not mailbox]
        if left:
            self._sessions[mailbox.folder.id] = left
        else:
            self._sessions.pop(mailbox.folder.id, None)

    def is_alone(self, mailbox: OpenMailbox) -> bool:
        """Whether no other session has the same mailbox open."""
        return self._sessions.get(mailbox.folder.id) == [mailbox]

    async def open(self, login: Login, name: str, listener: Callable[[Change], None]) -> OpenMailbox | None:
        """The mailbox as it stands now; `listener` hears of every change from this moment on, until `close`."""
        folder = await self.folders.find(login, name)
        return None if folder is None else await OpenMailbox.open(self, login, folder, listener)

    def _begin(self, login: Login, folder: Folder) -> OpenMailbox:
        """One that hears of changes but does not count as a session."""
        mailbox = OpenMailbox(self, login, folder, lambda _: None)
        mailbox.start()
        return mailbox

    async def tally(self, login: Login, folder: Folder) -> Tally:
        """What only opened seals tell of a folder. Opens all of them, a portion at a time."""
        unseen = deleted = size_bytes = 0
        mailbox = await OpenMailbox.open(self, login, folder, lambda _: None)
        try:
            for some in portions(mailbox.uids):
                for entry in (await mailbox.opened(some)).values():
                    unseen += not entry.secret.flags & Flag.SEEN
                    deleted += bool(entry.secret.flags & Flag.DELETED)
                    size_bytes += entry.secret.size_bytes
        finally:
            mailbox.close()
        return Tally(unseen, deleted, size_bytes)

    async def rename(self, login: Login, source: str, target: str) -> None:
        """The folder has the new name. INBOX stays: its messages go to a new folder (RFC 3501 section 6.3.5). Raises `FolderRefused`."""
        if source.upper() != INBOX_NAME:
            await self.folders.rename(login, source, target)
            return
        folder = await self.folders.create(login, target)
        inbox = await self.open(login, INBOX_NAME, lambda _: None)
        if inbox is not None:
            try:
                await inbox.move(inbox.uids, folder)
            finally:
                inbox.close()

    async def used_bytes(self, login: Login) -> int:
        """What the account is charged with; coarse (docs/storage.md)."""
        known = await self.store.recipients([login.account])
        used = known[login.account].used if login.account in known else 0
        return used * unit_bytes(self.settings().quota_bytes)

    async def charge_for(self, login: Login, sizes: Sequence[int]) -> list[int]:
        """Quota units for new entries of these sizes. Raises `OverQuota`."""
        quota = self.settings().quota_bytes
        known = await self.store.recipients([login.account])
        if login.account not in known or is_full(known[login.account].used, sum(sizes), quota):
            raise OverQuota
        return [charge(size, quota, self.entropy(4)) for size in sizes]
