# SPDX-License-Identifier: AGPL-3.0-or-later
"""`Store` over plain dictionaries: for tests, and as the shortest answer to what a store has to do.

It forgets everything at the end of the process; "on stable storage" means in the dictionary. Nothing here waits, so each method is one
step as seen by all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import urandom

from razdar.model.ids import INBOX, AccountId, BodyId, MailboxId, Uid
from razdar.ports.clock import Entropy
from razdar.ports.store import (
    NEVER,
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

from .state import Account, Folder, State, StoredBody


class MemoryStore(Store):
    """See ports/store.py; the docstrings there are the contract."""

    def __init__(self, entropy: Entropy = urandom) -> None:
        self._entropy = entropy
        self._open: State | None = State()

    @property
    def _state(self) -> State:
        if self._open is None:
            raise StoreUnavailable("closed")
        return self._open

    @property
    def is_full(self) -> bool:
        return False

    # accounts

    async def create_account(self, record: AccountRecord, uid_validity: int = 0) -> AccountRecord:
        return self._create(record, uid_validity)

    async def keep_account(self, account: AccountId) -> None:
        """It is."""

    def _create(self, record: AccountRecord, uid_validity: int = 0) -> AccountRecord:
        inbox = Folder(uid_validity or 1 + int.from_bytes(self._entropy(4), "big") % 2**30)
        return self._state.accounts.setdefault(record.id, Account(record, {INBOX: inbox})).record

    async def account(self, account: AccountId) -> AccountRecord | None:
        known = self._state.accounts.get(account)
        return None if known is None else known.record

    async def replace_login(self, account: AccountId, salt: bytes, locked_key: bytes) -> bool:
        known = self._state.accounts.get(account)
        if known is not None:
            known.record = replace(known.record, salt=salt, locked_key=locked_key)
        return known is not None

    async def prolong_account(self, account: AccountId, expires: int) -> None:
        self._state.prolong(account, expires)

    async def delete_account(self, account: AccountId) -> bool:
        return self._state.accounts.pop(account, None) is not None

    async def recipients(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Recipient]:
        known = self._state.accounts
        return {account: known[account].recipient() for account in accounts if account in known}

    # mailboxes

    async def mailboxes(self, account: AccountId) -> Sequence[MailboxRecord]:
        known = self._state.accounts.get(account)
        folders = sorted(known.folders.items()) if known is not None else []
        return [folder.record(MailboxId(account, number)) for number, folder in folders]

    async def mailbox(self, mailbox: MailboxId) -> MailboxRecord | None:
        folder = self._state.folder(mailbox)
        return None if folder is None else folder.record(mailbox)

    async def create_mailbox(self, account: AccountId, sealed: bytes) -> MailboxRecord | None:
        known = self._state.accounts.get(account)
        return None if known is None else await self.mailbox(MailboxId(account, known.create_folder(sealed)))

    async def reseal_mailbox(self, mailbox: MailboxId, sealed: bytes) -> bool:
        folder = self._state.folder(mailbox)
        if folder is not None:
            folder.sealed = sealed
        return folder is not None

    async def delete_mailbox(self, mailbox: MailboxId, removals: Sequence[Removal]) -> bool:
        if mailbox.folder == INBOX:
            raise ValueError("INBOX stays")
        if self._state.folder(mailbox) is None:
            return False
        await self.remove(mailbox, removals)
        del self._state.accounts[mailbox.account].folders[mailbox.folder]
        return True

    # messages

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Mapping[MailboxId, Uid]]:
        return [self._deliver(delivery) for delivery in deliveries]

    def _deliver(self, delivery: Delivery) -> Mapping[MailboxId, Uid]:
        body, uids, balance = delivery.body, {}, 0
        for entry in delivery.entries:
            folder = self._state.folder(entry.mailbox)
            if folder is not None and folder.has_uids(1):
                uids[entry.mailbox] = folder.add(entry.seal, delivery.last_day, entry.charge)
                balance += entry.share
        if uids:
            self._state.bodies[body.id] = StoredBody(body.blob, body.expires, 0)
            self._state.give_share(body.id, balance)
        return uids

    async def entries(self, mailbox: MailboxId, uids: Sequence[Uid] | None = None) -> Sequence[Entry]:
        folder = self._state.folder(mailbox)
        if folder is None:
            return []
        return [folder.entries[uid] for uid in sorted(folder.entries if uids is None else folder.entries.keys() & set(uids))]

    async def uids(self, mailbox: MailboxId) -> Sequence[Uid]:
        return [entry.uid for entry in await self.entries(mailbox)]

    async def body(self, body: BodyId) -> bytes | None:
        stored = self._state.bodies.get(body)
        return None if stored is None else stored.blob

    async def reseal(self, mailbox: MailboxId, seals: Mapping[Uid, bytes]) -> Sequence[Uid]:
        changed = await self.entries(mailbox, list(seals))
        folder = self._state.folder(mailbox)
        if folder is not None:
            folder.entries.update((entry.uid, replace(entry, seal=seals[entry.uid])) for entry in changed)
        return [entry.uid for entry in changed]

    async def remove(self, mailbox: MailboxId, removals: Sequence[Removal]) -> Sequence[Uid]:
        folder = self._state.folder(mailbox)
        taken = [] if folder is None else folder.take({removal.uid: removal for removal in removals})
        self._state.take_shares(taken)
        return [removal.uid for removal in taken]

    async def exchange(
        self, mailbox: MailboxId, removals: Sequence[Removal], deliveries: Sequence[Delivery]
    ) -> Sequence[Mapping[MailboxId, Uid]]:
        await self.remove(mailbox, removals)
        return await self.deliver(deliveries)

    async def copy(self, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
        assigned = self._duplicate(source, target, duplicates)
        for duplicate in {duplicate.uid: duplicate for duplicate in duplicates if duplicate.uid in assigned}.values():
            self._state.give_share(duplicate.body, duplicate.share)
        return assigned

    async def move(self, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
        assigned = self._duplicate(source, target, duplicates)
        folder = self._state.folder(source)
        if folder is not None:
            folder.take({d.uid: Removal(d.uid, d.body, d.charge) for d in duplicates if d.uid in assigned})
        return assigned

    def _duplicate(self, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
        if source.account != target.account:
            raise ValueError("a message stays in its account")
        old, new = self._state.folder(source), self._state.folder(target)
        if old is None or new is None:
            return {}
        wanted = {duplicate.uid: duplicate for duplicate in duplicates if duplicate.uid in old.entries}
        if not new.has_uids(len(wanted)):
            return {}
        return {uid: new.add(wanted[uid].seal, old.entries[uid].expires, wanted[uid].charge) for uid in wanted}

    # time

    async def day(self) -> int:
        return self._state.day

    async def minutes(self) -> int:
        return self._state.minutes

    async def note_minutes(self, minutes: int) -> None:
        self._state.minutes = minutes

    async def next_day(self) -> int:
        self._state.day += 1
        self._state.minutes = 0
        return self._state.day

    async def expire(self) -> int:
        return self._state.expire()

    # small things

    async def put_token(self, account: AccountId, token: bytes, expires: int) -> None:
        if account in self._state.accounts:
            self._state.accounts[account].tokens[token] = expires

    async def tokens(self, account: AccountId) -> Sequence[bytes]:
        known = self._state.accounts.get(account)
        return sorted(known.tokens) if known is not None else []

    async def forget_token(self, account: AccountId, token: bytes) -> None:
        if account in self._state.accounts:
            self._state.accounts[account].tokens.pop(token, None)

    async def put_invite(self, digest: bytes, uses: int, expires: int) -> None:
        self._state.invites[digest] = (uses, expires)

    async def invite_uses(self, digest: bytes) -> int:
        return self._state.invites.get(digest, (0, 0))[0]

    async def claim_invite(self, digest: bytes, record: AccountRecord) -> bool:
        uses, expires = self._state.invites.get(digest, (0, 0))
        if uses < 1 or record.id in self._state.accounts:
            return False
        self._state.invites[digest] = (uses - 1, expires)
        self._create(record)
        return True

    async def totals(self) -> Totals:
        accounts = self._state.accounts.values()
        people = sum(account.record.expires != NEVER for account in accounts)
        return Totals(people, sum(account.entries() for account in accounts), len(self._state.bodies), 0)

    async def close(self) -> None:
        self._open = None
