# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parcels: a message sealed for everybody who gets it from one body, committed together with what belongs to it, and then announced.

Sealing happens before the store is asked, off the event loop when it is much. Several parcels of one commit are on stable storage together
or not at all: a message, the sender's delivery report and what goes on to other relays.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from razdar.model.address import Address
from razdar.model.ids import MailboxId, Uid
from razdar.model.message import NO_FLAGS, EntrySecret, Flag
from razdar.policy.quota import charge
from razdar.policy.retention import entry_expiry, message_expiry
from razdar.ports.bus import Added, Bus
from razdar.ports.clock import Clock, Entropy
from razdar.ports.crew import Crew
from razdar.ports.store import Body, Delivery, Entry, NewEntry, Removal, Store
from razdar.services.calendar import Calendar
from razdar.services.randomness import random_body_id, random_share
from razdar.settings import Settings
from razdar.vault.body import encrypt_body
from razdar.vault.seal import seal

INLINE_SEALS = 4  # 67 µs each: less than handing them to a thread costs
INLINE_BYTES = 65_536
Member = tuple[Address | None, MailboxId, bytes]
"""Whose it is (None: nobody who must be told of as missed), the mailbox, and the public key that its seals are made for."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is about to be committed, and what the bus will tell afterwards."""

    delivery: Delivery
    addresses: Sequence[Address | None]
    """Of each entry."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What entries carry from the beginning."""

    flags: Flag = NO_FLAGS
    keywords: int = 0
    date: int | None = None
    """Unix seconds; None: now."""


NO_MARKS = Marks()


class Parcels:
    """Seals and commits."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        crew: Crew,
        clock: Clock,
        entropy: Entropy,
        calendar: Calendar,
        settings: Callable[[], Settings],
    ) -> None:
        self._store = store
        self._bus = bus
        self._crew = crew
        self._clock = clock
        self._entropy = entropy
        self._calendar = calendar
        self._settings = settings

    async def seal(self, members: Sequence[Member], message: bytes, days: int | None = None, marks: Marks = NO_MARKS) -> Parcel:
        """One body and an entry for each member. They go after `days` relay days; None: as messages in mailboxes do. Raises `CrewBusy`."""
        size, today = len(message), self._calendar.day
        if days is None:
            expires, last_day = message_expiry(today, size, self._settings()), entry_expiry(today, self._settings())
        else:
            expires = last_day = today + 1 + days
        body = random_body_id(self._entropy)
        content_key = self._entropy(32)
        date = self._clock.now() if marks.date is None else marks.date
        quota = self._settings().quota_bytes

        def work() -> Delivery:
            blob = encrypt_body(content_key, message)
            entries = []
            for _, mailbox, public_key in members:
                units, share = charge(size, quota, self._entropy(4)), random_share(self._entropy)
                secret = EntrySecret(body, content_key, size, date, marks.flags, marks.keywords, units, share)
                entries.append(NewEntry(mailbox, seal(public_key, secret), units, share))
            return Delivery(Body(body, blob, expires), entries, last_day)

        if len(members) <= INLINE_SEALS and size <= INLINE_BYTES:
            delivery = work()
        else:
            delivery = await self._crew.run(work)
        return Parcel(delivery, [address for address, _, _ in members])

    async def commit(self, parcels: Sequence[Parcel]) -> list[Address]:
        """Everything is on disk, and whoever waits has been told. Returns the addresses whose account went away meanwhile.

        Raises `StoreUnavailable`; then nothing of it has happened.
        """
        return self._announce_all(parcels, await self._store.deliver([parcel.delivery for parcel in parcels]))

    async def exchange(
        self, mailbox: MailboxId, removals: Sequence[Removal], parcels: Sequence[Parcel]
    ) -> Sequence[Mapping[MailboxId, Uid]]:
        """As `commit`, and these entries of `mailbox` are gone with it. Returns the new UIDs of each parcel."""
        assigned = await self._store.exchange(mailbox, removals, [parcel.delivery for parcel in parcels])
        self._announce_all(parcels, assigned)
        return assigned

    def _announce_all(self, parcels: Sequence[Parcel], assigned: Sequence[Mapping[MailboxId, Uid]]) -> list[Address]:
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
