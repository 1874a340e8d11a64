# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts that nobody has used yet live in RAM, so that a flood of log-ins leaves nothing on disk.

A store before the store. An account goes to disk with the first thing worth keeping: a message delivered to it, sent by it or appended, a
folder, a push token, a new password. Until then a crash or a restart forgets it; whoever logs in again with the same name and password has
it again, and nothing was lost because there was nothing. There is room for so many; the one used longest ago goes first, among those
nobody is connected to.

Whatever it does not know it hands to the store behind it. UIDVALIDITY is chosen here and kept, because a client has seen it by then.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from weakref import WeakValueDictionary

from razdar.model.ids import INBOX, AccountId, MailboxId, Uid
from razdar.ports.bus import Bus
from razdar.ports.clock import Entropy
from razdar.ports.store import NEVER, AccountRecord, Delivery, MailboxRecord, Recipient, Removal, Store, StoreFull, Totals

LOOKED_AT = 64  # newcomers among which one without a connection is looked for


@dataclass(frozen=True, slots=True)
class _Newcomer:
    record: AccountRecord
    uid_validity: int


class Newcomers:
    """A `Store` (ports/store.py) that keeps unused accounts to itself."""

    def __init__(self, store: Store, bus: Bus, limit: int, entropy: Entropy) -> None:
        self._store = store
        self._bus = bus
        self._limit = limit
        self._entropy = entropy
        self._known: OrderedDict[AccountId, _Newcomer] = OrderedDict()
        self._locks: WeakValueDictionary[AccountId, asyncio.Lock] = WeakValueDictionary()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def __len__(self) -> int:
        return len(self._known)

    def _lock(self, account: AccountId) -> asyncio.Lock:
        """Held while an account comes into being, moves to disk or goes."""
        return self._locks.setdefault(account, asyncio.Lock())

    # coming

    async def create_account(self, record: AccountRecord, uid_validity: int = 0) -> AccountRecord:
        if record.expires == NEVER:  # the relay's own
            return await self._store.create_account(record, uid_validity)
        async with self._lock(record.id):
            stored = await self.account(record.id)
            if stored is not None:
                return stored
            if self._store.is_full:  # who cannot be sent anything is better told now
                raise StoreFull
            self._known[record.id] = _Newcomer(record, uid_validity or 1 + int.from_bytes(self._entropy(4), "big") % 2**30)
            if len(self._known) > self._limit:
                self._drop_one()
            return record

    def _drop_one(self) -> None:
        oldest = list(islice(self._known, min(LOOKED_AT, len(self._known) - 1)))
        gone = next((account for account in oldest if not self._bus.is_watched(account)), oldest[0])
        del self._known[gone]
        self._bus.close_account(gone)

    async def keep_account(self, account: AccountId) -> None:
        """It is on disk."""
        if account not in self._known:
            return
        async with self._lock(account):
            newcomer = self._known.get(account)
            if newcomer is None:
                return
            await self._store.create_account(newcomer.record, newcomer.uid_validity)
            latest = self._known.pop(account, newcomer)
            if latest.record.expires > newcomer.record.expires:
                await self._store.prolong_account(account, latest.record.expires)

    # looking

    async def account(self, account: AccountId) -> AccountRecord | None:
        newcomer = self._known.get(account)
        if newcomer is None:
            return await self._store.account(account)
        self._known.move_to_end(account)
        return newcomer.record

    async def recipients(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Recipient]:
        new = {account: Recipient(self._known[account].record.public_key, 0) for account in accounts if account in self._known}
        return {**await self._store.recipients(accounts), **new}

    async def mailboxes(self, account: AccountId) -> Sequence[MailboxRecord]:
        inbox = self._inbox(MailboxId(account))
        return await self._store.mailboxes(account) if inbox is None else [inbox]

    async def mailbox(self, mailbox: MailboxId) -> MailboxRecord | None:
        return self._inbox(mailbox) or await self._store.mailbox(mailbox)

    def _inbox(self, mailbox: MailboxId) -> MailboxRecord | None:
        newcomer = self._known.get(mailbox.account)
        if newcomer is None or mailbox.folder != INBOX:
            return None
        return MailboxRecord(mailbox, newcomer.uid_validity, Uid(1), 0, None)

    async def totals(self) -> Totals:
        totals = await self._store.totals()
        return replace(totals, accounts=totals.accounts + len(self._known))

    # what makes an account worth keeping

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Mapping[MailboxId, Uid]]:
        await self._keep_all(deliveries)
        return await self._store.deliver(deliveries)

    async def _keep_all(self, deliveries: Sequence[Delivery]) -> None:
        if self._known:
            accounts = {entry.mailbox.account for delivery in deliveries for entry in delivery.entries}
            await asyncio.gather(*(self.keep_account(account) for account in accounts & self._known.keys()))

    async def exchange(
        self, mailbox: MailboxId, removals: Sequence[Removal], deliveries: Sequence[Delivery]
    ) -> Sequence[Mapping[MailboxId, Uid]]:
        await self._keep_all(deliveries)
        return await self._store.exchange(mailbox, removals, deliveries)

    async def create_mailbox(self, account: AccountId, sealed: bytes) -> MailboxRecord | None:
        await self.keep_account(account)
        return await self._store.create_mailbox(account, sealed)

    async def reseal_mailbox(self, mailbox: MailboxId, sealed: bytes) -> bool:
        await self.keep_account(mailbox.account)
        return await self._store.reseal_mailbox(mailbox, sealed)

    async def put_token(self, account: AccountId, token: bytes, expires: int) -> None:
        await self.keep_account(account)
        await self._store.put_token(account, token, expires)

    async def replace_login(self, account: AccountId, salt: bytes, locked_key: bytes) -> bool:
        await self.keep_account(account)
        return await self._store.replace_login(account, salt, locked_key)

    # staying and going

    async def prolong_account(self, account: AccountId, expires: int) -> None:
        newcomer = self._known.get(account)
        if newcomer is None:
            await self._store.prolong_account(account, expires)
        elif newcomer.record.expires < expires:
            self._known[account] = replace(newcomer, record=replace(newcomer.record, expires=expires))

    async def delete_account(self, account: AccountId) -> bool:
        async with self._lock(account):
            was_new = self._known.pop(account, None) is not None
            return await self._store.delete_account(account) or was_new

    async def claim_invite(self, digest: bytes, record: AccountRecord) -> bool:
        async with self._lock(record.id):
            return record.id not in self._known and await self._store.claim_invite(digest, record)

    async def expire(self) -> int:
        day = await self._store.day()
        gone = [account for account, newcomer in self._known.items() if newcomer.record.expires <= day]
        for account in gone:
            del self._known[account]
        return len(gone) + await self._store.expire()
