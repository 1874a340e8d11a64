# SPDX-License-Identifier: AGPL-3.0-or-later
"""Invites: a token that makes an account when it is claimed.

The token travels in the link only; the store keeps its hash, so neither the disk nor the operator holds a working invite. The password is
made at the claim and shown once to the person who claims.
"""

import base64
import hashlib
from collections.abc import Callable

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.policy.registration import make_credentials, pick
from razdar.ports.clock import Entropy
from razdar.ports.store import Store
from razdar.services.accounts import Accounts
from razdar.services.calendar import Calendar
from razdar.services.directory import Directory
from razdar.services.signups import TOO_MANY, SignUps, Tickets
from razdar.settings import Settings

TOKEN_BYTES = 16
CODE_CHARACTERS = 16
NOTE_BYTES = 120
"""Sixty Persian letters. The note is in the link, and a longer link is a finer code."""
CARDS_MAX = 200
CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Nothing that is mistaken for another when it is typed from paper: 16 of these are 79 bits."""
INVITE_USED_UP = Refusal(550, "5.7.1", "This invitation has been used up or has expired")
INVITED_ONLY = Refusal(550, "5.7.1", "This relay takes new people by invitation only")
STALE = Refusal(550, "5.7.1", "This form is too old")
MAX_TRIES = 5


def digest(token: str) -> bytes:
    """What the store knows of a token. The token has 128 random bits, so a plain hash cannot be searched."""
    return hashlib.blake2b(token.encode(), digest_size=16, person=b"razdar-invite").digest()


def note_of(token: str) -> str:
    """The words that the inviter put into the link, if there are any; "" for a token whose note cannot be read."""
    _, _, written = token.partition(".")
    try:
        return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)).decode()[:NOTE_BYTES]
    except ValueError:
        return ""


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
        tickets: Tickets,
        signups: SignUps,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._directory = directory
        self._calendar = calendar
        self._entropy = entropy
        self._settings = settings
        self._domain = domain
        self._tickets = tickets
        self._signups = signups

    async def make(self, uses: int, days: int, note: str = "") -> str:
        """A new token, good for `uses` accounts during `days` relay days; the day that is running does not count.

        `note` travels in the token and is covered by its digest: nobody can change it, the relay keeps nothing of it. ValueError if it has
        more than `NOTE_BYTES`.
        """
        token = base64.urlsafe_b64encode(self._entropy(TOKEN_BYTES)).rstrip(b"=").decode()
        return await self._keep(token, uses, days, note)

    async def make_cards(self, cards: int, days: int) -> list[str]:
        """So many tokens of 16 letters that can be typed from paper, each good for one account. ValueError: more than `CARDS_MAX`."""
        if not 1 <= cards <= CARDS_MAX:
            raise ValueError("too many cards")
        return [await self._keep(pick(self._entropy, CODE_LETTERS, CODE_CHARACTERS), 1, days, "") for _ in range(cards)]

    async def _keep(self, token: str, uses: int, days: int, note: str) -> str:
        written = note.strip().encode()
        if len(written) > NOTE_BYTES:
            raise ValueError("the note is too long")
        noted = f"{token}.{base64.urlsafe_b64encode(written).rstrip(b'=').decode()}" if written else token
        await self._store.put_invite(digest(noted), uses, self._calendar.day + 1 + days)
        return noted

    async def withdraw(self, token: str) -> bool:
        """The invite makes no more accounts; those it made stay. False: it would have made none anyway."""
        if not await self._store.invite_uses(digest(token)):
            return False
        await self._store.put_invite(digest(token), 0, self._calendar.day + 1)
        return True

    async def uses(self, token: str) -> int:
        """How many accounts the token can still make; none where registration is closed, which is stronger than any invite."""
        return 0 if self._settings().registration == "closed" else await self._store.invite_uses(digest(token))

    async def offer(self) -> tuple[Address, str] | Refusal:
        """A name and a password for anybody who asks, where registration is open; the first login makes the account."""
        return self._offered(self.credentials())

    async def offer_again(self, ticket: str) -> tuple[Address, str] | Refusal:
        """As `offer`, the same for the same ticket. `STALE`: the ticket is too old."""
        credentials = self._tickets.credentials(ticket)
        return STALE if credentials is None else self._offered(credentials)

    def _offered(self, credentials: tuple[Address, str]) -> tuple[Address, str] | Refusal:
        if self._settings().registration != "open":
            return INVITED_ONLY
        return credentials if self._signups.offer(credentials[0]) else TOO_MANY

    def credentials(self) -> tuple[Address, str]:
        """A name and a password of their own; nothing is stored by this."""
        return make_credentials(self._entropy, self._domain)

    async def claim(self, token: str, ticket: str = "") -> tuple[Address, str] | Refusal:
        """The account exists and one use is gone; or a refusal, and nothing happened. Raises `CrewBusy`, `StoreUnavailable`.

        Whoever sends the same ticket again, because the answer was lost, gets the same account and takes no second use.
        """
        if not ticket:
            return await self._claim(token) if await self.uses(token) else INVITE_USED_UP
        credentials = self._tickets.credentials(ticket, token)
        if credentials is None:
            return STALE
        if await self._has(credentials[0]):
            return credentials
        return credentials if await self.uses(token) and await self._claim_as(token, *credentials) else INVITE_USED_UP

    async def _has(self, address: Address) -> bool:
        return await self._store.account(await self._directory.identify(address)) is not None

    async def _claim_as(self, token: str, address: Address, password: str) -> bool:
        record = await self._accounts.new_record(await self._directory.identify(address), password)
        return await self._store.claim_invite(digest(token), record) or await self._has(address)

    async def _claim(self, token: str) -> tuple[Address, str] | Refusal:
        for _ in range(MAX_TRIES):  # a made-up name may be taken, once in 36**9 times
            address, password = self.credentials()
            if await self._has(address):
                continue
            if await self._claim_as(token, address, password):
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
