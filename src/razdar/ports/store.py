# SPDX-License-Identifier: AGPL-3.0-or-later
"""The sealed store as the use cases see it.

Every method is a coroutine, because the writer may live in another thread today and in another process tomorrow. Arguments and results
are plain values. A method that changes something returns only after the change is on stable storage (fsync). If it could not be made
durable it raises `StoreFull` or `StoreUnavailable` and nothing of it has happened.

The store never sees an address, a password, a subject, a private key or a message in clear: what comes in is sealed (vault/).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from razdar.model.ids import AccountId, BodyId, MailboxId, Uid

USED_UP = 65
"""Units above the whole of any quota (policy/quota.py): what `Recipient.used` is at least when INBOX has no UID left."""
NEVER = 2**62
"""A relay day that does not come. An account with it is the relay's own (services/outbound.py), not a person's, and not counted as one."""


class StoreUnavailable(Exception):  # noqa: N818 - a state of the store, named like one
    """The change could not be made durable. Temporary from the peer's point of view (SMTP 451, IMAP NO)."""


class StoreFull(StoreUnavailable):
    """The disk is full. Deleting still works, because some space is kept in reserve (SMTP 452, IMAP NO [OVERQUOTA])."""


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """All that is kept of an account besides its mailboxes. There is no password hash: success is that `locked_key` opens."""

    id: AccountId
    salt: bytes
    """16 random bytes for Argon2id."""
    public_key: bytes
    """32 bytes, X25519: what deliveries are sealed to."""
    locked_key: bytes
    """The private key under AEAD with a key derived from the password."""
    expires: int
    """Relay day on which the account goes if nobody logs in; coarse (policy/retention.py)."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a delivery needs to know of an account."""

    public_key: bytes
    used: int
    """Quota units in use, coarse (policy/quota.py); `USED_UP` or more when nothing can be delivered any more."""


@dataclass(frozen=True, slots=True)
class MailboxRecord:
    """One folder. `sealed` holds name, keywords and subscription for the account's key (vault/folder.py); None: an INBOX without any."""

    id: MailboxId
    uid_validity: int
    uid_next: Uid
    messages: int
    """How many entries there are. Filled in by `mailboxes` and `mailbox`."""
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One message in one mailbox, as it lies on disk."""

    uid: Uid
    seal: bytes
    """`vault.seal.SEAL_BYTES` bytes, always."""
    expires: int
    """Relay day on which it goes; its body may go earlier (`Delivery.entries_expire`)."""


@dataclass(frozen=True, slots=True)
class Body:
    """The encrypted, padded message, stored once for all of its local recipients."""

    id: BodyId
    blob: bytes
    expires: int


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be; the writer assigns the UID at commit."""

    mailbox: MailboxId
    seal: bytes
    charge: int
    """Quota units to add to the account."""
    share: int = 1
    """Added to the body's balance; see `Removal.share`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One body and everyone who gets it."""

    body: Body
    entries: Sequence[NewEntry]
    entries_expire: int = 0
    """Relay day on which the entries go, if that is later than their body's. Entries of large messages stay as long as others: a day of
    their own would tell who got the same large message (docs/storage.md, linkage)."""

    @property
    def last_day(self) -> int:
        """Relay day on which the entries go."""
        return max(self.body.expires, self.entries_expire)


@dataclass(frozen=True, slots=True)
class Removal:
    """An entry to delete, with what only the opened seal tells: which body loses a reader and how many quota units come back."""

    uid: Uid
    body: BodyId
    charge: int
    share: int = 1
    """What the entry brought into its body's balance; the body goes when the balance is 0 (modulo 2**62).

    Random shares make the balance a random number: it counts the readers down without telling how many there are. With 1 it is a plain
    count.
    """


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An entry to put into another mailbox of the same account (IMAP COPY and MOVE), sealed anew."""

    uid: Uid
    """In the source mailbox."""
    body: BodyId
    seal: bytes
    charge: int
    """Quota units that the copy is charged with; for a move the same as before."""
    share: int = 1
    """A copy adds a new share to the body's balance; a move must give the share that the entry has."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts for the operator; nothing per account."""

    accounts: int
    """Of people: those whose day is not `NEVER`."""
    entries: int
    bodies: int
    disk_bytes: int
    """Size of the database and its log."""


class Store(Protocol):
    """One store, one owner process."""

    @property
    def is_full(self) -> bool:
        """Whether whatever grows would be refused with `StoreFull` at this moment. Costs nothing to ask."""

    # accounts

    async def create_account(self, record: AccountRecord, uid_validity: int = 0) -> AccountRecord:
        """The account exists, with an empty INBOX. Returns the stored record: that of an earlier creator if there was one.

        `uid_validity` is that of INBOX; 0: a fresh one. A store may hold an account back from stable storage until its first use
        (services/newcomers.py).
        """

    async def keep_account(self, account: AccountId) -> None:
        """If the account exists it is on stable storage now."""

    async def account(self, account: AccountId) -> AccountRecord | None:
        """The record, or None."""

    async def replace_login(self, account: AccountId, salt: bytes, locked_key: bytes) -> bool:
        """From now on only the new password opens the account; waiting mail stays readable. False if there is no such account."""

    async def prolong_account(self, account: AccountId, expires: int) -> None:
        """The account stays at least until relay day `expires`; an earlier day changes nothing."""

    async def delete_account(self, account: AccountId) -> bool:
        """Account, mailboxes, entries and push tokens are gone; bodies go when their time is over. False if there was none."""

    async def recipients(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Recipient]:
        """Those of `accounts` that exist."""

    # mailboxes

    async def mailboxes(self, account: AccountId) -> Sequence[MailboxRecord]:
        """All folders in ascending order of folder number, INBOX first; empty if there is no such account."""

    async def mailbox(self, mailbox: MailboxId) -> MailboxRecord | None:
        """One folder, or None."""

    async def create_mailbox(self, account: AccountId, sealed: bytes) -> MailboxRecord | None:
        """A new empty folder. Number and UIDVALIDITY are higher than those of any earlier one of this account. None: no such account."""

    async def reseal_mailbox(self, mailbox: MailboxId, sealed: bytes) -> bool:
        """The folder has this sealed name, keyword list and subscription now. False if there is no such folder."""

    async def delete_mailbox(self, mailbox: MailboxId, removals: Sequence[Removal]) -> bool:
        """The folder and its entries are gone, never INBOX (ValueError). `removals` releases bodies and quota as in `remove`."""

    # messages

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Mapping[MailboxId, Uid]]:
        """All deliveries in one transaction: for each the UIDs that its entries got, without mailboxes that no longer exist or whose
        UIDs are used up (`UID_NEXT_MAX`).

        A body without any entry left is not stored. Entries for one mailbox get ascending UIDs in the order given.
        """

    async def entries(self, mailbox: MailboxId, uids: Sequence[Uid] | None = None) -> Sequence[Entry]:
        """All entries, or those of `uids` that exist, by ascending UID."""

    async def uids(self, mailbox: MailboxId) -> Sequence[Uid]:
        """UIDs of all entries, ascending."""

    async def body(self, body: BodyId) -> bytes | None:
        """The blob, or None if it is gone."""

    async def reseal(self, mailbox: MailboxId, seals: Mapping[Uid, bytes]) -> Sequence[Uid]:
        """These entries have new seals (changed flags). Returns the UIDs that still existed; the others are left alone."""

    async def remove(self, mailbox: MailboxId, removals: Sequence[Removal]) -> Sequence[Uid]:
        """These entries are gone; each body that lost its last reader too. Returns the UIDs that this call removed."""

    async def exchange(
        self, mailbox: MailboxId, removals: Sequence[Removal], deliveries: Sequence[Delivery]
    ) -> Sequence[Mapping[MailboxId, Uid]]:
        """These entries of `mailbox` are gone, as by `remove`, and the deliveries are there, in one transaction. Answers as `deliver`."""

    async def copy(self, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
        """Source UID → UID in `target` for every entry that still existed. Bodies are shared and keep their day."""

    async def move(self, source: MailboxId, target: MailboxId, duplicates: Sequence[Duplicate]) -> Mapping[Uid, Uid]:
        """As `copy`, and the source entries are gone in the same transaction."""

    # time

    async def day(self) -> int:
        """The relay day: a stored counter, starting at 1. It knows no calendar."""

    async def minutes(self) -> int:
        """How much of the present relay day has passed, as it was noted last."""

    async def note_minutes(self, minutes: int) -> None:
        """So much of the present relay day has passed."""

    async def next_day(self) -> int:
        """The counter is one higher, and nothing of that day has passed; returns the counter."""

    async def expire(self) -> int:
        """Entries, bodies, accounts, tokens and invites whose day has come are gone; returns how many rows went.

        `expires <= day` means the day has come. `used` of an account shrinks in proportion, to 0 when nothing waits.
        """

    # small things

    async def put_token(self, account: AccountId, token: bytes, expires: int) -> None:
        """The opaque push token is kept for the account (renewed if it was there)."""

    async def tokens(self, account: AccountId) -> Sequence[bytes]:
        """Push tokens of the account."""

    async def forget_token(self, account: AccountId, token: bytes) -> None:
        """The token is gone."""

    async def put_invite(self, digest: bytes, uses: int, expires: int) -> None:
        """An invite whose token has this digest can be claimed `uses` times."""

    async def invite_uses(self, digest: bytes) -> int:
        """How many uses are left; 0 if there is no such invite."""

    async def claim_invite(self, digest: bytes, record: AccountRecord) -> bool:
        """One use is taken and the account created, in one transaction.

        False, and nothing happened, if there is no use left or the account exists.
        """

    async def totals(self) -> Totals:
        """Counts, for `status`."""

    async def close(self) -> None:
        """Everything is on disk and the store is released."""
