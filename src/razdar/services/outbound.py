# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail for other relays is packed for the queue: grouped by domain, signed once, sealed once, one entry for each domain.

It is committed together with the local deliveries of the same message, so `250` means the same for everybody. What can certainly never go
is refused at once: names outside DNS that nobody entered, addresses that are none. What becomes of the rest is workers/outbound.py's.

Entries and bodies of the queue get a day far away: the store must not drop what somebody has to be told about. When the time of a message
is over is decided by the worker, in relay days from the day it was queued on, which is that far day less the distance.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from razdar.model.address import Address, parse_address
from razdar.model.message import Flag
from razdar.model.verdict import Refusal
from razdar.policy.queue_room import QueueRoom
from razdar.policy.rate import RateBook
from razdar.ports.clock import Clock
from razdar.ports.crew import Crew
from razdar.ports.resolver import PeerBook
from razdar.services.audience import Failure
from razdar.services.deliver import Packed, Sender
from razdar.services.off_loop import off_loop
from razdar.services.parcels import Marks, Parcel, Parcels
from razdar.services.queue_folders import PeerFolder, QueueFolders
from razdar.services.queued import KEY_BYTES, Author, Queued, by_domain, wrap
from razdar.settings import Settings
from razdar.wire.smtp import replies

ENTRY_DAYS = 3_650
"""Ten years; `queue_known_days` is below."""
TOLD = Flag.ANSWERED
"""In an entry's seal: its sender was told that it takes long."""
OUTSIDE_DNS = ("alt", "onion", "invalid", "localhost")
"""RFC 9476, RFC 7686, RFC 6761: nobody can look these up."""
REPORTS_WAITING = 1_000
"""Reports are not packed for a relay that so many messages wait for: whoever does not fetch them wants something else of us."""
INLINE_BYTES = 65_536
"""What is larger is signed off the event loop."""
Look = Callable[[str], Awaitable[Refusal | None]]
"""Why nobody of a domain that is new here can be reached, if that is certain (services/first_look.py)."""
Sign = Callable[[bytes], bytes]
"""The message with our DKIM signature before it."""


def queued_day(expires: int) -> int:
    """The relay day on which an entry with this day was queued."""
    return expires - 1 - ENTRY_DAYS


def lane(queued: Queued) -> int:
    """Messages with the same number stay in order; 32 bits that stand in the seal, so that a body need not be opened for it."""
    return int.from_bytes(queued.author.account[:4], "big") if queued.author is not None else 0


class Outbound:
    """The way into the queue. Implements `services.deliver.Onward` and `services.receive.Postbox`."""

    def __init__(
        self,
        folders: QueueFolders,
        parcels: Parcels,
        room: QueueRoom,
        peers: PeerBook,
        unknowns: RateBook,
        look: Look,
        sign: Sign,
        crew: Crew,
        clock: Clock,
        settings: Callable[[], Settings],
    ) -> None:
        self._folders = folders
        self._parcels = parcels
        self._room = room
        self._peers = peers
        self._unknowns = unknowns
        self._clock = clock
        self._look = look
        self._sign = sign
        self._crew = crew
        self._settings = settings

    async def pack(self, sender: Sender, recipients: Sequence[Address], message: bytes) -> Packed | Refusal:
        """Ready to be committed, or why the whole message cannot be taken now. Raises `StoreUnavailable`, `CrewBusy`."""
        groups = by_domain(recipients)
        failures = [failure for domain, group in groups.items() for failure in self._never(domain, group)]
        refused = {address for address, _ in failures}
        going = {domain: left for domain, group in groups.items() if (left := tuple(each for each in group if each not in refused))}
        if not self._room.has_room(sender.account, len(going), len(going) * len(message), self._settings()):
            return replies.QUEUE_FULL if going else Packed(failures=failures)
        new = [domain for domain in going if self._folders.find(domain) is None]
        affordable = self._affordable(sender, new)
        for domain, refusal in zip(affordable, await asyncio.gather(*map(self._look, affordable)), strict=True):
            failures += [(address, refusal) for address in going.pop(domain)] if refusal is not None else []
        if len(affordable) < len(new):
            await self._make([domain for domain in affordable if domain in going])  # the next try finds these and comes further
            return replies.TOO_MANY_UNKNOWN
        folders = [(domain, await self._folders.ensure(domain)) for domain in going]
        failures += [(address, replies.QUEUE_FULL) for domain, folder in folders if folder is None for address in going.pop(domain)]
        if not going:
            return Packed(failures=failures)
        author = Author(sender.address, sender.account, sender.public_key[:KEY_BYTES])
        queued = Queued(author, going, await self._signed(message))
        return Packed([await self._seal(queued, [folder for _, folder in folders if folder is not None])], failures)

    async def pack_report(self, recipient: Address, report: bytes) -> Sequence[Parcel]:
        """What has to be committed so that the report is sent, with the null sender; nothing if it cannot go or there is no room.

        Raises `StoreUnavailable`, `CrewBusy`.
        """
        if any(self._never(recipient.domain, (recipient,))) or not self._room.has_room(None, 1, len(report), self._settings()):
            return ()
        folder = await self._folders.ensure_for_report(recipient.domain)
        if folder is None or folder.waiting >= REPORTS_WAITING:
            return ()
        return [await self._seal(Queued(None, by_domain([recipient]), await self._signed(report)), [folder])]

    def committed(self, sender: Sender | None, parcels: Sequence[Parcel]) -> None:
        """What was packed is on stable storage and counts as the sender's. None: these are reports."""
        for parcel in parcels:
            entries = len(parcel.delivery.entries)
            self._room.add(sender.account if sender is not None else None, entries, entries * len(parcel.delivery.body.blob))

    def _affordable(self, sender: Sender, domains: Sequence[str]) -> list[str]:
        """Each new relay takes a place and a look-up, so naming them has the budget that guessing people has."""
        now_s = self._clock.monotonic()
        return [domain for domain in domains if self._unknowns.take(sender.account, now_s)]

    async def _make(self, domains: Sequence[str]) -> None:
        for domain in domains:
            await self._folders.ensure(domain)

    async def _seal(self, queued: Queued, folders: Sequence[PeerFolder]) -> Parcel:
        members = [(None, folder.mailbox, self._folders.public_key) for folder in folders]
        return await self._parcels.seal(members, wrap(queued), ENTRY_DAYS, Marks(keywords=lane(queued)))

    def _signed(self, message: bytes) -> Awaitable[bytes]:
        return off_loop(self._crew, lambda: self._sign(message), len(message), INLINE_BYTES)

    def _never(self, domain: str, group: Sequence[Address]) -> Sequence[Failure]:
        """Who of this domain cannot be reached whatever is tried."""
        if not self._settings().federation or (domain.rpartition(".")[2] in OUTSIDE_DNS and self._peers.find(domain) is None):
            return [(address, replies.NOT_REACHABLE) for address in group]
        return [(address, replies.BAD_RECIPIENT_ADDRESS) for address in group if parse_address(str(address)) != address]
