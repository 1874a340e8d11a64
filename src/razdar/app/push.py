# SPDX-License-Identifier: AGPL-3.0-or-later
"""How phones that sleep are woken, put together."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from razdar.adapters.push import HttpPushGate
from razdar.app.ground import Ground
from razdar.model.ids import AccountId
from razdar.servers.journal import Journal
from razdar.services.tokens import Tokens
from razdar.workers.push import Pusher


@dataclass(frozen=True, slots=True)
class Push:
    pusher: Pusher
    tokens: Tokens
    wake: Callable[[Sequence[AccountId]], None]
    """Something has just been delivered to these."""


def open_push(ground: Ground, stack: AsyncExitStack) -> Push:
    gate = HttpPushGate(ground.current().push_url)
    stack.push_async_callback(gate.close)
    pusher = Pusher(ground.store, gate, ground.clock)
    tokens = Tokens(ground.store, ground.calendar, ground.current, pusher.token_added)
    return Push(pusher, tokens, _counting(pusher, ground.journal))


def _counting(pusher: Pusher, journal: Journal) -> Callable[[Sequence[AccountId]], None]:
    """Delivered messages are counted where their recipients' phones are woken."""

    def wake(accounts: Sequence[AccountId]) -> None:
        journal.count("message.delivered", len(accounts))
        pusher.wake(accounts)

    return wake
