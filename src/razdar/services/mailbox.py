"""One device reads one mailbox: open it, fetch, change flags, copy, move, expunge.

Seals are opened lazily, with the key that this login unlocked; SELECT opens none. What was opened is remembered in RAM for the life of the
session (bounded). Every change is written first and told to the other devices afterwards, over the bus; marks.py has the one exception.

Flags are changed by rewriting a whole seal, so whoever changes some holds the mailbox's lock from looking to telling: two devices that mark
the same message at the same moment both succeed.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from razdar.model.ids import MailboxId, Uid
from razdar.model.message import EntrySecret, Flag
from razdar.policy.quota import ShareBook, charge, is_full, unit_bytes
from razdar.ports.bus import Added, Bus, Change, Removed, Resealed
from razdar.ports.clock import Entropy
from razdar.ports.crew import Crew, CrewBusy
from razdar.ports.store import Duplicate, Entry, Removal, Store, StoreUnavailable
from razdar.services.accounts import Login
from razdar.services.deleted_book import DeletedBook
from razdar.services.flags import SYSTEM_FLAGS, flag_names, is_storable, keywords_in, with_flags
from razdar.services.folders import INBOX_NAME, Folder, FolderRefused, Folders
from razdar.services.marks import PendingMarks
from razdar.services.randomness import random_share
from razdar.services.seals import Opened, OpenedSeals
from razdar.settings import Settings
from razdar.vault.body import decrypt_body
from razdar.vault.seal import SealBroken, seal

INLINE_SEALS = 32  # 85 µs each
INLINE_BYTES = 262_144
CHANGED_AT_ONCE = 1024  # copied, moved or removed in one transaction, so that others have their turn
EVICT_ABOVE = 0.75  # of the quota: what was fetched goes first, as on other chatmail relays


class OverQuota(Exception):  # noqa: N818 - the account's state
    """The mailbox is full."""


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
    ) -> None:
        self.store = store
        self.bus = bus
        self.crew = crew
        self.folders = folders
        self.shares = shares
        self.entropy = entropy
        self.settings = settings
        self.deleted = DeletedBook()
        self._locks: WeakValueDictionary[MailboxId, asyncio.Lock] = WeakValueDictionary()
        self._sessions: dict[MailboxId, list[OpenMailbox]] = {}

    def lock(self, mailbox: MailboxId) -> asyncio.Lock:
        """Held while flags are looked at and changed, or messages removed because of them. Taken before that of `Folders`, never after."""
        return self._locks.setdefault(mailbox, asyncio.Lock())

    def enter(self, mailbox: "OpenMailbox") -> Sequence["OpenMailbox"]:
        """It is open from now on, until `leave`; returns the other sessions that have the same one open."""
        sessions = self._sessions.setdefault(mailbox.folder.id, [])
        others = tuple(sessions)
        sessions.append(mailbox)
        return others

    def leave(self, mailbox: "OpenMailbox") -> None:
        """No effect the second time."""
        left = [session for session in self._sessions.get(mailbox.folder.id, ()) if session is not mailbox]
        if left:
            self._sessions[mailbox.folder.id] = left
        else:
            self._sessions.pop(mailbox.folder.id, None)

    def is_alone(self, mailbox: "OpenMailbox") -> bool:
        """Whether no other session has the same mailbox open."""
        return self._sessions.get(mailbox.folder.id) == [mailbox]

    async def open(self, login: Login, name: str, listener: Callable[[Change], None]) -> "OpenMailbox | None":
        """The mailbox as it stands now; `listener` hears of every change from this moment on, until `close`."""
        folder = await self.folders.find(login, name)
        return None if folder is None else await OpenMailbox.open(self, login, folder, listener)

    async def tally(self, login: Login, folder: Folder) -> Tally:
        """What only opened seals tell of a folder. Opens all of them, a portion at a time."""
        unseen = deleted = size_bytes = 0
        mailbox = await OpenMailbox.open(self, login, folder, lambda _: None)
        try:
            for some in _portions(mailbox.uids):
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


class OpenMailbox:
    """A selected mailbox of one session."""

    def __init__(self, shared: Mailboxes, login: Login, folder: Folder, listener: Callable[[Change], None]) -> None:
        self._shared = shared
        self._login = login
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
    async def open(cls, shared: Mailboxes, login: Login, folder: Folder, listener: Callable[[Change], None]) -> "OpenMailbox":
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
        self._shared.leave(self)

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
            self._shared.deleted.forget(self.folder.id, uids)
            self._shared.bus.publish(self.folder.id, Removed(uids))

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
            self.folder = await self._shared.folders.get(self._login, self.folder.id) or self.folder

    async def message(self, uid: Uid, secret: EntrySecret, *, is_fetch: bool = True) -> bytes | None:
        """The message as it was accepted (end-to-end encrypted), or None if its body has gone.

        `is_fetch`: a device has it now, and so it may go first when the mailbox fills up.
        """
        blob = await self._shared.store.body(secret.body)
        if blob is None:
            await self._forget(uid, secret)
            return None
        try:
            message = await self._decrypt(secret.content_key, blob)
        except SealBroken:  # damaged on disk: one message is lost, and must not make the client come back for it for ever
            self._tell_gone([uid])
            return None
        if is_fetch:
            self._fetched.add(uid)
        return message

    async def _decrypt(self, content_key: bytes, blob: bytes) -> bytes:
        if len(blob) <= INLINE_BYTES:
            return decrypt_body(content_key, blob)
        return await self._shared.crew.run(lambda: decrypt_body(content_key, blob))

    async def _forget(self, uid: Uid, secret: EntrySecret) -> None:
        await self._shared.store.remove(self.folder.id, [removal(uid, secret)])
        self._tell_gone([uid])

    # changing

    async def set_flags(self, uids: Iterable[Uid], change: Callable[[frozenset[str]], frozenset[str]]) -> dict[Uid, Opened]:
        """Each message's flag names are `change(names before)`. Returns those that still existed. Raises `FolderRefused`."""
        async with self._shared.lock(self.folder.id):
            before = await self.opened(uids)
            wanted = {uid: change(frozenset(self.flag_names(opened.secret))) for uid, opened in before.items()}
            await self._ensure_keywords(frozenset().union(*wanted.values()))
            keywords = self.folder.secret.keywords
            after = {uid: replace(entry, secret=with_flags(entry.secret, wanted[uid], keywords)) for uid, entry in before.items()}
            changed = {uid: entry for uid, entry in after.items() if entry != before[uid]}
            if self._shared.is_alone(self) and self._marks.may_take(before, changed):
                self._mark_for_now(changed)
                return after
            lost = changed.keys() - await self._reseal(changed)
        return {uid: entry for uid, entry in after.items() if uid not in lost}

    def _mark_for_now(self, marked: dict[Uid, Opened]) -> None:
        """In RAM only, until `write_marks`."""
        self._marks.add(marked)
        for uid in marked:
            self._shared.deleted.mark(self.folder.id, uid, is_deleted=True)

    async def write_marks(self) -> None:
        """All flags that were acknowledged are on stable storage. Raises `StoreUnavailable`, `CrewBusy`."""
        if not self._marks.pending():
            return
        async with self._shared.lock(self.folder.id):
            pending = self._marks.pending()
            await self._reseal(pending)
            self._marks.forget(pending)

    async def _ensure_keywords(self, names: Iterable[str]) -> None:
        known = {keyword.lower() for keyword in self.folder.secret.keywords}
        new = tuple(name for name in keywords_in(names) if name.lower() not in known)
        if new:
            secret = await self._shared.folders.add_keywords(self._login, self.folder.id, new)
            self.folder = replace(self.folder, secret=secret)

    async def _reseal(self, marked: dict[Uid, Opened], *, is_shown: bool = True) -> frozenset[Uid]:
        """The messages carry these flags now, and the other devices know. Returns those that still existed. Under the lock."""
        if not marked:
            return frozenset()
        seals = await self._seal({uid: entry.secret for uid, entry in marked.items()})
        existing = frozenset(await self._shared.store.reseal(self.folder.id, seals))
        self._is_muted = True  # the session that changes flags answers its client itself
        try:
            self._shared.bus.publish(self.folder.id, Resealed({uid: seals[uid] for uid in existing}, is_shown))
        finally:
            self._is_muted = False
        for uid in existing:
            self._shared.deleted.mark(self.folder.id, uid, bool(marked[uid].secret.flags & Flag.DELETED))
        self._seals.remember({uid: marked[uid] for uid in existing})
        self._marks.forget(existing)
        return existing

    async def _seal(self, secrets: Mapping[Uid, EntrySecret]) -> dict[Uid, bytes]:
        def work() -> dict[Uid, bytes]:
            return {uid: seal(self._login.public_key, secret) for uid, secret in secrets.items()}

        return work() if len(secrets) <= INLINE_SEALS else await self._shared.crew.run(work)

    async def expunge(self, uids: Iterable[Uid]) -> Sequence[Uid]:
        """Those of `uids` that carry \\Deleted are gone, for every device."""
        async with self._shared.lock(self.folder.id):
            marked = self._shared.deleted.marked(self.folder.id)
            if marked is None:
                marked = await self._search_deleted()
            gone: list[Uid] = []
            for some in _portions(marked.intersection(uids)):
                opened = await self.opened(some)
                gone += await self._remove({uid: entry for uid, entry in opened.items() if entry.secret.flags & Flag.DELETED})
            return gone

    async def _search_deleted(self) -> frozenset[Uid]:
        """Opens everything once. What other devices mark meanwhile is noted, because the book is open before the search begins."""
        book = self._shared.deleted
        book.learn(self.folder.id, ())
        try:
            found = await self._with_flag(Flag.DELETED)
        except BaseException:
            book.unlearn(self.folder.id)
            raise
        for uid in found:
            book.mark(self.folder.id, uid, is_deleted=True)
        return found | (book.marked(self.folder.id) or frozenset())

    async def _with_flag(self, flag: Flag) -> frozenset[Uid]:
        found: set[Uid] = set()
        for some in _portions(await self._shared.store.uids(self.folder.id)):
            found.update(uid for uid, entry in (await self.opened(some)).items() if entry.secret.flags & flag)
        return frozenset(found)

    async def _remove(self, entries: dict[Uid, Opened]) -> Sequence[Uid]:
        if not entries:
            return ()
        removals = [removal(uid, entry.secret) for uid, entry in entries.items()]
        gone = await self._shared.store.remove(self.folder.id, removals)
        self._fetched.difference_update(gone)
        self._shared.deleted.forget(self.folder.id, gone)
        self._shared.shares.release(self._login.account, sum(entries[uid].secret.size_bytes for uid in gone))
        self._shared.bus.publish(self.folder.id, Removed(gone))
        return gone

    async def copy(self, uids: Iterable[Uid], target: Folder) -> dict[Uid, Uid]:
        """Source UID → UID in `target`. Bodies are shared. Raises `OverQuota`, `FolderRefused`; then nothing was copied."""
        assigned: dict[Uid, Uid] = {}
        copied: list[Removal] = []
        try:
            for some in _portions(uids):
                assigned |= await self._copy_some(some, target, copied)
        except (OverQuota, FolderRefused, StoreUnavailable, CrewBusy):  # RFC 3501 section 6.4.7: all or nothing
            await self._take_back(target, copied)
            raise
        return assigned

    async def _copy_some(self, uids: Sequence[Uid], target: Folder, copied: list[Removal]) -> dict[Uid, Uid]:
        opened = await self.opened(uids)
        charges = await self._shared.charge_for(self._login, [entry.secret.size_bytes for entry in opened.values()])
        secrets = {
            uid: replace(entry.secret, charge=units, share=random_share(self._shared.entropy))
            for (uid, entry), units in zip(opened.items(), charges, strict=True)
        }
        duplicates, entries = await self._duplicates(secrets, opened, target)
        assigned = dict(await self._shared.store.copy(self.folder.id, target.id, duplicates))
        await self._check_arrived(target, duplicates, assigned)
        copied += [removal(uid, secrets[source]) for source, uid in assigned.items()]
        self._mark_arrived(target, opened, assigned)
        self._announce(target, entries, assigned)
        return assigned

    async def _take_back(self, target: Folder, copied: Sequence[Removal]) -> None:
        if copied:
            gone = await self._shared.store.remove(target.id, copied)
            self._shared.deleted.forget(target.id, gone)
            self._shared.bus.publish(target.id, Removed(gone))

    async def move(self, uids: Iterable[Uid], target: Folder) -> dict[Uid, Uid]:
        """As `copy`, and each message is gone from here in the same transaction. If it fails, some may have been moved."""
        assigned: dict[Uid, Uid] = {}
        for some in _portions(uids):
            assigned |= await self._move_some(some, target)
        return assigned

    async def _move_some(self, uids: Sequence[Uid], target: Folder) -> dict[Uid, Uid]:
        async with self._shared.lock(self.folder.id):
            opened = await self.opened(uids)
            duplicates, entries = await self._duplicates({uid: entry.secret for uid, entry in opened.items()}, opened, target)
            assigned = dict(await self._shared.store.move(self.folder.id, target.id, duplicates))
        self._mark_arrived(target, opened, assigned)
        self._shared.deleted.forget(self.folder.id, assigned)
        self._announce(target, entries, assigned)
        if assigned:
            self._shared.bus.publish(self.folder.id, Removed(sorted(assigned)))
        else:
            await self._check_arrived(target, duplicates, assigned)
        return assigned

    async def _check_arrived(self, target: Folder, duplicates: Sequence[Duplicate], assigned: Mapping[Uid, Uid]) -> None:
        """Another device may have deleted the target since it was found. Raises `FolderRefused`."""
        if duplicates and not assigned and await self._shared.store.mailbox(target.id) is None:
            raise FolderRefused("There is no folder of that name", "TRYCREATE")

    async def _duplicates(
        self, secrets: dict[Uid, EntrySecret], opened: dict[Uid, Opened], target: Folder
    ) -> tuple[list[Duplicate], dict[Uid, tuple[bytes, int]]]:
        """The same messages sealed for `target`, whose keywords may stand in another order."""
        names = {uid: self.flag_names(secret) for uid, secret in secrets.items()}
        wanted = keywords_in({name for group in names.values() for name in group})
        keywords = target.secret.keywords
        if wanted:
            keywords = (await self._shared.folders.add_keywords(self._login, target.id, wanted)).keywords
        resealed = await self._seal({uid: with_flags(secret, names[uid], keywords) for uid, secret in secrets.items()})
        duplicates = [Duplicate(uid, secret.body, resealed[uid], secret.charge, secret.share) for uid, secret in secrets.items()]
        return duplicates, {uid: (resealed[uid], opened[uid].expires) for uid in secrets}

    def _mark_arrived(self, target: Folder, opened: Mapping[Uid, Opened], assigned: Mapping[Uid, Uid]) -> None:
        for source, uid in assigned.items():
            self._shared.deleted.mark(target.id, uid, bool(opened[source].secret.flags & Flag.DELETED))

    def _announce(self, target: Folder, entries: dict[Uid, tuple[bytes, int]], assigned: dict[Uid, Uid]) -> None:
        new = sorted((uid, *entries[source]) for source, uid in assigned.items())
        if new:
            self._shared.bus.publish(target.id, Added([Entry(uid, sealed, expires) for uid, sealed, expires in new]))

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
            async with self._shared.lock(self.folder.id):
                left = await self.opened(fetched)
                marks = {uid: _fetched(entry) for uid, entry in left.items() if not entry.secret.flags & Flag.FETCHED}
                await self._reseal(marks, is_shown=False)
            if marks:
                await self._evict()

    async def _evict(self) -> None:
        quota = self._shared.settings().quota_bytes
        excess = await self._shared.used_bytes(self._login) - int(quota * EVICT_ABOVE)
        if excess <= 0:
            return
        going = {}
        for uid, entry in (await self.opened(await self._shared.store.uids(self.folder.id))).items():
            if excess > 0 and entry.secret.flags & Flag.FETCHED:
                going[uid] = entry
                excess -= entry.secret.size_bytes
        await self._remove(going)


def _fetched(entry: Opened) -> Opened:
    return replace(entry, secret=replace(entry.secret, flags=entry.secret.flags | Flag.FETCHED))


def _portions(uids: Iterable[Uid]) -> Iterator[list[Uid]]:
    wanted = sorted(set(uids))
    for start in range(0, len(wanted), CHANGED_AT_ONCE):
        yield wanted[start : start + CHANGED_AT_ONCE]


def removal(uid: Uid, secret: EntrySecret) -> Removal:
    """What the store must know to let the entry go."""
    return Removal(uid, secret.body, secret.charge, secret.share)
