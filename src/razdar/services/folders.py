"""The folders of an account: their names are sealed, so only a session that has the key can find one by name."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from razdar.model.ids import INBOX, AccountId, MailboxId
from razdar.ports.bus import Bus, Removed
from razdar.ports.store import MailboxRecord, Removal, Store
from razdar.services.accounts import Login
from razdar.vault.folder import FolderSecret, seal_folder, unseal_folder
from razdar.vault.seal import SealBroken, unseal

INBOX_NAME = "INBOX"
SEPARATOR = "/"
FOLDERS_MAX = 100  # names cost an opened seal each at every LIST
KEYWORDS_MAX = 32  # bits in a seal
KEYWORD_CHARACTERS_MAX = 40  # so that the sealed record holds all of them (vault/folder.py)
OPENED_IN_A_ROW = 64  # then others have their turn


class FolderRefused(Exception):  # noqa: N818 - the person's request cannot be met; the text is for them
    """`code` is an RFC 5530 response code, the text public."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


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

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._locks: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    def lock(self, login: Login) -> asyncio.Lock:
        """Held while a sealed folder record is read, changed and written, because devices of one account may do so at once."""
        return self._locks.setdefault(login.account, asyncio.Lock())

    async def all(self, login: Login) -> list[Folder]:
        """Every folder, INBOX first. A damaged one does not hide the others."""
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
            folders = await self.all(login)
            if any(folder.secret.name == name for folder in folders):
                raise FolderRefused("There is a folder of that name already", "ALREADYEXISTS")
            if len(folders) >= FOLDERS_MAX:
                raise FolderRefused("There are too many folders", "LIMIT")
            secret = FolderSecret(name, (), is_subscribed=False)
            record = await self._store.create_mailbox(login.account, seal_folder(login.public_key, secret))
            if record is None:
                raise FolderRefused("The account is gone")
            return Folder(record, secret)

    async def delete(self, login: Login, name: str) -> None:
        """The folder and what lies in it is gone. Folders below it stay (RFC 3501 section 6.3.4). Raises `FolderRefused`."""
        async with self.lock(login):
            folder = await self.find(login, name)
            if folder is None:
                raise FolderRefused("There is no folder of that name", "NONEXISTENT")
            if folder.id.folder == INBOX:
                raise FolderRefused("INBOX cannot be deleted", "CANNOT")
            removals = await self._removals(login, folder.id)
            await self._store.delete_mailbox(folder.id, removals)
            self._bus.publish(folder.id, Removed([removal.uid for removal in removals]))

    async def _removals(self, login: Login, mailbox: MailboxId) -> list[Removal]:
        removals = []
        for number, entry in enumerate(await self._store.entries(mailbox)):
            if number % OPENED_IN_A_ROW == OPENED_IN_A_ROW - 1:
                await asyncio.sleep(0)
            with suppress(SealBroken):  # its body goes when its time is over
                secret = unseal(login.private_key, entry.seal)
                removals.append(Removal(entry.uid, secret.body, secret.charge, secret.share))
        return removals

    async def rename(self, login: Login, source: str, target: str) -> None:
        """The folder, and every folder below it, has the new name. INBOX cannot be renamed yet. Raises `FolderRefused`."""
        target = _checked(target)
        async with self.lock(login):
            folders = await self.all(login)
            if source.upper() == INBOX_NAME:
                raise FolderRefused("INBOX cannot be renamed", "CANNOT")
            moved = [folder for folder in folders if (folder.secret.name + SEPARATOR).startswith(source + SEPARATOR)]
            if not moved:
                raise FolderRefused("There is no folder of that name", "NONEXISTENT")
            names = {folder.id: _checked(target + folder.secret.name[len(source) :]) for folder in moved}
            if {target, *names.values()} & {folder.secret.name for folder in folders}:
                raise FolderRefused("There is a folder of that name already", "ALREADYEXISTS")
            for folder in moved:
                await self._write(login, folder.id, replace(folder.secret, name=names[folder.id]))

    async def subscribe(self, login: Login, name: str, is_subscribed: bool) -> None:
        """The subscription is as asked. Raises `FolderRefused`."""
        async with self.lock(login):
            folder = await self.find(login, name)
            if folder is None:
                raise FolderRefused("There is no folder of that name", "NONEXISTENT")
            if folder.secret.is_subscribed != is_subscribed:
                await self._write(login, folder.id, replace(folder.secret, is_subscribed=is_subscribed))

    async def add_keywords(self, login: Login, mailbox: MailboxId, names: tuple[str, ...]) -> FolderSecret:
        """The folder's keyword list holds all of `names`, in some case of letters. Raises `FolderRefused` when there are too many."""
        if any(len(name) > KEYWORD_CHARACTERS_MAX for name in names):
            raise FolderRefused("That keyword is too long", "LIMIT")
        async with self.lock(login):
            record = await self._store.mailbox(mailbox)
            if record is None:
                raise FolderRefused("There is no folder of that name", "NONEXISTENT")
            secret = _open(login, record).secret
            known = {keyword.lower() for keyword in secret.keywords}
            new = tuple({name.lower(): name for name in names if name.lower() not in known}.values())
            if len(secret.keywords) + len(new) > KEYWORDS_MAX:
                raise FolderRefused("There are too many keywords in this folder", "LIMIT")
            if new:
                secret = replace(secret, keywords=secret.keywords + new)
                await self._write(login, mailbox, secret)
            return secret

    async def _write(self, login: Login, mailbox: MailboxId, secret: FolderSecret) -> None:
        await self._store.reseal_mailbox(mailbox, seal_folder(login.public_key, secret))


def _open(login: Login, record: MailboxRecord) -> Folder:
    if record.sealed is None:
        return Folder(record, FolderSecret(INBOX_NAME, (), is_subscribed=True))
    return Folder(record, unseal_folder(login.private_key, record.sealed))


def _checked(name: str) -> str:
    """A name that can be stored: no empty part, no wildcard, not too long."""
    name = name.rstrip(SEPARATOR)
    bad = not name or any(not part for part in name.split(SEPARATOR)) or any(c in "*%" or ord(c) < 32 for c in name)
    if bad or name.upper() == INBOX_NAME:
        raise FolderRefused("That name cannot be used", "CANNOT")
    if len(name.encode()) > 200:
        raise FolderRefused("That name is too long", "LIMIT")
    return name
