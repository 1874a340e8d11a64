"""Puts one message into the mailboxes of everybody here who may get it, sealed once, in one transaction.

**One bad recipient never silences a group** (docs/interop.md): whoever cannot receive costs the others nothing; the sender finds a delivery
report in the own mailbox, committed together with the message. Only when nobody at all can receive is the message refused; the sender's own
copy for the other devices does not count as somebody, because a refusal is the one notice that every client shows.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from razdar.model.address import Address
from razdar.model.ids import AccountId, MailboxId, Uid
from razdar.model.message import EntrySecret
from razdar.model.verdict import Refusal
from razdar.policy.quota import ShareBook, charge, is_full
from razdar.policy.rate import RateBook
from razdar.policy.retention import message_expiry
from razdar.ports.bus import Added, Bus
from razdar.ports.clock import Clock, Entropy
from razdar.ports.crew import Crew, CrewBusy
from razdar.ports.store import Body, Delivery, Entry, NewEntry, Recipient, Store
from razdar.services.calendar import Calendar
from razdar.services.directory import Directory
from razdar.services.randomness import random_body_id, random_share
from razdar.settings import Settings
from razdar.vault.body import encrypt_body
from razdar.vault.seal import seal
from razdar.wire.report import delivery_report
from razdar.wire.smtp import replies

INLINE_SEALS = 4  # 67 µs each: less than handing them to a thread costs
INLINE_BYTES = 65_536
LOOKUPS_AT_ONCE = 16
Failure = tuple[Address, Refusal]


@dataclass(frozen=True, slots=True)
class Sender:
    """A local account that sends, and so can be told what failed."""

    address: Address
    account: AccountId
    public_key: bytes


@dataclass(slots=True)
class _Audience:
    """Who gets the message and who does not."""

    members: list[tuple[Address, AccountId, Recipient]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What is about to be committed, and what the bus will tell afterwards."""

    delivery: Delivery
    addresses: Sequence[Address | None]


class Deliver:
    """Delivery to local mailboxes."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        calendar: Calendar,
        bus: Bus,
        crew: Crew,
        clock: Clock,
        entropy: Entropy,
        shares: ShareBook,
        unknowns: RateBook,
        settings: Callable[[], Settings],
        domain: str,
        wake: Callable[[Sequence[AccountId]], None],
    ) -> None:
        self._store = store
        self._directory = directory
        self._calendar = calendar
        self._bus = bus
        self._crew = crew
        self._clock = clock
        self._entropy = entropy
        self._shares = shares
        self._unknowns = unknowns
        self._settings = settings
        self._domain = domain
        self._wake = wake

    async def __call__(self, sender: Sender, recipients: Sequence[Address], message: bytes) -> Refusal | None:
        """None: the message is on stable storage for everyone who can receive it. Raises `StoreUnavailable`."""
        audience = await self._gather(sender, list(dict.fromkeys(recipients)), len(message))
        if audience.failures and all(account == sender.account for _, account, _ in audience.members):
            return audience.failures[0][1] if len(audience.failures) == 1 else replies.NO_RECIPIENT
        members = [(address, MailboxId(account), known.public_key) for address, account, known in audience.members]
        parcels = [await self._seal(members, message)]
        if audience.failures:
            parcels.append(await self._report(sender, audience.failures, message))
        missed = await self._commit(parcels)
        others = [account for _, account, _ in audience.members if account != sender.account]
        for account in others:
            self._shares.add(account, sender.account, len(message))
        self._wake(others)
        if missed:  # deleted between the look-up and the commit
            await self._commit([await self._report(sender, [(address, replies.NO_SUCH_USER) for address in missed], message)])
        return None

    # who can receive

    async def _gather(self, sender: Sender, recipients: Sequence[Address], size_bytes: int) -> _Audience:
        audience = _Audience()
        local = [address for address in recipients if address.domain == self._domain]
        audience.failures += [(address, replies.NOT_REACHABLE) for address in recipients if address.domain != self._domain]
        accounts = await self._identify(sender, local, audience)
        existing = await self._store.recipients(list(accounts.values()))
        for address, account in accounts.items():
            known = existing.get(account)
            refusal = self._cannot_receive(sender, account, known, size_bytes)
            if refusal is not None:
                audience.failures.append((address, refusal))
            elif known is not None:
                audience.members.append((address, account, known))
            if known is None:
                self._unknowns.take(sender.account, self._clock.monotonic())
        return audience

    async def _identify(self, sender: Sender, local: Sequence[Address], audience: _Audience) -> dict[Address, AccountId]:
        """Account ids of all whom this sender may look up. Cold look-ups cost 4 ms each, so guessing names has a budget."""
        accounts = {}
        cold = []
        for address in local:
            account = self._directory.known(address)
            if account is None:
                cold.append(address)
            else:
                accounts[address] = account
        for start in range(0, len(cold), LOOKUPS_AT_ONCE):
            batch = cold[start : start + LOOKUPS_AT_ONCE]
            if not self._unknowns.has(sender.account, self._clock.monotonic()):
                audience.failures += [(address, replies.TOO_MANY_UNKNOWN) for address in cold[start:]]
                break
            found = await asyncio.gather(*(self._directory.identify(address) for address in batch), return_exceptions=True)
            for address, answer in zip(batch, found, strict=True):
                if isinstance(answer, CrewBusy):
                    audience.failures.append((address, replies.BUSY))
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    accounts[address] = answer
        return accounts

    def _cannot_receive(self, sender: Sender, account: AccountId, known: Recipient | None, size_bytes: int) -> Refusal | None:
        settings = self._settings()
        if known is None:
            return replies.NO_SUCH_USER
        if account == sender.account:
            return replies.MAILBOX_FULL if is_full(known.used, size_bytes, settings.quota_bytes) else None
        if is_full(known.used, size_bytes, settings.quota_bytes):
            return replies.MAILBOX_FULL
        if not self._shares.may_fill(account, sender.account, size_bytes, settings.quota_bytes, settings.sender_share):
            return replies.MAILBOX_FULL
        return None

    # sealing

    async def _seal(self, members: Sequence[tuple[Address | None, MailboxId, bytes]], message: bytes) -> _Parcel:
        size = len(message)
        expires = message_expiry(self._calendar.day, size, self._settings())
        body = random_body_id(self._entropy)
        content_key = self._entropy(32)
        now = self._clock.now()
        quota = self._settings().quota_bytes

        def work() -> Delivery:
            blob = encrypt_body(content_key, message)
            entries = []
            for _, mailbox, public_key in members:
                units, share = charge(size, quota, self._entropy(4)), random_share(self._entropy)
                secret = EntrySecret(body, content_key, size, now, charge=units, share=share)
                entries.append(NewEntry(mailbox, seal(public_key, secret), units, share))
            return Delivery(Body(body, blob, expires), entries)

        if len(members) <= INLINE_SEALS and size <= INLINE_BYTES:
            delivery = work()
        else:
            delivery = await self._crew.run(work)
        return _Parcel(delivery, [address for address, _, _ in members])

    async def _report(self, sender: Sender, failures: Sequence[Failure], message: bytes) -> _Parcel:
        report = delivery_report(
            reporting_domain=self._domain,
            to=sender.address,
            failed=failures,
            original=message,
            now=self._clock.now(),
            nonce=self._entropy(12).hex(),
        )
        return await self._seal([(None, MailboxId(sender.account), sender.public_key)], report)

    # committing

    async def _commit(self, parcels: Sequence[_Parcel]) -> list[Address]:
        """Everything is on disk, and devices that wait have been told. Returns the addresses whose account went away meanwhile."""
        assigned = await self._store.deliver([parcel.delivery for parcel in parcels])
        missed = []
        for parcel, uids in zip(parcels, assigned, strict=True):
            for address, entry in zip(parcel.addresses, parcel.delivery.entries, strict=True):
                uid = uids.get(entry.mailbox)
                if uid is None:
                    missed += [address] if address is not None else []
                else:
                    self._announce(entry, uid, parcel.delivery.body.expires)
        return missed

    def _announce(self, entry: NewEntry, uid: Uid, expires: int) -> None:
        self._bus.publish(entry.mailbox, Added((Entry(uid, entry.seal, expires),)))
