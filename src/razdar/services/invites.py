"""Invites: a token that makes an account when it is claimed.

The token travels in the link only; the store keeps its hash, so neither the disk nor the operator holds a working invite. The password is
made at the claim and shown once to the person who claims.
"""

import base64
import hashlib
from collections.abc import Callable

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.policy.registration import make_credentials
from razdar.ports.clock import Entropy
from razdar.ports.store import Store
from razdar.services.accounts import Accounts
from razdar.services.calendar import Calendar
from razdar.services.directory import Directory
from razdar.settings import Settings

TOKEN_BYTES = 16
INVITE_USED_UP = Refusal(550, "5.7.1", "This invitation has been used up or has expired")
INVITED_ONLY = Refusal(550, "5.7.1", "This relay takes new people by invitation only")
MAX_TRIES = 5


def digest(token: str) -> bytes:
    """What the store knows of a token. The token has 128 random bits, so a plain hash cannot be searched."""
    return hashlib.blake2b(token.encode(), digest_size=16, person=b"razdar-invite").digest()


class Invites:
    """Makes and honours invites."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        directory: Directory,
        calendar: Calendar,
        entropy: Entropy,
        settings: Callable[[], Settings],
        domain: str,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._directory = directory
        self._calendar = calendar
        self._entropy = entropy
        self._settings = settings
        self._domain = domain

    async def make(self, uses: int, days: int) -> str:
        """A new token, good for `uses` accounts during `days` relay days; the day that is running does not count."""
        token = base64.urlsafe_b64encode(self._entropy(TOKEN_BYTES)).rstrip(b"=").decode()
        await self._store.put_invite(digest(token), uses, self._calendar.day + 1 + days)
        return token

    async def uses(self, token: str) -> int:
        """How many accounts the token can still make; none where registration is closed, which is stronger than any invite."""
        return 0 if self._settings().registration == "closed" else await self._store.invite_uses(digest(token))

    async def offer(self) -> tuple[Address, str] | Refusal:
        """A name and a password for anybody who asks, where registration is open; the first login makes the account."""
        return self.credentials() if self._settings().registration == "open" else INVITED_ONLY

    def credentials(self) -> tuple[Address, str]:
        """A name and a password of their own; nothing is stored by this."""
        return make_credentials(self._entropy, self._domain)

    async def claim(self, token: str) -> tuple[Address, str] | Refusal:
        """The account exists and one use is gone; or a refusal, and nothing happened. Raises `CrewBusy`, `StoreUnavailable`."""
        return await self._claim(token) if await self.uses(token) else INVITE_USED_UP

    async def _claim(self, token: str) -> tuple[Address, str] | Refusal:
        for _ in range(MAX_TRIES):  # a made-up name may be taken, once in 36**9 times
            address, password = self.credentials()
            account = await self._directory.identify(address)
            record = await self._accounts.new_record(account, password)
            if await self._store.claim_invite(digest(token), record):
                return address, password
            if not await self._store.invite_uses(digest(token)):
                break
        return INVITE_USED_UP

    async def direct(self) -> tuple[Address, str]:
        """An account made at once, for one phone that scans its code inside the app. The operator asks, so it is made in any case."""
        claimed = await self._claim(await self.make(uses=1, days=1))
        if isinstance(claimed, Refusal):
            raise RuntimeError("a fresh invite was refused")
        return claimed
