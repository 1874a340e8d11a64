"""Puts one message into the mailboxes of everybody here who may get it, sealed once, in one transaction.

**One bad recipient never silences a group** (docs/interop.md): whoever cannot receive costs the others nothing; the sender finds a delivery
report in the own mailbox, committed together with the message. Only when nobody at all can receive is the message refused; the sender's own
copy for the other devices does not count as somebody, because a refusal is the one notice that every client shows.

A shortage of ours (no time to look somebody up, the budget for unknown names used up) is nobody's state: the whole message is refused for
now, before anything is stored, and the client comes again. Whoever was looked up by then is known the next time.

Room in a mailbox is taken from the moment it was checked, so that many messages at once do not all fill the same room.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from razdar.model.address import Address
from razdar.model.ids import AccountId, MailboxId, Uid
from razdar.model.message import EntrySecret
from razdar.model.verdict import Refusal
from razdar.policy.quota import ShareBook, charge, is_full
from razdar.policy.rate import RateBook
from razdar.policy.retention import entry_expiry, message_expiry
from razdar.ports.bus import Added, Bus
from razdar.ports.clock import Clock, Entropy
from razdar.ports.crew import Crew, CrewBusy
from razdar.ports.store import Body, Delivery, Entry, NewEntry, Recipient, Store, StoreUnavailable
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
BUSY_TRIES, BUSY_PAUSE_S = 10, 0.2  # a busy crew is through with its queue in less than a second
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
    shortage: Refusal | None = None
    """Why somebody who may well exist could not be looked up now."""


class _UnderWay:
    """Bytes that were promised room and are not committed yet, by recipient, and by recipient and sender.

    What is committed while the store looks up a large audience is missed by that look; so much, at most, goes over the quota.
    """

    def __init__(self) -> None:
        self._bytes: Counter[tuple[AccountId, AccountId | None]] = Counter()

    def to(self, recipient: AccountId, sender: AccountId | None = None) -> int:
        return self._bytes[recipient, sender]

    def add(self, recipient: AccountId, sender: AccountId, size_bytes: int) -> None:
        """Also with a negative size, when it has arrived or failed."""
        for key in ((recipient, None), (recipient, sender)):
            self._bytes[key] += size_bytes
            if not self._bytes[key]:
                del self._bytes[key]


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
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
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
        self._pause = pause
        self._under_way = _UnderWay()

    @property
    def is_full(self) -> bool:
        """Whether there is no disk space for any message at this moment."""
        return self._store.is_full

    async def __call__(self, sender: Sender, recipients: Sequence[Address], message: bytes) -> Refusal | None:
        """None: the message is on stable storage for everyone who can receive it. Raises `StoreUnavailable`, `CrewBusy`."""
        if not await self._store.recipients([sender.account]):
            return replies.AUTH_REQUIRED  # the account went away behind an open session
        audience = _Audience()
        try:
            await self._gather(sender, list(dict.fromkeys(recipients)), len(message), audience)
            if audience.shortage is not None:
                return audience.shortage
            if audience.failures and all(account == sender.account for _, account, _ in audience.members):
                return _why_nobody(sender, audience.failures)
            return await self._hand_over(sender, audience, message)
        finally:
            for _, account, _ in audience.members:
                self._under_way.add(account, sender.account, -len(message))

    async def _hand_over(self, sender: Sender, audience: _Audience, message: bytes) -> Refusal | None:
        members = [(address, MailboxId(account), known.public_key) for address, account, known in audience.members]
        parcels = [await self._seal(members, message)]
        parcels += await self._reports(sender, audience.failures, message)
        await self._store.keep_account(sender.account)
        missed = await self._commit(parcels)
        others = [account for address, account, _ in audience.members if account != sender.account and address not in missed]
        for account in others:
            self._shares.add(account, sender.account, len(message))
        self._wake(others)
        if missed and not others:
            return replies.NO_SUCH_USER
        if missed:  # deleted between the look-up and the commit; the message is accepted, with or without a word on that
            with suppress(StoreUnavailable, CrewBusy):
                await self._commit(await self._reports(sender, [(address, replies.NO_SUCH_USER) for address in missed], message))
        return None

    # who can receive

    async def _gather(self, sender: Sender, recipients: Sequence[Address], size_bytes: int, audience: _Audience) -> None:
        """The audience is complete, and each member has room for the message, held until it is committed or given up."""
        local = [address for address in recipients if address.domain == self._domain]
        audience.failures += [(address, replies.NOT_REACHABLE) for address in recipients if address.domain != self._domain]
        warm = {address: None for address in local if self._directory.known(address)}
        cold = [address for address in local if address not in warm]
        await self._admit(sender, list(warm), size_bytes, audience, is_cold=False)
        for start in range(0, len(cold), LOOKUPS_AT_ONCE):
            # A cold look-up costs 4 ms, so guessing names has a budget.
            if not self._unknowns.has(sender.account, self._clock.monotonic()):
                audience.shortage = replies.TOO_MANY_UNKNOWN
                return
            await self._admit(sender, cold[start : start + LOOKUPS_AT_ONCE], size_bytes, audience, is_cold=True)

    async def _admit(self, sender: Sender, addresses: Sequence[Address], size_bytes: int, audience: _Audience, *, is_cold: bool) -> None:
        accounts = await self._identify(addresses)
        if len(accounts) < len(addresses):
            audience.shortage = replies.STORE_UNAVAILABLE
        existing = await self._store.recipients(list(accounts.values()))
        for address, account in accounts.items():
            known = existing.get(account)
            if known is None:
                if is_cold:
                    self._unknowns.take(sender.account, self._clock.monotonic())
                audience.failures.append((address, replies.NO_SUCH_USER))
            elif not self._has_room(sender, account, known, size_bytes):
                audience.failures.append((address, replies.MAILBOX_FULL))
            else:
                audience.members.append((address, account, known))
                self._under_way.add(account, sender.account, size_bytes)

    async def _identify(self, addresses: Sequence[Address]) -> dict[Address, AccountId]:
        """Account ids; without those for which the crew had no time, although it was asked for a while."""
        accounts: dict[Address, AccountId] = {}
        for attempt in range(BUSY_TRIES):
            missing = [address for address in addresses if address not in accounts]
            found = await asyncio.gather(*(self._directory.identify(address) for address in missing), return_exceptions=True)
            for address, answer in zip(missing, found, strict=True):
                if isinstance(answer, bytes):
                    accounts[address] = answer
                elif not isinstance(answer, CrewBusy):
                    raise answer
            if len(accounts) == len(addresses):
                break
            if attempt < BUSY_TRIES - 1:
                await self._pause(BUSY_PAUSE_S)
        return accounts

    def _has_room(self, sender: Sender, account: AccountId, known: Recipient, size_bytes: int) -> bool:
        settings = self._settings()
        if is_full(known.used, size_bytes + self._under_way.to(account), settings.quota_bytes):
            return False
        size_bytes += self._under_way.to(account, sender.account)
        return self._shares.may_fill(account, sender.account, size_bytes, settings.quota_bytes, settings.sender_share)

    # sealing

    async def _seal(self, members: Sequence[tuple[Address | None, MailboxId, bytes]], message: bytes) -> _Parcel:
        size = len(message)
        expires = message_expiry(self._calendar.day, size, self._settings())
        last_day = entry_expiry(self._calendar.day, self._settings())
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
            return Delivery(Body(body, blob, expires), entries, last_day)

        if len(members) <= INLINE_SEALS and size <= INLINE_BYTES:
            delivery = work()
        else:
            delivery = await self._crew.run(work)
        return _Parcel(delivery, [address for address, _, _ in members])

    async def _reports(self, sender: Sender, failures: Sequence[Failure], message: bytes) -> list[_Parcel]:
        """One report on everybody who was missed, or none: about the sender's own copy, or into a mailbox that is full, there is none."""
        failures = [failure for failure in failures if failure[0] != sender.address]
        known = (await self._store.recipients([sender.account])).get(sender.account) if failures else None
        if known is None:
            return []
        report = delivery_report(
            reporting_domain=self._domain,
            to=sender.address,
            failed=failures,
            original=message,
            now=self._clock.now(),
            nonce=self._entropy(12).hex(),
        )
        if is_full(known.used, len(report) + self._under_way.to(sender.account), self._settings().quota_bytes):
            return []
        return [await self._seal([(None, MailboxId(sender.account), sender.public_key)], report)]

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
                    self._announce(entry, uid, parcel.delivery.last_day)
        return missed

    def _announce(self, entry: NewEntry, uid: Uid, expires: int) -> None:
        self._bus.publish(entry.mailbox, Added((Entry(uid, entry.seal, expires),)))


def _why_nobody(sender: Sender, failures: Sequence[Failure]) -> Refusal:
    """Temporary if one of them may receive later; else what they have in common."""
    reasons = [refusal for address, refusal in failures if address != sender.address] or [refusal for _, refusal in failures]
    later = next((refusal for refusal in reasons if refusal.is_temporary), None)
    return later or (reasons[0] if len(set(reasons)) == 1 else replies.NO_RECIPIENT)
