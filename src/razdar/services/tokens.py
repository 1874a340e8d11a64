# SPDX-License-Identifier: AGPL-3.0-or-later
"""Push tokens: opaque to us, encrypted for the notification service by the app. Kept 90 relay days since last set."""

from collections.abc import Callable

from razdar.model.ids import AccountId
from razdar.ports.store import Store
from razdar.services.accounts import Login
from razdar.services.calendar import Calendar
from razdar.settings import Settings

TOKEN_DAYS = 90
TOKEN_BYTES_MAX = 4096


class Tokens:
    """What `SETMETADATA INBOX (/private/devicetoken …)` does."""

    def __init__(self, store: Store, calendar: Calendar, settings: Callable[[], Settings], added: Callable[[AccountId], None]) -> None:
        self._store = store
        self._calendar = calendar
        self._settings = settings
        self._added = added

    async def put(self, login: Login, token: bytes) -> bool:
        """The token is kept; tokens of several devices add up, but for one of too many;
        they do not count towards the quota. False if it is not one that an app would send."""
        if not token or len(token) > TOKEN_BYTES_MAX or not token.isascii() or not token.decode().isprintable():
            return False
        known = await self._store.tokens(login.account)
        if token not in known:
            for one_too_many in known[self._settings().devices - 1 :]:
                await self._store.forget_token(login.account, one_too_many)
        await self._store.put_token(login.account, token, self._calendar.day + 1 + TOKEN_DAYS)
        self._added(login.account)
        return True
