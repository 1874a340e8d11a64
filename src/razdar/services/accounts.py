"""Logging in, and with it making accounts: the first login with a fitting name makes one, as the apps expect (docs/interop.md).

IMAP and SMTP of one client race for that; exactly one account comes of it and both succeed, because the store keeps the first record and
the loser of the race tries its password on that. No verifier of the password is stored: a login succeeds when the account's private key
opens. A returning device is recognised from RAM and costs microseconds.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from razdar.model.address import Address
from razdar.model.ids import AccountId, MailboxId
from razdar.model.verdict import Refusal
from razdar.policy.registration import may_register
from razdar.policy.retention import account_expiry
from razdar.ports.bus import Bus
from razdar.ports.clock import Entropy
from razdar.ports.crew import Crew
from razdar.ports.store import AccountRecord, Store
from razdar.services.calendar import Calendar
from razdar.services.directory import Directory
from razdar.settings import Settings
from razdar.vault.account_key import PrivateKey, make_account, unlock
from razdar.vault.cache import LoginCache
from razdar.wire.smtp import replies

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who has shown the password, and what that opened."""

    address: Address
    account: AccountId
    private_key: PrivateKey
    public_key: bytes

    @property
    def inbox(self) -> MailboxId:
        return MailboxId(self.account)


class Accounts:
    """Logins and the accounts behind them."""

    def __init__(
        self,
        store: Store,
        crew: Crew,
        directory: Directory,
        calendar: Calendar,
        bus: Bus,
        entropy: Entropy,
        cache: LoginCache,
        settings: Callable[[], Settings],
        domain: str,
    ) -> None:
        self._store = store
        self._crew = crew
        self._directory = directory
        self._calendar = calendar
        self._bus = bus
        self._entropy = entropy
        self._cache = cache
        self._settings = settings
        self._domain = domain
        self._under_way: dict[tuple[Address, str], asyncio.Task[Login | Refusal]] = {}
        self._prolonged: dict[AccountId, int] = {}

    async def log_in(self, address: Address | None, password: str) -> Login | Refusal:
        """A login, made at the first try where registration is open. Raises `CrewBusy`, `StoreUnavailable`.

        The refusal is the same for a wrong password, a foreign name and a name that cannot be registered.
        """
        if address is None or address.domain != self._domain:
            return replies.AUTH_FAILED
        found = self._cache.find(address, password)
        if found is not None:
            login = Login(address, found[0], found[1], found[1].public_bytes())
        else:
            answer = await self._join_or_start(address, password)
            if isinstance(answer, Refusal):
                return answer
            login = answer
        await self._prolong(login.account)
        return login

    async def _join_or_start(self, address: Address, password: str) -> Login | Refusal:
        """Several connections of one device that log in at the same moment share one derivation."""
        key = (address, password)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.ensure_future(self._unlock_or_make(address, password))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _unlock_or_make(self, address: Address, password: str) -> Login | Refusal:
        account = await self._directory.identify(address)
        record = await self._store.account(account)
        if record is None:
            return await self._make(address, account, password)
        return await self._unlock(address, record, password)

    async def _unlock(self, address: Address, record: AccountRecord, password: str) -> Login | Refusal:
        key = await self._crew.run(lambda: unlock(record.id, record.salt, record.locked_key, password))
        if key is None:
            return replies.AUTH_FAILED
        self._cache.remember(address, password, record.id, key)
        self._prolonged[record.id] = record.expires
        return Login(address, record.id, key, record.public_key)

    async def _make(self, address: Address, account: AccountId, password: str) -> Login | Refusal:
        verdict = may_register(address, password, self._settings())
        if isinstance(verdict, Refusal):
            return verdict
        record = await self.new_record(account, password)
        stored = await self._store.create_account(record)
        return await self._unlock(address, stored, password)

    async def new_record(self, account: AccountId, password: str) -> AccountRecord:
        """The record of an account that does not exist yet. Nothing is stored."""
        salt = self._entropy(SALT_BYTES)
        expires = account_expiry(self._calendar.day, self._settings())
        made = await self._crew.run(lambda: make_account(account, password, salt))
        return AccountRecord(account, salt, made.public_key, made.locked_key, expires)

    async def _prolong(self, account: AccountId) -> None:
        """A login keeps the account for another term; written only when the coarse day changes."""
        expires = account_expiry(self._calendar.day, self._settings())
        if self._prolonged.get(account, 0) < expires:
            await self._store.prolong_account(account, expires)
            self._prolonged[account] = expires

    async def prolong_all(self, accounts: Iterable[AccountId]) -> None:
        """A device that stays connected counts as a login; called once a relay day."""
        for account in accounts:
            await self._prolong(account)

    async def delete(self, login: Login) -> None:
        """The account and all that waits in it is gone, and every session of it ends."""
        await self._store.delete_account(login.account)
        self._cache.forget(login.account)
        self._prolonged.pop(login.account, None)
        self._bus.close_account(login.account)
