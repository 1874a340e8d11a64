# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts one message into the mailboxes of everybody here who may get it, sealed once, and on its way to everybody elsewhere, in one
transaction.

**One bad recipient never silences a group** (docs/interop.md): whoever cannot receive costs the others nothing; the sender finds a delivery
report in the own mailbox, committed together with the message. Only when nobody at all can receive is the message refused; the sender's own
copy for the other devices does not count as somebody, because a refusal is the one notice that every client shows.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from razdar.model.address import Address
from razdar.model.ids import AccountId, MailboxId
from razdar.model.verdict import Refusal
from razdar.policy.quota import ShareBook, is_full
from razdar.ports.crew import CrewBusy
from razdar.ports.store import Store, StoreUnavailable
from razdar.services.audience import Audience, Failure, Gatherer, Origin, why_nobody
from razdar.services.parcels import Parcel, Parcels
from razdar.services.reporter import Reporter
from razdar.settings import Settings
from razdar.wire.smtp import replies


@dataclass(frozen=True, slots=True)
class Sender:
    """A local account that sends, and so can be told what failed."""

    address: Address
    account: AccountId
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Packed:
    """What has to be committed so that a message goes on to other relays, and who cannot be reached there."""

    parcels: Sequence[Parcel] = ()
    failures: Sequence[Failure] = ()


class Onward(Protocol):
    """The way to other relays (services/outbound.py)."""

    async def pack(self, sender: Sender, recipients: Sequence[Address], message: bytes) -> Packed | Refusal:
        """Ready to be committed, or why the whole message cannot be taken now. Raises `StoreUnavailable`, `CrewBusy`."""

    def committed(self, sender: Sender, parcels: Sequence[Parcel]) -> None:
        """What was packed is on stable storage."""


class Deliver:
    """Delivery of what people of this relay send."""

    def __init__(
        self,
        store: Store,
        gatherer: Gatherer,
        parcels: Parcels,
        onward: Onward,
        reporter: Reporter,
        shares: ShareBook,
        settings: Callable[[], Settings],
        domain: str,
        wake: Callable[[Sequence[AccountId]], None],
    ) -> None:
        self._store = store
        self._gatherer = gatherer
        self._parcels = parcels
        self._onward = onward
        self._reporter = reporter
        self._shares = shares
        self._settings = settings
        self._domain = domain
        self._wake = wake

    @property
    def is_full(self) -> bool:
        """Whether there is no disk space for any message at this moment."""
        return self._store.is_full

    async def __call__(self, sender: Sender, recipients: Sequence[Address], message: bytes) -> Refusal | None:
        """None: the message is on stable storage for everyone who can receive it. Raises `StoreUnavailable`, `CrewBusy`."""
        if not await self._store.recipients([sender.account]):
            return replies.AUTH_REQUIRED  # the account went away behind an open session
        if self._gatherer.is_blocked(sender.account):
            return replies.BLOCKED
        addresses = list(dict.fromkeys(recipients))
        local = [address for address in addresses if address.domain == self._domain]
        others = [address for address in addresses if address.domain != self._domain]
        origin, audience = Origin(sender.account, sender.account), Audience()
        try:
            await self._gatherer.gather(origin, local, len(message), audience)
            if audience.shortage is not None:
                return audience.shortage
            packed = await self._onward.pack(sender, others, message) if others else Packed()
            if isinstance(packed, Refusal):
                return packed
            onward = packed.parcels
            audience.failures += packed.failures
            if not onward and audience.failures and all(account == sender.account for _, account, _ in audience.members):
                return _why_nobody(sender, audience.failures)
            return await self._hand_over(sender, audience, onward, message)
        finally:
            self._gatherer.release(origin, audience, len(message))

    async def _hand_over(self, sender: Sender, audience: Audience, onward: Sequence[Parcel], message: bytes) -> Refusal | None:
        members = [(address, MailboxId(account), known.public_key) for address, account, known in audience.members]
        parcels = [await self._parcels.seal(members, message)] if members else []
        parcels += [*onward, *await self._reports(sender, audience.failures, message)]
        await self._store.keep_account(sender.account)
        missed = await self._parcels.commit(parcels)
        self._onward.committed(sender, onward)
        others = [account for address, account, _ in audience.members if account != sender.account and address not in missed]
        for account in others:
            self._shares.add(account, sender.account, len(message))
        self._wake(others)
        if missed and not others and not onward:
            return replies.NO_SUCH_USER
        if missed:  # deleted between the look-up and the commit; the message is accepted, with or without a word on that
            with suppress(StoreUnavailable, CrewBusy):
                await self._parcels.commit(await self._reports(sender, [(address, replies.NO_SUCH_USER) for address in missed], message))
        return None

    async def _reports(self, sender: Sender, failures: Sequence[Failure], message: bytes) -> list[Parcel]:
        """One report on everybody who was missed, or none: about the sender's own copy, or into a mailbox that is full, there is none."""
        failures = [failure for failure in failures if failure[0] != sender.address]
        known = (await self._store.recipients([sender.account])).get(sender.account) if failures else None
        if known is None:
            return []
        report = self._reporter(sender.address, failures, message)
        if is_full(known.used, len(report) + self._gatherer.held(sender.account), self._settings().quota_bytes):
            return []
        return [await self._parcels.seal([(None, MailboxId(sender.account), sender.public_key)], report)]


def _why_nobody(sender: Sender, failures: Sequence[Failure]) -> Refusal:
    """What keeps the sender's own copy back counts only if there is nobody else."""
    return why_nobody([refusal for address, refusal in failures if address != sender.address] or [refusal for _, refusal in failures])
