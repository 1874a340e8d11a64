# SPDX-License-Identifier: AGPL-3.0-or-later
"""The folders of an account: their names are sealed, so only a session that has the key can find one by name.

A name above a folder (`a` of `a/b`) need not be a folder. Subscriptions belong to names, not to folders (RFC 3501 section 6.3.6): when a
subscribed folder goes or gets another name, a record without messages keeps the subscription.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from razdar.model.ids import INBOX, AccountId, MailboxId
from razdar.ports.bus import Bus, Removed
from razdar.ports.store import MailboxRecord, Removal, Store, StoreUnavailable
from razdar.services.accounts import Login
from razdar.services.seals import removal
from razdar.settings import Settings
from razdar.vault.folder import FolderSecret, seal_folder, unseal_folder
from razdar.vault.seal import SealBroken, unseal

INBOX_NAME = "INBOX"
SEPARATOR = "/"
KEYWORDS_MAX = 32  # bits in a seal
KEYWORD_CHARACTERS_MAX = 40  # so that the sealed record holds all of them (vault/folder.py)
OPENED_IN_A_ROW = 64  # then others have their turn


class FolderRefused(Exception):  # noqa: N818 - the person's request cannot be met; the text is for them
    """`code` is an RFC 5530 response code, the text public."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def no_such_folder(code: str) -> FolderRefused:
    """`code` is TRYCREATE where making one would help (RFC 3501 section 7.1)."""
    return FolderRefused("There is no folder of that name", code)


def _taken() -> FolderRefused:
    return FolderRefused("There is a folder of that name already", "ALREADYEXISTS")


def _too_many() -> FolderRefused:
    return FolderRefused("There are too many folders", "LIMIT")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with its name opened."""

    record: MailboxRecord
    secret: FolderSecret

    @property
    def id(self) -> MailboxId:
        return self.record.id


class Folders:
    """Finds, makes, renames and removes folders."""

    def __init__(self, store: Store, bus: Bus, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._bus = bus
        self._settings = settings
        self._locks: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    def lock(self, login: Login) -> asyncio.Lock:
        """Held while a sealed folder record is read, changed and written, because devices of one account may do so at once."""
        return self._locks.setdefault(login.account, asyncio.Lock())

    @property
    def _records_max(self) -> int:
        """Folders and the names that are only subscribed to."""
        return 2 * self._settings().folders

    async def all(self, login: Login) -> list[Folder]:
        """Every folder, INBOX first. A damaged one does not hide the others."""
        return [folder for folder in await self.names(login) if not folder.secret.is_name_only]

    async def names(self, login: Login) -> list[Folder]:
        """As `all`, and the names that are only subscribed to."""
        folders = []
        for record in await self._store.mailboxes(login.account):
            with suppress(SealBroken):
                folders.append(_open(login, record))
        return folders

    async def get(self, login: Login, mailbox: MailboxId) -> Folder | None:
        """The folder of that number, whatever it is called now."""
        record = await self._store.mailbox(mailbox)
        return None if record is None else _open(login, record)

    async def find(self, login: Login, name: str) -> Folder | None:
        """The folder of that name. INBOX costs one look-up and opens no seal unless it has keywords."""
        if name.upper() == INBOX_NAME:
            return await self.get(login, login.inbox)
        return next((folder for folder in await self.all(login) if folder.secret.name == name), None)

    async def create(self, login: Login, name: str) -> Folder:
        """An empty folder of that name exists now. Raises `FolderRefused`."""
        name = _checked(name)
        async with self.lock(login):
            known = await self.names(login)
            folders = [folder for folder in known if not folder.secret.is_name_only]
            if any(folder.secret.name == name for folder in folders):
                raise _taken()
            if len(folders) >= self._settings().folders:
                raise _too_many()
            kept = _subscriptions(known, [name])
            folder = await self._make(login, FolderSecret(name, is_subscribed=bool(kept)))
            await self._drop(kept)
            return folder

    async def delete(self, login: Login, name: str) -> None:
        """The folder and what lies in it is gone. Folders below it stay (RFC 3501 section 6.3.4). Raises `FolderRefused`."""
        async with self.lock(login):
            known = await self.names(login)
            folder = _named(known, name)
            if folder is None and any(_is_below(other, name) for other in known if not other.secret.is_name_only):
                raise FolderRefused("There are folders below that name", "HASCHILDREN")
            if folder is None:
                raise no_such_folder("NONEXISTENT")
            if folder.id.folder == INBOX:
                raise FolderRefused("INBOX cannot be deleted", "CANNOT")
            removals = await self._removals(login, folder.id)
            await self._store.delete_mailbox(folder.id, removals)
            self._bus.publish(folder.id, Removed([removal.uid for removal in removals]))
            if folder.secret.is_subscribed and len(known) <= self._records_max:
                with suppress(StoreUnavailable):  # deleting works even when nothing can be added
                    await self._make(login, _subscription(name))

    async def _removals(self, login: Login, mailbox: MailboxId) -> list[Removal]:
        removals = []
        for number, entry in enumerate(await self._store.entries(mailbox)):
            if number % OPENED_IN_A_ROW == OPENED_IN_A_ROW - 1:
                await asyncio.sleep(0)
            with suppress(SealBroken):  # its body goes when its time is over
                removals.append(removal(entry.uid, unseal(login.private_key, entry.seal)))
        return removals

    async def rename(self, login: Login, source: str, target: str) -> None:
        """The folder, and every folder below it, has the new name; subscriptions stay with the names. Raises `FolderRefused`."""
        target = _checked(target)
        async with self.lock(login):
            if source.upper() == INBOX_NAME:  # `Mailboxes.rename` knows how
                raise FolderRefused("INBOX cannot be renamed", "CANNOT")
            known = await self.names(login)
            moved = [folder for folder in known if _is_at_or_below(folder, source) and not folder.secret.is_name_only]
            if not moved:
                raise no_such_folder("NONEXISTENT")
            names = {folder.id: _checked(target + folder.secret.name[len(source) :]) for folder in moved}
            if {target, *names.values()} & {folder.secret.name for folder in known if not folder.secret.is_name_only}:
                raise _taken()
            left = [_subscription(folder.secret.name) for folder in moved if folder.secret.is_subscribed]
            if len(known) + len(left) > self._records_max:
                raise _too_many()
            kept = _subscriptions(known, names.values())
            subscribed = {folder.secret.name for folder in kept}
            for folder in moved:
                name = names[folder.id]
                await self._write(login, folder.id, replace(folder.secret, name=name, is_subscribed=name in subscribed))
            for secret in left:
                await self._make(login, secret)
            await self._drop(kept)

    async def subscribe(self, login: Login, name: str, is_subscribed: bool) -> None:
        """The subscription is as asked; only to folders that exist, but from any name. Raises `FolderRefused`."""
        async with self.lock(login):
            known = await self.names(login)
            folder, kept = _named(known, name), _subscriptions(known, [name])
            if folder is None and (is_subscribed or not kept):
                raise no_such_folder("NONEXISTENT")
            if folder is not None and folder.secret.is_subscribed != is_subscribed:
                await self._write(login, folder.id, replace(folder.secret, is_subscribed=is_subscribed))
            await self._drop(kept)

    async def add_keywords(self, login: Login, mailbox: MailboxId, names: tuple[str, ...]) -> FolderSecret:
        """The folder's keyword list holds all of `names`, in some case of letters. Raises `FolderRefused` when there are too many."""
        if any(len(name) > KEYWORD_CHARACTERS_MAX for name in names):
            raise FolderRefused("That keyword is too long", "LIMIT")
        async with self.lock(login):
            record = await self._store.mailbox(mailbox)
            if record is None:
                raise no_such_folder("NONEXISTENT")
            secret = _open(login, record).secret
            known = {keyword.lower() for keyword in secret.keywords}
            new = tuple({name.lower(): name for name in names if name.lower() not in known}.values())
            if len(secret.keywords) + len(new) > KEYWORDS_MAX:
                raise FolderRefused("There are too many keywords in this folder", "LIMIT")
            if new:
                secret = replace(secret, keywords=secret.keywords + new)
                await self._write(login, mailbox, secret)
            return secret

    async def _make(self, login: Login, secret: FolderSecret) -> Folder:
        record = await self._store.create_mailbox(login.account, seal_folder(login.public_key, secret))
        if record is None:
            raise FolderRefused("The account is gone")
        return Folder(record, secret)

    async def _drop(self, kept: Iterable[Folder]) -> None:
        for folder in kept:
            await self._store.delete_mailbox(folder.id, ())

    async def _write(self, login: Login, mailbox: MailboxId, secret: FolderSecret) -> None:
        await self._store.reseal_mailbox(mailbox, seal_folder(login.public_key, secret))


def _open(login: Login, record: MailboxRecord) -> Folder:
    if record.sealed is None:
        return Folder(record, FolderSecret(INBOX_NAME, (), is_subscribed=True))
    return Folder(record, unseal_folder(login.private_key, record.sealed))


def _named(folders: Iterable[Folder], name: str) -> Folder | None:
    wanted = INBOX_NAME if name.upper() == INBOX_NAME else name
    return next((folder for folder in folders if folder.secret.name == wanted and not folder.secret.is_name_only), None)


def _subscription(name: str) -> FolderSecret:
    return FolderSecret(name, is_subscribed=True, is_name_only=True)


def _subscriptions(folders: Iterable[Folder], names: Iterable[str]) -> list[Folder]:
    """The records that keep a subscription to one of these names."""
    wanted = frozenset(names)
    return [folder for folder in folders if folder.secret.is_name_only and folder.secret.name in wanted]


def _is_below(folder: Folder, name: str) -> bool:
    return folder.secret.name.startswith(name + SEPARATOR)


def _is_at_or_below(folder: Folder, name: str) -> bool:
    return folder.secret.name == name or _is_below(folder, name)


def _checked(name: str) -> str:
    """A name that can be stored: no empty part, no wildcard, not too long. A separator at its end says no more (RFC 3501 section 6.3.3)."""
    name = name.removesuffix(SEPARATOR)
    if name.upper() == INBOX_NAME:
        raise _taken()
    if any(not part for part in name.split(SEPARATOR)) or any(c in "*%" or ord(c) < 32 for c in name):
        raise FolderRefused("That name cannot be used", "CANNOT")
    if len(name.encode()) > 200:
        raise FolderRefused("That name is too long", "LIMIT")
    return name
