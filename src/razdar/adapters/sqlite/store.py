# SPDX-License-Identifier: AGPL-3.0-or-later
"""`Store` on SQLite: each method of the port is a job for the writer or a look through a reader.

Looks that touch a bounded number of rows run where they are asked for: a hop to another thread and back costs more than they do
(measured, see docs/storage.md). Those that may touch many rows or a large body run in a thread with a connection of its own.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from razdar.model.ids import INBOX, AccountId, BodyId, MailboxId, Uid
from razdar.ports.clock import Entropy
from razdar.ports.store import (
    AccountRecord,
    Delivery,
    Duplicate,
    Entry,
    MailboxRecord,
    Recipient,
    Removal,
    Store,
    StoreUnavailable,
    Totals,
)

from . import accounts, deliveries, expiry, reads, removals, small
from .faults import is_of_the_disk
from .fresh import FreshBodies
from .lineage import Lineage
from .lock import lock_folder
from .reserve import Reserve
from .schema import SQLITE_NEEDED, connect_reader, connect_writer, migrate
from .upkeep import Upkeep
from .writer import WAITING_BYTES, Writer

T = TypeVar("T")

LOOKS_AT_ONCE = 64
"""Keyed rows that are looked up on the event loop; more go to the thread."""
FEW = 128
"""Messages of a mailbox that is counted and listed there. Most hold fewer, and SELECT is half of what a device asks."""


async def open_store(
    folder: Path,
    *,
    reserve_bytes: int,
    wal_bytes: int,
    waiting_bytes: int = WAITING_BYTES,
    entropy: Entropy = os.urandom,
) -> "SqliteStore":
    """The store in `folder`, which must exist and be writable. Raises StoreInUse, StoreTooNew, StoreUnavailable."""
    assert sqlite3.sqlite_version_info >= SQLITE_NEEDED, "SQLite 3.38 or later is needed"
    lock = lock_folder(folder)
    try:
        with _faults():
            return _open(folder, lock, reserve_bytes, wal_bytes, waiting_bytes, entropy)
    except BaseException:
        os.close(lock)
        raise


def _open(folder: Path, lock: int, reserve_bytes: int, wal_bytes: int, waiting_bytes: int, entropy: Entropy) -> "SqliteStore":
    """Opening takes some space for the log's index; if others left none at all, the reserve is for this."""
    try:
        return SqliteStore(folder, lock, reserve_bytes, wal_bytes, waiting_bytes, entropy)
    except sqlite3.Error as error:
        reserve = Reserve(folder, reserve_bytes)
        if not (is_of_the_disk(error) and reserve.is_disk_full() and reserve.take() and reserve.release()):
            raise
    return SqliteStore(folder, lock, reserve_bytes, wal_bytes, waiting_bytes, entropy)


class SqliteStore(Store):
    """See ports/store.py; the docstrings there are the contract."""

    def __init__(self, folder: Path, lock: int, reserve_bytes: int, wal_bytes: int, waiting_bytes: int, entropy: Entropy) -> None:
        self._folder = folder
        self._lock = lock
        self._entropy = entropy
        path = folder / "store.db"
        self._connection = connect_writer(path)
        self._reserve = Reserve(folder, reserve_bytes)
        try:
            migrate(self._connection)
            self._reserve.take()
            lineage = Lineage(folder, self._connection)
            self.was_restored = lineage.begin(self._connection)
            """Whether the database is an earlier copy that was put back; UIDs have jumped ahead then."""
        except BaseException:
            self._connection.close()
            raise
        self._near, self._far = connect_reader(path), connect_reader(path)
        self._thread = ThreadPoolExecutor(1, "store reader")
        self._fresh = FreshBodies()
        upkeep = Upkeep(folder, self._connection, lineage, self._reserve, wal_bytes)
        self._writer = Writer(self._connection, upkeep, lineage, self._reserve, waiting_bytes)
        self._is_open = True
        self._writer.start()

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            await self._writer.stop()
            await asyncio.to_thread(self._thread.shutdown)
            for connection in (self._near, self._far, self._connection):  # the last one removes the log
                connection.close()
            os.close(self._lock)

    @property
    def is_full(self) -> bool:
        return not self._reserve.is_held

    @property
    def pending(self) -> int:
        """Changes that wait for the writer."""
        return self._writer.pending

    # how a look is taken

    def _look(self, look: Callable[[sqlite3.Connection], T]) -> T:
        if not self._is_open:
            raise StoreUnavailable("closed")
        with _faults():
            return look(self._near)

    async def _search(self, look: Callable[[sqlite3.Connection], T]) -> T:
        if not self._is_open:
            raise StoreUnavailable("closed")
        with _faults():
            return await asyncio.get_running_loop().run_in_executor(self._thread, look, self._far)

    # accounts

    async def create_account(self, record: AccountRecord, uid_validity: int = 0) -> AccountRecord:
        validity = uid_validity or self._uid_validity()
        return await self._writer.run(lambda connection: accounts.create_account(connection, record, validity), grows=True)

    async def keep_account(self, account: AccountId) -> None:
        """It is."""

    def _uid_validity(self) -> int:
        """Of a new INBOX. Random: an account made anew must not look like the old one, and a count would tell who came first."""
        return 1 + int.from_bytes(self._entropy(4), "big") % 2**30

    async def account(self, account: AccountId) -> AccountRecord | None:
        return self._look(lambda connection: reads.account(connection, account))

    async def replace_login(self, account: AccountId, salt: bytes, locked_key: bytes) -> bool:
        return await self._writer.run(lambda connection: accounts.replace_login(connection, account, salt, locked_key))

    async def prolong_account(self, account: AccountId, expires: int) -> None:
        await self._writer.run(lambda connection: accounts.prolong_account(connection, account, expires))

    async def delete_account(self, account: AccountId) -> bool:
        return await self._writer.run(lambda connection: accounts.delete_account(connection, account)) > 0

    async def recipients(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Recipient]:
        def look(connection: sqlite3.Connection) -> Mapping[AccountId, Recipient]:
            return reads.recipients(connection, accounts)

        return self._look(look) if len(accounts) <= LOOKS_AT_ONCE else await self._search(look)

    # mailboxes

    async def mailboxes(self, account: AccountId) -> Sequence[MailboxRecord]:
        return await self._search(lambda connection: reads.mailboxes(connection, account))

    async def mailbox(self, mailbox: MailboxId) -> MailboxRecord | None:
        found = self._look(lambda connection: reads.mailbox(connection, mailbox, FEW + 1))
        if found is None or found.messages <= FEW:
            return found
        return await self._search(lambda connection: reads.mailbox(connection, mailbox))

    async def create_mailbox(self, account: AccountId, sealed: bytes) -> MailboxRecord | None:
        return await self._writer.run(lambda connection: accounts.create_mailbox(connection, account, sealed), grows=True)

    async def reseal_mailbox(self, mailbox: MailboxId, sealed: bytes) -> bool:
        return await self._writer.run(lambda connection: accounts.reseal_mailbox(connection, mailbox, sealed))

    async def delete_mailbox(self, mailbox: MailboxId, removals_: Sequence[Removal]) -> bool:
        if mailbox.folder == INBOX:
            raise ValueError("INBOX stays")
        was_there, gone = await self._writer.run(lambda connection: removals.delete_mailbox(connection, mailbox, removals_))
        self._fresh.drop(gone)
        return was_there

    # messages

    async def deliver(self, deliveries_: Sequence[Delivery]) -> Sequence[Mapping[MailboxId, Uid]]:
        size_bytes = sum(len(delivery.body.blob) + 300 * len(delivery.entries) for delivery in deliveries_)
        answers: Sequence[Mapping[MailboxId, Uid]]
        answers = await self._writer.join(deliveries.deliver, deliveries_, size_bytes=size_bytes, grows=True)
        for delivery, uids in zip(deliveries_, answers, strict=True):
            if uids:
                self._fresh.add(delivery.body.id, delivery.body.blob)
        return answers

    async def entries(self, mailbox: MailboxId, uids: Sequence[Uid] | None = None) -> Sequence[Entry]:
        def look(connection: sqlite3.Connection) -> Sequence[Entry]:
            return reads.entries(connection, mailbox, uids)

        return self._look(look) if uids is not None and len(uids) <= LOOKS_AT_ONCE else await self._search(look)

    async def uids(self, mailbox: MailboxId) -> Sequence[Uid]:
        found = self._look(lambda connection: reads.uids(connection, mailbox, FEW + 1))
        return found if len(found) <= FEW else await self._search(lambda connection: reads.uids(connection, mailbox))

    async def body(self, body: BodyId) -> bytes | None:
        fresh = self._fresh.find(body)
        return fresh if fresh is not None else await self._search(lambda connection: reads.body(connection, body))

    async def reseal(self, mailbox: MailboxId, seals: Mapping[Uid, bytes]) -> Sequence[Uid]:
        return await self._writer.run(lambda connection: small.reseal(connection, mailbox, seals))

    async def remove(self, mailbox: MailboxId, removals_: Sequence[Removal]) -> Sequence[Uid]:
        uids: Sequence[Uid]
        uids, gone = await self._writer.join(removals.remove, (mailbox, removals_))
        self._fresh.drop(gone)
        return uids

    async def exchange(
        self, mailbox: MailboxId, removals_: Sequence[Removal], deliveries_: Sequence[Delivery]
    ) -> Sequence[Mapping[MailboxId, Uid]]:
        def change(connection: sqlite3.Connection) -> tuple[frozenset[BodyId], Sequence[Mapping[MailboxId, Uid]]]:
            ((_, gone),) = removals.remove(connection, [(mailbox, removals_)])
            (answers,) = deliveries.deliver(connection, [deliveries_])
            return gone, answers

        gone, answers = await self._writer.run(change, grows=bool(deliveries_))
        self._fresh.drop(gone)
        return answers

    async def copy(self, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
        _check_accounts(source, target)
        return await self._writer.run(lambda connection: removals.copy(connection, source, target, duplicates), grows=True)

    async def move(self, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
        _check_accounts(source, target)
        return await self._writer.run(lambda connection: removals.move(connection, source, target, duplicates))

    # time

    async def day(self) -> int:
        return self._look(reads.day)

    async def minutes(self) -> int:
        return self._look(reads.minutes)

    async def note_minutes(self, minutes: int) -> None:
        await self._writer.run(lambda connection: small.note_minutes(connection, minutes))

    async def next_day(self) -> int:
        return await self._writer.run(small.next_day)

    async def expire(self) -> int:
        day = await self.day()
        total, start = 0, expiry.FIRST
        while start is not None:
            gone, start = await self._writer.run(partial(expiry.expire_accounts, day=day, start=start))
            total += gone
        slices = await self._search(expiry.body_slices)
        for number in range(slices):
            total += await self._writer.run(partial(expiry.expire_bodies, day=day, number=number, slices=slices))
        self._fresh.clear()
        return total + await self._writer.run(partial(expiry.expire_small, day=day))

    # small things

    async def put_token(self, account: AccountId, token: bytes, expires: int) -> None:
        await self._writer.run(lambda connection: small.put_token(connection, account, token, expires), grows=True)

    async def tokens(self, account: AccountId) -> Sequence[bytes]:
        return self._look(lambda connection: reads.tokens(connection, account))

    async def forget_token(self, account: AccountId, token: bytes) -> None:
        await self._writer.run(lambda connection: small.forget_token(connection, account, token))

    async def put_invite(self, digest: bytes, uses: int, expires: int) -> None:
        await self._writer.run(lambda connection: small.put_invite(connection, digest, uses, expires), grows=True)

    async def invite_uses(self, digest: bytes) -> int:
        return self._look(lambda connection: reads.invite_uses(connection, digest))

    async def claim_invite(self, digest: bytes, record: AccountRecord) -> bool:
        uid_validity = self._uid_validity()
        return await self._writer.run(lambda connection: accounts.claim_invite(connection, digest, record, uid_validity), grows=True)

    async def totals(self) -> Totals:
        counts = await self._search(reads.counts)
        files = (self._folder / "store.db", self._folder / "store.db-wal")
        return Totals(*counts, disk_bytes=sum(file.stat().st_size for file in files if file.exists()))


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if is_of_the_disk(error):
            raise StoreUnavailable(error.sqlite_errorname) from None
        raise


def _check_accounts(source: MailboxId, target: MailboxId) -> None:
    if source.account != target.account:
        raise ValueError("a message stays in its account")
