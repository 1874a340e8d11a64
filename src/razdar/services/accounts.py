# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logging in, and with it making accounts: the first login with a fitting name makes one, as the apps expect (docs/interop.md).

IMAP and SMTP of one client race for that; exactly one account comes of it and both succeed, because the store keeps the first record and
the loser of the race tries its password on that. No verifier of the password is stored: a login succeeds when the account's private key
opens. A returning device is recognised from RAM and costs microseconds.

Whether a name exists is not told where registration is closed, neither by the refusal nor by the time it takes: a login that fails costs
the same Argon2 work in every case.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from razdar.model.address import Address
from razdar.model.ids import AccountId, MailboxId
from razdar.model.verdict import ACCEPT, Refusal, Verdict
from razdar.policy.registration import may_register
from razdar.policy.retention import account_expiry
from razdar.ports.bus import AccountClosed, Bus, Change
from razdar.ports.clock import Entropy
from razdar.ports.crew import Crew, CrewBusy
from razdar.ports.store import AccountRecord, Store, StoreUnavailable
from razdar.services.calendar import Calendar
from razdar.services.directory import Directory
from razdar.services.guesses import Guesses
from razdar.settings import Settings
from razdar.vault.account_key import SALT_BYTES, PrivateKey, make_account, relock, unlock
from razdar.vault.cache import LoginCache
from razdar.wire.smtp import replies

PROLONGED_MAX = 50_000  # about 150 bytes each; what was pushed out costs one more write
AT_ONCE = 64
_NOBODYS_SALT, _NOBODYS_KEY = bytes(SALT_BYTES), bytes(48)


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
        guesses: Guesses,
        may_come: Callable[[Address, bytes], Verdict] = lambda _address, _network: ACCEPT,
        is_blocked: Callable[[AccountId], bool] = lambda _: False,
    ) -> None:
        """`may_come`: whether a name that does not exist yet may be made by logging in to it from that network (services/signups.py).
        `is_blocked`: whom the operator turned away."""
        self._store = store
        self._crew = crew
        self._directory = directory
        self._calendar = calendar
        self._bus = bus
        self._entropy = entropy
        self._cache = cache
        self._settings = settings
        self._domain = domain
        self._guesses = guesses
        self._may_come = may_come
        self._is_blocked = is_blocked
        self._under_way: dict[tuple[Address, str, bool], asyncio.Task[Login | Refusal]] = {}
        self._prolonged: OrderedDict[AccountId, int] = OrderedDict()

    async def log_in(self, address: Address | None, password: str, origin: bytes = b"") -> Login | Refusal:
        """A login, made at the first try where registration is open. Raises `CrewBusy`, `StoreUnavailable`.

        The refusal is the same for a wrong password, a foreign name and a name that cannot be registered. `origin` stands for the network
        the login comes from: networks wait in lanes of their own, and too many wrong passwords from one of them are `CrewBusy`, too.
        Whoever shows the right password of a blocked account (services/blocks.py) is told so.
        """
        if address is None or address.domain != self._domain:
            return replies.AUTH_FAILED
        while True:
            epoch = self._cache.epoch
            answer = await self._recognise(address, password) or await self._try(address, password, origin)
            if isinstance(answer, Refusal):
                return answer
            await self._prolong(answer.account)
            if self._is_blocked(answer.account):  # asked last: whoever is blocked meanwhile has no session yet that could be ended
                return replies.BLOCKED
            if self._cache.epoch == epoch or self._cache.find(address, password) is not None:
                return answer  # else the password may have been changed meanwhile, and nobody would end this session

    def is_blocked(self, login: Login) -> bool:
        """Whether the operator turned the account away."""
        return self._is_blocked(login.account)

    async def prove(self, address: Address | None, password: str, origin: bytes) -> Login | Refusal:
        """As `log_in` for somebody who has an account: never makes or prolongs one, and costs a derivation even when it is remembered."""
        if address is None or address.domain != self._domain:
            return replies.AUTH_FAILED
        return await self._try(address, password, origin, may_make=False)

    async def _recognise(self, address: Address, password: str) -> Login | None:
        """A device that was here before, from RAM. It counts no more once that account has gone, even if the name lives on."""
        found = self._cache.find(address, password)
        if found is None:
            return None
        account, key = found
        record = await self._store.account(account)
        if record is None or record.public_key != key.public_bytes():
            self._cache.forget(account)
            return None
        return Login(address, account, key, record.public_key)

    async def _try(self, address: Address, password: str, origin: bytes, *, may_make: bool = True) -> Login | Refusal:
        if not self._guesses.may_try(address, origin):
            raise CrewBusy
        answer = await self._join_or_start(address, password, origin, may_make)
        if isinstance(answer, Login):
            self._guesses.was_right(address, origin)
        return answer

    async def _join_or_start(self, address: Address, password: str, origin: bytes, may_make: bool) -> Login | Refusal:
        """Several connections of one device that log in at the same moment share one derivation."""
        key = (address, password, may_make)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.ensure_future(self._unlock_or_make(address, password, origin, may_make))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _unlock_or_make(self, address: Address, password: str, lane: bytes, may_make: bool) -> Login | Refusal:
        was_known, epoch = self._directory.known(address) is not None, self._cache.epoch
        account = await self._directory.identify(address, lane)
        record = await self._store.account(account)
        if record is None:
            answer = await self._make(address, account, password, lane, may_make, epoch)
        else:
            answer = await self._unlock(address, record, password, lane, epoch)
        if was_known and isinstance(answer, Refusal):
            await self._directory.derive(address, lane)  # else a quick refusal would tell that the name is in use
        return answer

    async def _unlock(self, address: Address, record: AccountRecord, password: str, lane: bytes, epoch: int) -> Login | Refusal:
        key = await self._crew.run(lambda: unlock(record.id, record.salt, record.locked_key, password), lane)
        return replies.AUTH_FAILED if key is None else await self._let_in(address, record, password, key, epoch)

    async def _let_in(self, address: Address, record: AccountRecord, password: str, key: PrivateKey, epoch: int) -> Login | Refusal:
        """`epoch`: of the cache before the record was looked up. The password may have been changed since, or the account deleted."""
        while self._cache.epoch != epoch:
            epoch = self._cache.epoch
            present = await self._store.account(record.id)
            if present is None or present.locked_key != record.locked_key:
                return replies.AUTH_FAILED
        self._cache.remember(address, password, record.id, key)
        self._note_prolonged(record.id, record.expires)
        return Login(address, record.id, key, record.public_key)

    async def _make(self, address: Address, account: AccountId, password: str, lane: bytes, may_make: bool, epoch: int) -> Login | Refusal:
        is_possible = may_make and not self._is_blocked(account)
        verdict = may_register(address, password, self._settings()) if is_possible else replies.AUTH_FAILED
        if not isinstance(verdict, Refusal):
            verdict = self._may_come(address, lane)
        if isinstance(verdict, Refusal) and verdict.is_temporary:
            raise CrewBusy  # "come again", and the apps do
        if isinstance(verdict, Refusal):  # costs what a wrong password for an existing account costs
            await self._crew.run(lambda: unlock(account, _NOBODYS_SALT, _NOBODYS_KEY, password), lane)
            return verdict
        record, key = await self._new(account, password, lane)
        stored = await self._store.create_account(record)
        if stored != record:  # somebody else was first
            return await self._unlock(address, stored, password, lane, epoch)
        return await self._let_in(address, record, password, key, epoch)

    async def new_record(self, account: AccountId, password: str) -> AccountRecord:
        """The record of an account that does not exist yet. Nothing is stored."""
        return (await self._new(account, password, b""))[0]

    async def _new(self, account: AccountId, password: str, lane: bytes) -> tuple[AccountRecord, PrivateKey]:
        salt = self._entropy(SALT_BYTES)
        expires = account_expiry(self._calendar.day, self._settings())
        made = await self._crew.run(lambda: make_account(account, password, salt), lane)
        return AccountRecord(account, salt, made.public_key, made.locked_key, expires), made.private_key

    async def _prolong(self, account: AccountId) -> None:
        """A login keeps the account for another term; written only when the coarse day changes.

        If the store cannot do it now the login goes on without: whoever wants to read or delete must not be kept out by a full disk.
        """
        expires = account_expiry(self._calendar.day, self._settings())
        if self._prolonged.get(account, 0) < expires:
            with suppress(StoreUnavailable):
                await self._store.prolong_account(account, expires)
                self._note_prolonged(account, expires)

    def _note_prolonged(self, account: AccountId, expires: int) -> None:
        self._prolonged[account] = expires
        self._prolonged.move_to_end(account)
        if len(self._prolonged) > PROLONGED_MAX:
            self._prolonged.popitem(last=False)

    async def prolong_all(self, accounts: Iterable[AccountId]) -> None:
        """A device that stays connected counts as a login; called once a relay day."""
        waiting = list(accounts)
        for start in range(0, len(waiting), AT_ONCE):
            await asyncio.gather(*map(self._prolong, waiting[start : start + AT_ONCE]))

    def when_closed(self, login: Login, end: Callable[[], None]) -> Callable[[], None]:
        """`end` is called when the account is deleted or denied; call the result to stop that."""

        def hear(_: MailboxId, change: Change) -> None:
            if isinstance(change, AccountClosed):
                end()

        return self._bus.subscribe(login.inbox, hear)

    async def change_password(self, login: Login, password: str, origin: bytes = b"") -> bool:
        """From now on only `password` opens the account, what waits stays, and every session ends. False: the account has gone meanwhile.

        Raises `CrewBusy`, `StoreUnavailable`; then nothing has changed.
        """
        salt = self._entropy(SALT_BYTES)
        locked_key = await self._crew.run(lambda: relock(login.private_key, password, salt), origin)
        is_changed = await self._store.replace_login(login.account, salt, locked_key)
        self._cache.forget(login.account)
        self._bus.close_account(login.account)
        return is_changed

    async def delete(self, login: Login) -> None:
        """The account and all that waits in it is gone, and every session of it ends."""
        await self._store.delete_account(login.account)
        self._cache.forget(login.account)
        self._prolonged.pop(login.account, None)
        self._bus.close_account(login.account)
