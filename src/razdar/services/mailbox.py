# SPDX-License-Identifier: AGPL-3.0-or-later
"""One device reads one mailbox: open it, fetch, change flags, copy, move, expunge.

Seals are opened lazily, with the key that this login unlocked; SELECT opens none. What was opened is remembered in RAM for the life of the
session (bounded). Every change is written first and told to the other devices afterwards, over the bus; marks.py has the one exception.

Flags are changed by rewriting a whole seal, so whoever changes some holds the mailbox's lock from looking to telling: two devices that mark
the same message at the same moment both succeed.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from razdar.model.ids import Uid
from razdar.model.message import EntrySecret, Flag
from razdar.ports.bus import Added, Change, Removed, Resealed
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreUnavailable
from razdar.services import deleted_search, transfer
from razdar.services.accounts import Login
from razdar.services.flags import SYSTEM_FLAGS, flag_names, is_storable, keywords_in, with_flags
from razdar.services.folders import Folder
from razdar.services.marks import PendingMarks
from razdar.services.off_loop import off_loop
from razdar.services.seals import INLINE_OPENS, Opened, OpenedSeals, removal
from razdar.services.transfer import portions
from razdar.vault.body import decrypt_body
from razdar.vault.seal import SealBroken, seal

if TYPE_CHECKING:
    from razdar.services.mailboxes import Mailboxes

INLINE_SEALS = 32  # 85 µs each
EVICT_ABOVE = 0.75  # of the quota: what was fetched goes first, as on other chatmail relays


class OpenMailbox:
    """A selected mailbox of one session."""

    def __init__(self, shared: "Mailboxes", login: Login, folder: Folder, listener: Callable[[Change], None]) -> None:
        self.shared = shared
        self.login = login
        self.folder = folder
        self.uids: Sequence[Uid] = ()
        """As of opening; the session's view keeps them up to date."""
        self._seals = OpenedSeals(shared.store, shared.crew, folder.id, login.private_key)
        self._marks = PendingMarks(self.write_marks)
        self._fetched: set[Uid] = set()
        self._listener = listener
        self._is_muted = False
        self._early: list[Change] | None = []
        self._stop = shared.bus.subscribe(folder.id, lambda _, change: self._heard(change))

    @classmethod
    async def open(cls, shared: "Mailboxes", login: Login, folder: Folder, listener: Callable[[Change], None]) -> "OpenMailbox":
        mailbox = cls(shared, login, folder, listener)
        try:
            for other in shared.enter(mailbox):
                await other.write_marks()
            mailbox.uids = await shared.store.uids(folder.id)
        except BaseException:
            mailbox.close()
            raise
        return mailbox

    def start(self) -> None:
        """The listener hears what happened while the mailbox was being opened, and everything from now on."""
        early, self._early = self._early or [], None
        for change in early:
            self._listener(change)

    def close(self) -> None:
        """Nothing more is heard of it."""
        self._stop()
        self.shared.leave(self)

    def _heard(self, change: Change) -> None:
        if isinstance(change, Removed):
            self._seals.changed(change.uids)
            self._marks.forget(change.uids)
            self._fetched.difference_update(change.uids)
        elif isinstance(change, Resealed):
            self._seals.changed(change.seals)
        elif isinstance(change, Added):
            self._seals.arrived(change.entries)
        if self._is_muted or (isinstance(change, Resealed) and not change.is_shown):
            return
        if self._early is not None:
            self._early.append(change)
        else:
            self._listener(change)

    # looking

    async def opened(self, uids: Iterable[Uid]) -> dict[Uid, Opened]:
        """Those of `uids` that exist, by ascending UID. What has expired meanwhile, or is damaged, is told to everybody as removed."""
        wanted = set(uids)
        result = self._marks.over(await self._seals.find(wanted))
        self._tell_gone(sorted(wanted - result.keys()))
        await self._know_keywords(result)
        return result

    def _tell_gone(self, uids: Sequence[Uid]) -> None:
        if uids:
            self.shared.deleted.forget(self.folder.id, uids)
            self.shared.bus.publish(self.folder.id, Removed(uids))

    def flag_names(self, secret: EntrySecret) -> list[str]:
        """What FLAGS shows: system flags, then keywords."""
        return flag_names(secret, self.folder.secret.keywords)

    def canonical(self, names: Iterable[str]) -> frozenset[str]:
        """The names as this mailbox spells them, without those that cannot be set."""
        spelt = {name.lower(): name for name in (*SYSTEM_FLAGS, *self.folder.secret.keywords)}
        return frozenset(spelt.get(name.lower(), name) for name in names if is_storable(name))

    async def _know_keywords(self, opened: Mapping[Uid, Opened]) -> None:
        """Another device may have added keywords that these messages carry."""
        if any(entry.secret.keywords >> len(self.folder.secret.keywords) for entry in opened.values()):
            self.folder = await self.shared.folders.get(self.login, self.folder.id) or self.folder

    async def message(self, uid: Uid, secret: EntrySecret, *, is_fetch: bool = True) -> bytes | None:
        """The message as it was accepted (end-to-end encrypted), or None if its body has gone.

        `is_fetch`: a device has it now, and so it may go first when the mailbox fills up.
        """
        blob = await self.shared.store.body(secret.body)
        if blob is None:
            await self._forget(uid, secret)
            return None
        try:
            message = await off_loop(self.shared.crew, lambda: decrypt_body(secret.content_key, blob), len(blob))
        except SealBroken:  # damaged on disk: one message is lost, and must not make the client come back for it for ever
            self._tell_gone([uid])
            return None
        if is_fetch:
            self._fetched.add(uid)
        return message

    async def _forget(self, uid: Uid, secret: EntrySecret) -> None:
        await self.shared.store.remove(self.folder.id, [removal(uid, secret)])
        self._tell_gone([uid])

    # changing

    async def set_flags(self, uids: Iterable[Uid], change: Callable[[frozenset[str]], frozenset[str]]) -> dict[Uid, Opened]:
        """Each message's flag names are `change(names before)`. Returns those that still existed. Raises `FolderRefused`."""
        async with self.shared.lock(self.folder.id):
            before = await self.opened(uids)
            wanted = {uid: change(frozenset(self.flag_names(opened.secret))) for uid, opened in before.items()}
            await self._ensure_keywords(frozenset().union(*wanted.values()))
            keywords = self.folder.secret.keywords
            after = {uid: replace(entry, secret=with_flags(entry.secret, wanted[uid], keywords)) for uid, entry in before.items()}
            changed = {uid: entry for uid, entry in after.items() if entry != before[uid]}
            if self.shared.is_alone(self) and self._marks.may_take(before, changed):
                self._mark_for_now(changed)
                return after
            lost = changed.keys() - await self._reseal(changed)
        return {uid: entry for uid, entry in after.items() if uid not in lost}

    def _mark_for_now(self, marked: dict[Uid, Opened]) -> None:
        """In RAM only, until `write_marks`."""
        self._marks.add(marked)
        for uid in marked:
            self.shared.deleted.mark(self.folder.id, uid, is_deleted=True)

    async def write_marks(self) -> None:
        """All flags that were acknowledged are on stable storage. Raises `StoreUnavailable`, `CrewBusy`."""
        if not self._marks.pending():
            return
        async with self.shared.lock(self.folder.id):
            pending = self._marks.pending()
            await self._reseal(pending)
            self._marks.forget(pending)

    async def _ensure_keywords(self, names: Iterable[str]) -> None:
        known = {keyword.lower() for keyword in self.folder.secret.keywords}
        new = tuple(name for name in keywords_in(names) if name.lower() not in known)
        if new:
            secret = await self.shared.folders.add_keywords(self.login, self.folder.id, new)
            self.folder = replace(self.folder, secret=secret)

    async def _reseal(self, marked: dict[Uid, Opened], *, is_shown: bool = True) -> frozenset[Uid]:
        """The messages carry these flags now, and the other devices know. Returns those that still existed. Under the lock."""
        if not marked:
            return frozenset()
        seals = await self.seal_all({uid: entry.secret for uid, entry in marked.items()})
        existing = frozenset(await self.shared.store.reseal(self.folder.id, seals))
        self._is_muted = True  # the session that changes flags answers its client itself
        try:
            self.shared.bus.publish(self.folder.id, Resealed({uid: seals[uid] for uid in existing}, is_shown))
        finally:
            self._is_muted = False
        for uid in existing:
            self.shared.deleted.mark(self.folder.id, uid, bool(marked[uid].secret.flags & Flag.DELETED))
        self._seals.remember({uid: marked[uid] for uid in existing})
        self._marks.forget(existing)
        return existing

    def seal_all(self, secrets: Mapping[Uid, EntrySecret]) -> Awaitable[dict[Uid, bytes]]:
        def work() -> dict[Uid, bytes]:
            return {uid: seal(self.login.public_key, secret) for uid, secret in secrets.items()}

        return off_loop(self.shared.crew, work, len(secrets), INLINE_SEALS)

    async def expunge(self, uids: Iterable[Uid], *, is_closing: bool = False) -> Sequence[Uid]:
        """Those of `uids` that carry \\Deleted are gone, for every device.

        `is_closing`: if most seals have to be opened to know them all, what was marked before the relay started goes a little later.
        """
        wanted = frozenset(uids)
        async with self.shared.lock(self.folder.id):
            marked = self.shared.deleted.marked(self.folder.id)
            if marked is None and is_closing and len(wanted) > INLINE_OPENS:
                self.shared.searches.later(self.login, self.folder)
                marked = self.shared.deleted.noted(self.folder.id)
            elif marked is None:
                marked = await deleted_search.search(self)
            gone: list[Uid] = []
            for some in portions(marked & wanted):
                gone += await self._remove_marked(some)
            return gone

    async def _remove_marked(self, uids: Iterable[Uid]) -> Sequence[Uid]:
        opened = await self.opened(uids)
        return await self._remove({uid: entry for uid, entry in opened.items() if entry.secret.flags & Flag.DELETED})

    async def remove_forgotten(self, uids: Iterable[Uid]) -> None:
        """Those of `uids` that carry \\Deleted since before the relay started are gone. Raises `StoreUnavailable`, `CrewBusy`."""
        book, mailbox = self.shared.deleted, self.folder.id
        found = {uid for uid, entry in (await self._seals.find(uids)).items() if entry.secret.flags & Flag.DELETED}
        if found - book.noted(mailbox):
            async with self.shared.lock(mailbox):
                await self._remove_marked(found - book.noted(mailbox))

    async def _remove(self, entries: dict[Uid, Opened]) -> Sequence[Uid]:
        if not entries:
            return ()
        removals = [removal(uid, entry.secret) for uid, entry in entries.items()]
        gone = await self.shared.store.remove(self.folder.id, removals)
        self._fetched.difference_update(gone)
        self.shared.deleted.forget(self.folder.id, gone)
        self.shared.shares.release(self.login.account, sum(entries[uid].secret.size_bytes for uid in gone))
        self.shared.bus.publish(self.folder.id, Removed(gone))
        return gone

    async def copy(self, uids: Iterable[Uid], target: Folder) -> dict[Uid, Uid]:
        """See `transfer.copy`."""
        return await transfer.copy(self, uids, target)

    async def move(self, uids: Iterable[Uid], target: Folder, moved: dict[Uid, Uid] | None = None) -> dict[Uid, Uid]:
        """See `transfer.move`; answers all that was moved."""
        moved = {} if moved is None else moved
        await transfer.move(self, uids, target, moved)
        return moved

    # room

    async def settle(self) -> None:
        """Called when the session pauses: what this device fetched and left is marked, and goes when the mailbox fills up.

        A device that deletes after fetching, as most do, has nothing left to mark, so this costs it nothing. If the store cannot do it now,
        the marks are missing and these messages stay longer; nothing else is lost.
        """
        with suppress(StoreUnavailable, CrewBusy):
            await self.write_marks()
        fetched, self._fetched = self._fetched, set()
        if not fetched:
            return
        with suppress(StoreUnavailable, CrewBusy):
            async with self.shared.lock(self.folder.id):
                left = await self.opened(fetched)
                marks = {uid: entry.marked(Flag.FETCHED) for uid, entry in left.items() if not entry.secret.flags & Flag.FETCHED}
                await self._reseal(marks, is_shown=False)
            if marks:
                await self._evict()

    async def _evict(self) -> None:
        quota = self.shared.settings().quota_bytes
        excess = await self.shared.used_bytes(self.login) - int(quota * EVICT_ABOVE)
        if excess <= 0:
            return
        going = {}
        for uid, entry in (await self.opened(await self.shared.store.uids(self.folder.id))).items():
            if excess > 0 and entry.secret.flags & Flag.FETCHED:
                going[uid] = entry
                excess -= entry.secret.size_bytes
        await self._remove(going)
