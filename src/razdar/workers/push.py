# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wakes up phones: who got mail is queued in RAM, tokens are read from the store, wake-ups go out.

A wake-up that fails is tried again after 8, 64, 512 … seconds and given up after five hours; by then the phone has woken up by itself. The
queue is bounded and holds nothing on disk: a lost wake-up delays a message, it loses none. During a cut all of this fails quietly, and
quickly: when a whole handful cannot be reached, the rest of the round is put off without trying.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from razdar.model.ids import AccountId
from razdar.ports.clock import Clock
from razdar.ports.push import PushGate, PushOutcome
from razdar.ports.store import Store, StoreUnavailable

FIRST_DELAY_S = 8.0
GIVE_UP_S = 5 * 3600.0
WAITING_MAX = 10_000
TOKENLESS_MAX = 50_000
AT_ONCE = 8


@dataclass(order=True, slots=True)
class _Attempt:
    due: float
    delay_s: float
    began: float
    account: AccountId = field(compare=False)
    token: bytes = field(compare=False)


class Pusher:
    """Takes accounts that got mail; sends wake-ups from a task of its own."""

    def __init__(self, store: Store, gate: PushGate, clock: Clock) -> None:
        self._store = store
        self._gate = gate
        self._clock = clock
        self._accounts: OrderedDict[AccountId, None] = OrderedDict()
        self._attempts: list[_Attempt] = []
        self._waiting: set[bytes] = set()
        self._tokenless: OrderedDict[AccountId, None] = OrderedDict()
        self._news = asyncio.Event()

    def wake(self, accounts: Sequence[AccountId]) -> None:
        """Their phones will be woken up soon, if they left tokens. What does not fit is dropped."""
        for account in accounts:
            if account not in self._tokenless and len(self._accounts) < WAITING_MAX:
                self._accounts[account] = None
                self._news.set()

    def token_added(self, account: AccountId) -> None:
        """The account has a token now."""
        self._tokenless.pop(account, None)

    @property
    def pending(self) -> int:
        """Accounts and tokens that wait."""
        return len(self._accounts) + len(self._attempts)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wait()
            await self.round()

    async def round(self) -> None:
        """Everything that is due has been tried once."""
        now = self._clock.monotonic()
        while self._accounts:
            account, _ = self._accounts.popitem(last=False)
            with suppress(StoreUnavailable):
                await self._schedule(account, now)
        due = []
        while self._attempts and self._attempts[0].due <= now:
            due.append(heapq.heappop(self._attempts))
        while due:
            some, due = due[:AT_ONCE], due[AT_ONCE:]
            reached = await asyncio.gather(*(self._try(attempt) for attempt in some))
            if len(some) == AT_ONCE and not any(reached):
                for attempt in due:
                    self._put_off(attempt)
                return

    async def _wait(self) -> None:
        timeout = None
        if self._attempts:
            timeout = max(0.0, self._attempts[0].due - self._clock.monotonic())
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    async def _schedule(self, account: AccountId, now: float) -> None:
        self._tokenless[account] = None  # before looking: a token that is added meanwhile takes it away again
        if len(self._tokenless) > TOKENLESS_MAX:
            self._tokenless.popitem(last=False)
        try:
            tokens = await self._store.tokens(account)
        except StoreUnavailable:
            self._tokenless.pop(account, None)
            raise
        if tokens:
            self._tokenless.pop(account, None)
        for token in tokens:
            if token not in self._waiting and len(self._attempts) < WAITING_MAX:
                self._waiting.add(token)
                heapq.heappush(self._attempts, _Attempt(now, FIRST_DELAY_S, now, account, token))

    async def _try(self, attempt: _Attempt) -> bool:
        """Whether the service was reached."""
        outcome = await self._gate.notify(attempt.token)
        if outcome is PushOutcome.FAILED:
            self._put_off(attempt)
            return False
        self._waiting.discard(attempt.token)
        if outcome is PushOutcome.FORGOTTEN:
            with suppress(StoreUnavailable):  # the service will say so again
                await self._store.forget_token(attempt.account, attempt.token)
        return True

    def _put_off(self, attempt: _Attempt) -> None:
        """Tried again later, or given up."""
        if attempt.due + attempt.delay_s - attempt.began >= GIVE_UP_S:
            self._waiting.discard(attempt.token)
            return
        attempt.due = self._clock.monotonic() + attempt.delay_s
        attempt.delay_s *= 8
        heapq.heappush(self._attempts, attempt)
