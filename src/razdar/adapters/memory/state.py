# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the store in RAM holds, and the small rules that several of its methods share. Knows no coroutines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from razdar.model.ids import INBOX, UID_NEXT_MAX, AccountId, BodyId, MailboxId, Uid
from razdar.ports.store import USED_UP, AccountRecord, Entry, MailboxRecord, Recipient, Removal

BALANCE_MODULUS = 1 << 62


@dataclass(slots=True)
class Folder:
    """One mailbox with its entries, by ascending UID."""

    uid_validity: int
    sealed: bytes | None = None
    uid_next: int = 1
    used: int = 0
    entries: dict[Uid, Entry] = field(default_factory=dict)

    def record(self, mailbox: MailboxId) -> MailboxRecord:
        return MailboxRecord(mailbox, self.uid_validity, Uid(self.uid_next), len(self.entries), self.sealed)

    def has_uids(self, count: int) -> bool:
        """Whether so many messages more can be numbered."""
        return self.uid_next + count <= UID_NEXT_MAX

    def add(self, seal: bytes, expires: int, charge: int) -> Uid:
        uid = Uid(self.uid_next)
        self.uid_next += 1
        self.entries[uid] = Entry(uid, seal, expires)
        self.used += charge
        return uid

    def take(self, removals: Mapping[Uid, Removal]) -> list[Removal]:
        """Those of `removals` whose entry was there; it is gone, and its charge too."""
        taken = [removals[uid] for uid in sorted(removals) if self.entries.pop(uid, None) is not None]
        self.used = max(0, self.used - sum(removal.charge for removal in taken)) if self.entries else 0
        return taken

    def expire(self, day: int) -> int:
        before = len(self.entries)
        self.entries = {uid: entry for uid, entry in self.entries.items() if entry.expires > day}
        if before:
            self.used = -(-self.used * len(self.entries) // before)
        return before - len(self.entries)


@dataclass(slots=True)
class Account:
    """One account with its folders, INBOX among them."""

    record: AccountRecord
    folders: dict[int, Folder]
    folders_made: int = 0
    tokens: dict[bytes, int] = field(default_factory=dict)

    def recipient(self) -> Recipient:
        used = sum(folder.used for folder in self.folders.values())
        return Recipient(self.record.public_key, used if self.folders[INBOX].has_uids(1) else max(used, USED_UP))

    def create_folder(self, sealed: bytes) -> int:
        self.folders_made += 1
        self.folders[self.folders_made] = Folder(self.folders[INBOX].uid_validity + self.folders_made, sealed)
        return self.folders_made

    def entries(self) -> int:
        return sum(len(folder.entries) for folder in self.folders.values())

    def expire_tokens(self, day: int) -> int:
        before = len(self.tokens)
        self.tokens = {token: expires for token, expires in self.tokens.items() if expires > day}
        return before - len(self.tokens)


@dataclass(slots=True)
class StoredBody:
    """A blob and what is left of its readers' shares."""

    blob: bytes
    expires: int
    balance: int


@dataclass(slots=True)
class State:
    """Everything."""

    accounts: dict[AccountId, Account] = field(default_factory=dict)
    bodies: dict[BodyId, StoredBody] = field(default_factory=dict)
    invites: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    day: int = 1
    minutes: int = 0

    def folder(self, mailbox: MailboxId) -> Folder | None:
        account = self.accounts.get(mailbox.account)
        return None if account is None else account.folders.get(mailbox.folder)

    def folders(self) -> Iterator[Folder]:
        for account in self.accounts.values():
            yield from account.folders.values()

    def give_share(self, body: BodyId, share: int) -> None:
        if body in self.bodies:
            self.bodies[body].balance = (self.bodies[body].balance + share) % BALANCE_MODULUS

    def take_shares(self, removals: Sequence[Removal]) -> None:
        for body in {removal.body for removal in removals} & self.bodies.keys():
            for removal in removals:
                if removal.body == body:
                    self.give_share(body, -removal.share)
            if self.bodies[body].balance == 0:
                del self.bodies[body]

    def prolong(self, account: AccountId, expires: int) -> None:
        known = self.accounts.get(account)
        if known is not None and known.record.expires < expires:
            known.record = replace(known.record, expires=expires)

    def expire(self) -> int:
        """How many entries, bodies, accounts, tokens and invites went."""
        gone = sum(folder.expire(self.day) for folder in self.folders())
        for id_, account in list(self.accounts.items()):
            gone += account.expire_tokens(self.day)
            if account.record.expires <= self.day:
                gone += 1 + account.entries() + len(account.tokens)
                del self.accounts[id_]
        bodies = {id_: body for id_, body in self.bodies.items() if body.expires > self.day}
        invites = {digest: invite for digest, invite in self.invites.items() if invite[1] > self.day}
        gone += len(self.bodies) - len(bodies) + len(self.invites) - len(invites)
        self.bodies, self.invites = bodies, invites
        return gone
