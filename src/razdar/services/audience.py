# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who of this relay can receive a message: the people behind the addresses are looked up, and room is held in their mailboxes.

A shortage of ours (no time to look somebody up, the budget for unknown names used up) is nobody's state: the whole message is refused for
now, before anything is stored, and its sender comes again. Whoever was looked up by then is known the next time.

Room in a mailbox is taken from the moment it was checked, so that many messages at once do not all fill the same room.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from razdar.model.address import Address
from razdar.model.ids import AccountId
from razdar.model.verdict import Refusal
from razdar.policy.quota import ShareBook, is_full
from razdar.policy.rate import RateBook
from razdar.ports.clock import Clock
from razdar.ports.crew import CrewBusy
from razdar.ports.store import Recipient, Store
from razdar.services.directory import Directory
from razdar.settings import Settings
from razdar.wire.smtp import replies

LOOKUPS_AT_ONCE = 16
BUSY_TRIES, BUSY_PAUSE_S = 10, 0.2  # a busy crew is through with its queue in less than a second
Failure = tuple[Address, Refusal]


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a message is counted against."""

    share: AccountId
    """Who fills mailboxes with it: the account that sends, or 16 bytes that stand for a sender elsewhere."""
    budget: bytes
    """Who pays for guessed names: the account, or what stands for the other relay."""
    peer: AccountId | None = None
    """16 bytes that stand for the other relay, which may fill no more than `peer_share` of a mailbox, with however many senders."""
    place: AccountId | None = None
    """16 bytes that stand for the network it comes from, which has the same part: names below one's own domain cost nothing, either."""
    unknowns: RateBook | None = None
    """Where `budget` is kept, if not with those of accounts."""


@dataclass(slots=True)
class Audience:
    """Who gets the message and who does not."""

    members: list[tuple[Address, AccountId, Recipient]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    shortage: Refusal | None = None
    """Why somebody who may well exist could not be looked up now."""


def why_nobody(reasons: Sequence[Refusal]) -> Refusal:
    """The one answer for a message that nobody gets: temporary if somebody may receive it later; else what all have in common."""
    later = next((refusal for refusal in reasons if refusal.is_temporary), None)
    return later or (reasons[0] if len(set(reasons)) == 1 else replies.NO_RECIPIENT)


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
        for part in (None, sender):
            self.add_part(recipient, part, size_bytes)

    def add_part(self, recipient: AccountId, sender: AccountId | None, size_bytes: int) -> None:
        """As `add`, for this sender alone."""
        key = (recipient, sender)
        self._bytes[key] += size_bytes
        if not self._bytes[key]:
            del self._bytes[key]


class Gatherer:
    """Finds audiences and holds room for them."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        clock: Clock,
        shares: ShareBook,
        unknowns: RateBook,
        settings: Callable[[], Settings],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        is_blocked: Callable[[AccountId], bool] = lambda _: False,
    ) -> None:
        """`is_blocked`: whom the operator turned away (services/blocks.py); neither receives nor sends."""
        self._store = store
        self._directory = directory
        self._clock = clock
        self._shares = shares
        self._unknowns = unknowns
        self._settings = settings
        self._pause = pause
        self.is_blocked = is_blocked
        self._under_way = _UnderWay()

    async def gather(self, origin: Origin, recipients: Sequence[Address], size_bytes: int, audience: Audience) -> None:
        """Every recipient, all of this relay, is a member or a failure, or there is a shortage.

        Each member has room for the message, held until `release`. Raises `StoreUnavailable`.
        """
        warm = {address: None for address in recipients if self._directory.known(address)}
        cold = [address for address in recipients if address not in warm]
        await self._admit(origin, list(warm), size_bytes, audience, is_cold=False)
        for start in range(0, len(cold), LOOKUPS_AT_ONCE):
            # A cold look-up costs 4 ms, so guessing names has a budget.
            if not self._book(origin).has(origin.budget, self._clock.monotonic()):
                audience.shortage = replies.TOO_MANY_UNKNOWN
                return
            await self._admit(origin, cold[start : start + LOOKUPS_AT_ONCE], size_bytes, audience, is_cold=True)

    def release(self, origin: Origin, audience: Audience, size_bytes: int) -> None:
        """The message is committed or given up; call it once for each audience, in any case."""
        for _, account, _ in audience.members:
            self._hold(origin, account, -size_bytes)

    def held(self, account: AccountId) -> int:
        """Bytes that are promised room in this mailbox and not committed yet."""
        return self._under_way.to(account)

    def has_room(self, origin: Origin, account: AccountId, known: Recipient, size_bytes: int) -> bool:
        """Whether this account may get so much more from there."""
        settings = self._settings()
        if is_full(known.used, size_bytes + self._under_way.to(account), settings.quota_bytes):
            return False
        bounds = [(origin.share, settings.sender_share), *((each, settings.peer_share) for each in (origin.peer, origin.place) if each)]
        return all(
            self._shares.may_fill(account, sender, size_bytes + self._under_way.to(account, sender), settings.quota_bytes, part)
            for sender, part in bounds
        )

    def arrived(self, origin: Origin, account: AccountId, size_bytes: int) -> None:
        """This account has so much more from there."""
        for sender in (origin.share, origin.peer, origin.place):
            if sender is not None:
                self._shares.add(account, sender, size_bytes)

    def _book(self, origin: Origin) -> RateBook:
        return self._unknowns if origin.unknowns is None else origin.unknowns

    def _hold(self, origin: Origin, account: AccountId, size_bytes: int) -> None:
        self._under_way.add(account, origin.share, size_bytes)
        for part in (origin.peer, origin.place):
            if part is not None:
                self._under_way.add_part(account, part, size_bytes)

    async def _admit(self, origin: Origin, addresses: Sequence[Address], size_bytes: int, audience: Audience, *, is_cold: bool) -> None:
        accounts = await self._identify(addresses)
        if len(accounts) < len(addresses):
            audience.shortage = replies.STORE_UNAVAILABLE
        existing = await self._store.recipients(list(accounts.values()))
        for address, account in accounts.items():
            known = existing.get(account)
            if known is None:
                if is_cold:
                    self._book(origin).take(origin.budget, self._clock.monotonic())
                audience.failures.append((address, replies.NO_SUCH_USER))
            elif self.is_blocked(account):
                audience.failures.append((address, replies.MAILBOX_BLOCKED))
            elif not self.has_room(origin, account, known, size_bytes):
                audience.failures.append((address, replies.MAILBOX_FULL))
            else:
                audience.members.append((address, account, known))
                self._hold(origin, account, size_bytes)

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
