"""One device reads one mailbox: open it, fetch, change flags, copy, move, expunge.

Seals are opened lazily, with the key that this login unlocked; SELECT opens none. What was opened is remembered in RAM for the life of the
session (bounded). Every change is written first and told to the other devices afterwards, over the bus.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from razdar.model.ids import Uid
from razdar.model.message import EntrySecret, Flag
from razdar.policy.quota import ShareBook, charge, is_full, unit_bytes
from razdar.ports.bus import Added, Bus, Change, Removed, Resealed
from razdar.ports.clock import Entropy
from razdar.ports.crew import Crew, CrewBusy
from razdar.ports.store import Duplicate, Entry, Removal, Store, StoreUnavailable
from razdar.services.accounts import Login
from razdar.services.deleted_book import DeletedBook
from razdar.services.folders import Folder, Folders
from razdar.services.randomness import random_share
from razdar.settings import Settings
from razdar.vault.body import decrypt_body
from razdar.vault.seal import SealBroken, seal, unseal

REMEMBERED = 4096  # opened seals per session, about 400 bytes each
INLINE_OPENS = 32  # 50 µs each
INLINE_BYTES = 262_144
EVICT_ABOVE = 0.75  # of the quota: what was fetched goes first, as on other chatmail relays

SYSTEM_FLAGS = {
    "\\Seen": Flag.SEEN,
    "\\Answered": Flag.ANSWERED,
    "\\Flagged": Flag.FLAGGED,
    "\\Deleted": Flag.DELETED,
    "\\Draft": Flag.DRAFT,
}
_BY_FOLDED_NAME = {name.lower(): flag for name, flag in SYSTEM_FLAGS.items()}


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry whose seal was opened."""

    secret: EntrySecret
    expires: int


class OverQuota(Exception):  # noqa: N818 - the account's state
    """The mailbox is full."""


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

    async def open(self, login: Login, name: str, listener: Callable[[Change], None]) -> "OpenMailbox | None":
        """The mailbox as it stands now; `listener` hears of every change from this moment on, until `close`."""
        folder = await self.folders.find(login, name)
        return None if folder is None else await OpenMailbox.open(self, login, folder, listener)

    async def opened(self, login: Login, folder: Folder) -> "Sequence[Opened]":
        """Everything in a folder that is not selected, seals opened."""
        mailbox = await OpenMailbox.open(self, login, folder, lambda _: None)
        try:
            return tuple((await mailbox.opened(mailbox.uids)).values())
        finally:
            mailbox.close()

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
        self._opened: dict[Uid, Opened] = {}
        self._sealed: dict[Uid, Entry] = {}  # heard of over the bus, to be opened when the client asks
        self._fetched: set[Uid] = set()
        self._listener = listener
        self._is_muted = False
        self._early: list[Change] | None = []
        self._stop = shared.bus.subscribe(folder.id, lambda _, change: self._heard(change))

    @classmethod
    async def open(cls, shared: Mailboxes, login: Login, folder: Folder, listener: Callable[[Change], None]) -> "OpenMailbox":
        mailbox = cls(shared, login, folder, listener)
        mailbox.uids = await shared.store.uids(folder.id)
        return mailbox

    def start(self) -> None:
        """The listener hears what happened while the mailbox was being opened, and everything from now on."""
        early, self._early = self._early or [], None
        for change in early:
            self._listener(change)

    def close(self) -> None:
        """Nothing more is heard of it."""
        self._stop()

    def _heard(self, change: Change) -> None:
        if isinstance(change, Removed):
            for uid in change.uids:
                self._opened.pop(uid, None)
                self._sealed.pop(uid, None)
        elif isinstance(change, Resealed) and not self._is_muted:
            for uid in change.seals:
                self._opened.pop(uid, None)
                self._sealed.pop(uid, None)
        elif isinstance(change, Added) and len(self._sealed) < REMEMBERED:
            self._sealed.update((entry.uid, entry) for entry in change.entries)
        if self._early is not None:
            self._early.append(change)
        elif not self._is_muted:
            self._listener(change)

    # opening seals

    def _remember(self, entries: Iterable[Entry]) -> None:
        if len(self._opened) > REMEMBERED:
            self._opened.clear()
        for entry in entries:
            try:
                self._opened[entry.uid] = Opened(unseal(self._login.private_key, entry.seal), entry.expires)
            except SealBroken:  # a damaged row must not hide the others; it is shown as gone
                continue

    async def opened(self, uids: Iterable[Uid]) -> dict[Uid, Opened]:
        """Those of `uids` that exist, by ascending UID. What has expired meanwhile is told to everybody as removed."""
        wanted = sorted(uids)
        self._remember([self._sealed.pop(uid) for uid in wanted if uid in self._sealed])
        unknown = [uid for uid in wanted if uid not in self._opened]
        result = {uid: self._opened[uid] for uid in wanted if uid in self._opened}
        if not unknown:
            return result
        entries = await self._shared.store.entries(self.folder.id, unknown)
        if len(entries) <= INLINE_OPENS:
            self._remember(entries)
        else:
            await self._shared.crew.run(lambda: self._remember(entries))
        for uid in unknown:
            if uid in self._opened:
                result[uid] = self._opened[uid]
        gone = [uid for uid in unknown if uid not in result]
        if gone:
            self._shared.bus.publish(self.folder.id, Removed(gone))
        return dict(sorted(result.items()))

    def flag_names(self, secret: EntrySecret) -> list[str]:
        """What FLAGS shows: system flags, then keywords."""
        names = [name for name, flag in SYSTEM_FLAGS.items() if secret.flags & flag]
        return names + [name for bit, name in enumerate(self.folder.secret.keywords) if secret.keywords >> bit & 1]

    def canonical(self, names: Iterable[str]) -> frozenset[str]:
        """The names as this mailbox spells them; flags are compared without case (RFC 3501 section 2.3.2). \\Recent cannot be set."""
        spelt = {name.lower(): name for name in (*SYSTEM_FLAGS, *self.folder.secret.keywords)}
        return frozenset(spelt.get(name.lower(), name) for name in names if name.lower() != "\\recent")

    async def know_keywords(self, opened: Mapping[Uid, Opened]) -> None:
        """Another device may have added keywords that these messages carry."""
        if not any(entry.secret.keywords >> len(self.folder.secret.keywords) for entry in opened.values()):
            return
        folder = await self._shared.folders.find(self._login, self.folder.secret.name)
        if folder is not None:
            self.folder = folder

    async def message(self, uid: Uid, secret: EntrySecret, *, is_fetch: bool = True) -> bytes | None:
        """The message as it was accepted (end-to-end encrypted), or None if its body has gone.

        `is_fetch`: a device has it now, and so it may go first when the mailbox fills up.
        """
        blob = await self._shared.store.body(secret.body)
        if blob is None:
            await self._forget(uid, secret)
            return None
        if is_fetch:
            self._fetched.add(uid)
        if len(blob) <= INLINE_BYTES:
            return decrypt_body(secret.content_key, blob)
        return await self._shared.crew.run(lambda: decrypt_body(secret.content_key, blob))

    async def _forget(self, uid: Uid, secret: EntrySecret) -> None:
        await self._shared.store.remove(self.folder.id, [removal(uid, secret)])
        self._shared.bus.publish(self.folder.id, Removed([uid]))

    # changing

    async def set_flags(self, uids: Iterable[Uid], change: Callable[[frozenset[str]], frozenset[str]]) -> dict[Uid, Opened]:
        """Each message's flag names are `change(names before)`. Returns those that still existed. Raises `FolderRefused`."""
        before = await self.opened(uids)
        wanted = {uid: change(frozenset(self.flag_names(opened.secret))) for uid, opened in before.items()}
        await self._ensure_keywords(frozenset().union(*wanted.values()))
        after = {uid: self._with_flags(opened.secret, wanted[uid]) for uid, opened in before.items()}
        changed = {uid: secret for uid, secret in after.items() if secret != before[uid].secret}
        if changed:
            await self._reseal(changed)
        return {uid: Opened(after[uid], before[uid].expires) for uid in before}

    async def _ensure_keywords(self, names: Iterable[str]) -> None:
        known = {keyword.lower() for keyword in self.folder.secret.keywords}
        new = tuple(sorted(name for name in names if name.lower() not in _BY_FOLDED_NAME and name.lower() not in known))
        if new:
            secret = await self._shared.folders.add_keywords(self._login, self.folder.id, new)
            self.folder = replace(self.folder, secret=secret)

    def _with_flags(self, secret: EntrySecret, names: Iterable[str]) -> EntrySecret:
        return with_flags(secret, names, self.folder.secret.keywords)

    async def _reseal(self, secrets: dict[Uid, EntrySecret]) -> None:
        seals = {uid: seal(self._login.public_key, secret) for uid, secret in secrets.items()}
        for uid in await self._shared.store.reseal(self.folder.id, seals):
            if uid in self._opened:
                self._opened[uid] = replace(self._opened[uid], secret=secrets[uid])
            self._shared.deleted.mark(self.folder.id, uid, bool(secrets[uid].flags & Flag.DELETED))
        self._is_muted = True  # the session that changes flags answers its client itself
        try:
            self._shared.bus.publish(self.folder.id, Resealed(seals))
        finally:
            self._is_muted = False

    async def expunge(self, uids: Iterable[Uid]) -> Sequence[Uid]:
        """Those of `uids` that carry \\Deleted are gone, for every device."""
        marked = self._shared.deleted.marked(self.folder.id)
        if marked is None:
            marked = await self._search_deleted()
        opened = await self.opened(marked.intersection(uids))
        return await self._remove({uid: entry for uid, entry in opened.items() if entry.secret.flags & Flag.DELETED})

    async def _search_deleted(self) -> frozenset[Uid]:
        """Opens everything once. What other devices mark meanwhile is noted, because the book is open before the search begins."""
        book = self._shared.deleted
        book.learn(self.folder.id, ())
        try:
            everything = await self.opened(await self._shared.store.uids(self.folder.id))
        except BaseException:
            book.unlearn(self.folder.id)
            raise
        for uid, entry in everything.items():
            if entry.secret.flags & Flag.DELETED:
                book.mark(self.folder.id, uid, is_deleted=True)
        return book.marked(self.folder.id) or frozenset()

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
        """Source UID → UID in `target`. Bodies are shared. Raises `OverQuota`, `FolderRefused`."""
        opened = await self.opened(uids)
        charges = await self._shared.charge_for(self._login, [entry.secret.size_bytes for entry in opened.values()])
        secrets = {
            uid: replace(entry.secret, charge=units, share=random_share(self._shared.entropy))
            for (uid, entry), units in zip(opened.items(), charges, strict=True)
        }
        duplicates, entries = await self._duplicates(secrets, opened, target)
        assigned = dict(await self._shared.store.copy(self.folder.id, target.id, duplicates))
        self._mark_arrived(target, opened, assigned)
        self._announce(target, entries, assigned)
        return assigned

    async def move(self, uids: Iterable[Uid], target: Folder) -> dict[Uid, Uid]:
        """As `copy`, and the messages are gone from here in the same transaction."""
        opened = await self.opened(uids)
        duplicates, entries = await self._duplicates({uid: entry.secret for uid, entry in opened.items()}, opened, target)
        assigned = dict(await self._shared.store.move(self.folder.id, target.id, duplicates))
        self._mark_arrived(target, opened, assigned)
        self._shared.deleted.forget(self.folder.id, assigned)
        self._announce(target, entries, assigned)
        self._shared.bus.publish(self.folder.id, Removed(sorted(assigned)))
        return assigned

    async def _duplicates(
        self, secrets: dict[Uid, EntrySecret], opened: dict[Uid, Opened], target: Folder
    ) -> tuple[list[Duplicate], dict[Uid, tuple[bytes, int]]]:
        """The same messages sealed for `target`, whose keywords may stand in another order."""
        names = {uid: self.flag_names(secret) for uid, secret in secrets.items()}
        wanted = tuple(sorted({name for group in names.values() for name in group if name not in SYSTEM_FLAGS}))
        keywords = target.secret.keywords
        if wanted:
            keywords = (await self._shared.folders.add_keywords(self._login, target.id, wanted)).keywords
        resealed = {uid: seal(self._login.public_key, with_flags(secret, names[uid], keywords)) for uid, secret in secrets.items()}
        duplicates = [Duplicate(uid, secret.body, resealed[uid], secret.charge, secret.share) for uid, secret in secrets.items()]
        return duplicates, {uid: (resealed[uid], opened[uid].expires) for uid in secrets}

    def _mark_arrived(self, target: Folder, opened: Mapping[Uid, Opened], assigned: Mapping[Uid, Uid]) -> None:
        for source, uid in assigned.items():
            self._shared.deleted.mark(target.id, uid, bool(opened[source].secret.flags & Flag.DELETED))

    def _announce(self, target: Folder, entries: dict[Uid, tuple[bytes, int]], assigned: dict[Uid, Uid]) -> None:
        new = sorted((uid, *entries[source]) for source, uid in assigned.items())
        self._shared.bus.publish(target.id, Added([Entry(uid, sealed, expires) for uid, sealed, expires in new]))

    # room

    async def settle(self) -> None:
        """Called when the session pauses: what this device fetched and left is marked, and goes when the mailbox fills up.

        A device that deletes after fetching, as most do, has nothing left to mark, so this costs it nothing. If the store cannot do it now,
        the marks are missing and these messages stay longer; nothing else is lost.
        """
        left = {uid: self._opened[uid] for uid in self._fetched if uid in self._opened}
        self._fetched.clear()
        marks = {uid: entry for uid, entry in left.items() if not entry.secret.flags & Flag.FETCHED}
        if marks:
            with suppress(StoreUnavailable, CrewBusy):
                await self._reseal({uid: replace(entry.secret, flags=entry.secret.flags | Flag.FETCHED) for uid, entry in marks.items()})
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


def with_flags(secret: EntrySecret, names: Iterable[str], keywords: Sequence[str]) -> EntrySecret:
    """The secret with exactly these flags and keywords; the invisible FETCHED mark stays. Names that are neither are left out."""
    positions = {keyword.lower(): bit for bit, keyword in enumerate(keywords)}
    flags = secret.flags & Flag.FETCHED
    bits = 0
    for name in names:
        folded = name.lower()
        if folded in _BY_FOLDED_NAME:
            flags |= _BY_FOLDED_NAME[folded]
        elif folded in positions:
            bits |= 1 << positions[folded]
    return replace(secret, flags=flags, keywords=bits)


def removal(uid: Uid, secret: EntrySecret) -> Removal:
    """What the store must know to let the entry go."""
    return Removal(uid, secret.body, secret.charge, secret.share)
