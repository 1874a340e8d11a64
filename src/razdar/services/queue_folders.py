# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue's folders: one for each other relay, its name sealed, with what is remembered of it.

What waits for other relays lies in the store like mail in mailboxes: the queue is an account of the relay itself (vault/queue_key.py), each
other relay one folder of it, each message one entry. So sealing, padding, random shares, order and durability are the mailboxes' own.

A keyword of the sealed folder keeps in which span of ten relay days mail was last exchanged with that relay, in either direction. A folder
in which nothing waits goes when that was long ago, or when nothing was ever exchanged.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from razdar.model.ids import INBOX, MailboxId
from razdar.ports.clock import Clock, Entropy
from razdar.ports.store import NEVER, AccountRecord, Store
from razdar.services.calendar import Calendar
from razdar.settings import Settings
from razdar.vault.account_key import SALT_BYTES, PrivateKey
from razdar.vault.folder import FolderSecret, seal_folder, unseal_folder
from razdar.vault.seal import SealBroken

STEP_DAYS = 10
"""The day of the last exchange is rounded up to this."""
REMEMBERED_DAYS = 180
"""Relay days after the last exchange; until then a relay is one that we have exchanged mail with."""
IN_USE_S = 3_600.0
"""A folder that was asked for within this time stays: a message for it may be on its way to the disk."""
TIDIED_AT_ONCE = 500
"""In one relay day."""
_EXCHANGED = "exchanged="


@dataclass(slots=True, eq=False)
class PeerFolder:
    """One other relay."""

    domain: str
    """As it stands in addresses."""
    mailbox: MailboxId
    waiting: int
    """Messages."""
    exchanged: int
    """Relay day, rounded up; 0: never."""
    asked_s: float
    """When it was last asked for, by the monotonic clock."""


class QueueFolders:
    """Finds and makes them; knows all of them in RAM."""

    def __init__(
        self, store: Store, owner: PrivateKey, clock: Clock, calendar: Calendar, entropy: Entropy, settings: Callable[[], Settings]
    ) -> None:
        self._store = store
        self._clock = clock
        self._calendar = calendar
        self._entropy = entropy
        self._settings = settings
        self._folders: dict[str, PeerFolder] = {}
        self._making = asyncio.Lock()
        self.owner = owner
        self.public_key = owner.public_bytes()
        self.on_new: Callable[[PeerFolder], None] = lambda _: None
        """Told of each folder before anything can be in it."""
        self.on_gone: Callable[[PeerFolder], None] = lambda _: None
        """Told of each folder that is about to be deleted."""

    async def open(self) -> None:
        """The account exists and its folders are known. One whose name cannot be opened (another key) is left alone."""
        if await self._store.account(self.owner.account) is None:  # a start on a full disk must not need to write
            record = AccountRecord(self.owner.account, self._entropy(SALT_BYTES), self.public_key, self._entropy(48), NEVER)
            await self._store.create_account(record)
        for folder in await self._store.mailboxes(self.owner.account):
            if folder.id.folder != INBOX and folder.sealed is not None:
                with suppress(SealBroken):
                    secret = unseal_folder(self.owner, folder.sealed)
                    self._add(PeerFolder(secret.name, folder.id, folder.messages, _exchanged(secret), self._clock.monotonic()))

    def _add(self, folder: PeerFolder) -> None:
        self._folders[folder.domain] = folder
        self.on_new(folder)

    def __iter__(self) -> Iterator[PeerFolder]:
        return iter(tuple(self._folders.values()))

    def find(self, domain: str) -> PeerFolder | None:
        """The folder, if there is one."""
        return self._folders.get(domain)

    async def ensure(self, domain: str) -> PeerFolder | None:
        """The folder, made if there is none; None: there are too many. Raises `StoreUnavailable`."""
        async with self._making:
            folder = self._folders.get(domain)
            if folder is None:
                if len(self._folders) >= self._settings().queue_relays and not await self._make_room():
                    return None
                record = await self._store.create_mailbox(self.owner.account, seal_folder(self.public_key, FolderSecret(domain)))
                assert record is not None, "the queue's account is there"
                folder = PeerFolder(domain, record.id, 0, 0, self._clock.monotonic())
                self._add(folder)
            folder.asked_s = self._clock.monotonic()
            return folder

    async def ensure_for_report(self, domain: str) -> PeerFolder | None:
        """As `ensure`, in the half of the room that relays have who only write to us. Raises `StoreUnavailable`."""
        return await self.ensure(domain) if domain in self._folders or self._has_room_for_writers() else None

    def _has_room_for_writers(self) -> bool:
        """Relays that only write to us have half of the room: names are free of charge for whoever wants to fill it."""
        return len(self._folders) < self._settings().queue_relays // 2

    def is_known(self, folder: PeerFolder) -> bool:
        """Whether we have exchanged mail with that relay."""
        return folder.exchanged > 0 and self._calendar.day <= folder.exchanged + REMEMBERED_DAYS

    async def exchanged(self, domain: str, *, by_them: bool = False) -> None:
        """Mail was exchanged with that relay today; `by_them`: they wrote. Writes once in ten days. Raises `StoreUnavailable`."""
        day = -(-self._calendar.day // STEP_DAYS) * STEP_DAYS
        folder = self._folders.get(domain)
        if folder is None and (not by_them or self._has_room_for_writers()):
            folder = await self.ensure(domain)
        if folder is None or folder.exchanged >= day:
            return
        secret = FolderSecret(domain, (f"{_EXCHANGED}{day}",))
        await self._store.reseal_mailbox(folder.mailbox, seal_folder(self.public_key, secret))
        folder.exchanged = day

    async def tidy(self) -> None:
        """Folders of relays that nothing waits for, and that mail was not exchanged with for long, are gone. Raises `StoreUnavailable`."""
        async with self._making:
            for folder in [folder for folder in self if self._is_idle(folder) and not self.is_known(folder)][:TIDIED_AT_ONCE]:
                await self._delete(folder)

    async def _make_room(self) -> bool:
        """The relay that mail was exchanged with longest ago is forgotten, if nothing waits for it."""
        oldest = min((folder for folder in self if self._is_idle(folder)), key=lambda folder: folder.exchanged, default=None)
        if oldest is not None:
            await self._delete(oldest)
        return oldest is not None

    def _is_idle(self, folder: PeerFolder) -> bool:
        return not folder.waiting and self._clock.monotonic() > folder.asked_s + IN_USE_S

    async def _delete(self, folder: PeerFolder) -> None:
        del self._folders[folder.domain]
        self.on_gone(folder)
        await self._store.delete_mailbox(folder.mailbox, ())


def _exchanged(secret: FolderSecret) -> int:
    text = next((keyword.removeprefix(_EXCHANGED) for keyword in secret.keywords if keyword.startswith(_EXCHANGED)), "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
