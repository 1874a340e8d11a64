# SPDX-License-Identifier: AGPL-3.0-or-later
"""All services over a store in RAM, as app/build.py builds them, with a clock that stands still and randomness from a seed.

`World` is the relay without sockets. `world.member(name)` is somebody with an account, made without the slow key derivation, so that a test
costs a millisecond; logins through `world.accounts` are the real thing. `StagedStore` gives other tasks their turn before each change and
around each look, in an order that follows from the seed, and can be told to fail: what stands between two awaits is where races live.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.mail.make import encrypted_message

from razdar.adapters.bus import LocalBus
from razdar.adapters.memory import MemoryStore
from razdar.model.address import Address
from razdar.model.ids import AccountId, MailboxId
from razdar.model.message import Envelope
from razdar.model.verdict import Verdict
from razdar.policy.quota import ShareBook
from razdar.policy.rate import RateBook
from razdar.ports.bus import Change
from razdar.ports.crew import CrewBusy
from razdar.ports.store import AccountRecord, Store
from razdar.services.accounts import Accounts, Login
from razdar.services.append import Appender
from razdar.services.audience import Gatherer
from razdar.services.calendar import Calendar
from razdar.services.deliver import Deliver, Onward, Packed, Sender
from razdar.services.directory import Directory
from razdar.services.folders import Folders
from razdar.services.guesses import Guesses
from razdar.services.invites import Invites
from razdar.services.mailbox import OpenMailbox
from razdar.services.mailboxes import Mailboxes
from razdar.services.parcels import Parcel, Parcels
from razdar.services.reporter import Reporter
from razdar.services.signups import SignUps, Tickets
from razdar.services.submit import Submit
from razdar.services.tokens import Tokens
from razdar.settings import Settings
from razdar.vault.account_key import PrivateKey
from razdar.vault.cache import AddressCache, LoginCache
from razdar.wire.smtp import replies

DOMAIN = "relay.example"
START_S = 1_760_000_000
T = TypeVar("T")


@dataclass
class FakeClock:
    """Goes only when told to."""

    now_s: int = START_S
    monotonic_s: float = 1000.0

    def now(self) -> int:
        return self.now_s

    def monotonic(self) -> float:
        return self.monotonic_s


@dataclass
class InlineCrew:
    """Works on the spot. `busy_for` so many further calls it is too busy, without end if negative; `done` counts."""

    busy_for: int = 0
    done: int = 0

    async def run(self, work: Callable[[], T], lane: bytes = b"") -> T:
        if self.busy_for:
            self.busy_for -= 1
            raise CrewBusy
        await asyncio.sleep(0)
        self.done += 1
        return work()


class StagedStore:
    """A store that lets others have their turn. `broken[name]` is raised by that method; `calls` counts.

    Answers of changes come in the order in which they were made, as those of the real store do; looks may answer late.
    """

    LOOKS = frozenset({"account", "recipients", "mailboxes", "mailbox", "entries", "uids", "body", "tokens", "invite_uses", "totals"})

    def __init__(self, seed: int = 0) -> None:
        self.inner = MemoryStore(random.Random(f"store {seed}").randbytes)
        self.broken: dict[str, Exception] = {}
        self.calls: Counter[str] = Counter()
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        """Done once before the next call of that method takes effect."""
        self.looks_late = True
        self._random = random.Random(f"turns {seed}")

    @property
    def is_full(self) -> bool:
        return self.inner.is_full

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self.inner, name)

        async def staged(*arguments: Any) -> Any:
            self.calls[name] += 1
            await self._others()
            if name in self.before:
                await self.before.pop(name)()
            if name in self.broken:
                raise self.broken[name]
            answer = await method(*arguments)
            if name in self.LOOKS and self.looks_late:
                await self._others()
            return answer

        return staged

    async def _others(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)


def address(name: str, domain: str = DOMAIN) -> Address:
    return Address(name, domain)


def login_of(name: str) -> tuple[Login, AccountRecord]:
    """Somebody, and the record to put into a store. The password does not open it."""
    account = AccountId(blake2b(name.encode(), digest_size=16).digest())
    key = PrivateKey(account, X25519PrivateKey.generate())
    return Login(address(name), account, key, key.public_bytes()), AccountRecord(account, bytes(16), key.public_bytes(), bytes(48), 10_000)


class Nowhere:
    """An `Onward` that goes nowhere: a relay that speaks to no other."""

    async def pack(self, sender: Sender, recipients: Sequence[Address], message: bytes) -> Packed:
        return Packed(failures=[(address, replies.NOT_REACHABLE) for address in recipients])

    def committed(self, sender: Sender, parcels: Sequence[Parcel]) -> None:
        """Nothing ever is."""


@dataclass
class World:
    """`settings` may be replaced at any time, as by a reload."""

    settings: Settings = field(default_factory=Settings)
    seed: int = 0
    onward: Onward = field(default_factory=Nowhere)
    """The way to other relays."""

    def __post_init__(self) -> None:
        self.staged = StagedStore(self.seed)
        self.build(cast("Store", self.staged))

    def build(self, store: Store) -> None:
        """Everything anew over this store; what only RAM knew is gone."""
        self.store = store
        self.clock = FakeClock()
        self.bus = LocalBus()
        self.doorkeeper, self.crew = InlineCrew(), InlineCrew()
        self.entropy = random.Random(f"world {self.seed}").randbytes
        self.shares = ShareBook()
        self.woken: list[AccountId] = []
        self.paused_s: list[float] = []
        self.is_frozen = False
        self.calendar = Calendar(store, self.clock, 1, 0, lambda: self.settings.days_stand_still)
        self.addresses, self.logins = AddressCache(bytes(32)), LoginCache(bytes(32))
        self.signups = SignUps(lambda: self.settings, self.clock, self.entropy)
        self.tickets = Tickets(self.clock, self.entropy, DOMAIN)
        self.accounts = self.make_accounts()
        lookups = Directory(self.crew, bytes(32), self.addresses)
        self.unknowns = RateBook(self.settings.unknown_per_minute, self.settings.unknown_per_minute)

        def settings() -> Settings:
            return self.settings

        self.gatherer = Gatherer(store, lookups, self.clock, self.shares, self.unknowns, settings, self._pause)
        self.parcels = Parcels(store, self.bus, self.crew, self.clock, self.entropy, self.calendar, settings)
        self.reporter = Reporter(DOMAIN, self.clock, self.entropy)
        self.deliver = Deliver(
            *(store, self.gatherer, self.parcels, self.onward, self.reporter, self.shares, settings, DOMAIN, self.woken.extend)
        )
        rates = RateBook(self.settings.send_per_minute, self.settings.send_burst)
        self.submit = Submit(self.deliver, rates, self.crew, self.clock, lambda: self.settings, self._pause)
        self.folders = Folders(store, self.bus, lambda: self.settings)
        self.bugs: list[Exception] = []
        self.mailboxes = self.make_mailboxes()
        self.appender = Appender(self.mailboxes, self.submit, self.calendar, self.clock)
        self.invites = Invites(
            store, self.accounts, self.directory, self.calendar, self.entropy, lambda: self.settings, DOMAIN, self.tickets, self.signups
        )
        self.token_news: list[AccountId] = []
        self.tokens = Tokens(store, self.calendar, lambda: self.settings, self.token_news.append)

    def make_mailboxes(self) -> Mailboxes:
        """As after a restart: nothing is remembered."""
        return Mailboxes(
            *(self.store, self.bus, self.crew, self.folders, self.shares, self.entropy, lambda: self.settings, self.bugs.append),
            self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        """`paused_s` counts; the clock goes on unless `is_frozen`."""
        self.paused_s.append(seconds)
        self.clock.monotonic_s += 0 if self.is_frozen else seconds
        await asyncio.sleep(0)

    @property
    def directory(self) -> Directory:
        return Directory(self.doorkeeper, bytes(32), self.addresses)

    def make_accounts(self, is_blocked: Callable[[AccountId], bool] = lambda _: False, guesses: Guesses | None = None) -> Accounts:
        """Another one is what a second process over the same store would have, but for its caches."""
        return Accounts(
            self.store,
            self.doorkeeper,
            self.directory,
            self.calendar,
            self.bus,
            self.entropy,
            self.logins,
            lambda: self.settings,
            DOMAIN,
            guesses or Guesses(1_000_000, self.clock),
            self.signups.first_login,
            is_blocked,
        )

    def change(self, **settings: Any) -> None:
        self.settings = replace(self.settings, **settings)

    async def member(self, name: str) -> Login:
        """Somebody with an account, whose address is known to this relay."""
        login, record = login_of(name)
        await self.store.create_account(record)
        self.addresses.remember(login.address, login.account)
        return login

    async def members(self, *names: str) -> list[Login]:
        return [await self.member(name) for name in names]

    async def send(self, sender: Login, *recipients: Login | Address, size_bytes: int = 1500, seed: int = 0) -> Verdict:
        """Through the policies, as SMTP does it."""
        addresses = [each.address if isinstance(each, Login) else each for each in recipients]
        content = encrypted_message(str(sender.address), [str(each) for each in addresses], size_bytes, seed)
        return await self.submit(sender, Envelope(sender.address, addresses), content)

    async def put(self, sender: Login, recipients: Sequence[Address], message: bytes) -> object:
        """Past the policies: any bytes."""
        return await self.deliver(Sender(sender.address, sender.account, sender.public_key), recipients, message)

    async def open(self, login: Login, name: str = "INBOX", listener: Callable[[Change], None] = lambda _: None) -> OpenMailbox:
        """A device that has selected the folder."""
        opened = await self.mailboxes.open(login, name, listener)
        assert opened is not None
        opened.start()
        return opened

    async def read(self, login: Login, name: str = "INBOX") -> list[bytes]:
        """All messages of a folder, by ascending UID."""
        mailbox = await self.open(login, name)
        opened = await mailbox.opened(mailbox.uids)
        messages = [await mailbox.message(uid, entry.secret, is_fetch=False) for uid, entry in opened.items()]
        mailbox.close()
        return [message for message in messages if message is not None]

    async def used(self, login: Login) -> int:
        return (await self.store.recipients([login.account]))[login.account].used

    async def uids(self, login: Login, folder: int = 0) -> Sequence[int]:
        return await self.store.uids(MailboxId(login.account, folder))
