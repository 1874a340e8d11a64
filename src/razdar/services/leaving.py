# SPDX-License-Identifier: AGPL-3.0-or-later
"""What somebody does who has an account and no app at hand: taking a new password, or taking everything away.

Guessing here is as slow as guessing at a login: the same counter, the same waiting line (services/accounts.py). Nothing is ever made.
"""

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.policy.registration import make_password
from razdar.ports.clock import Entropy
from razdar.services.accounts import Accounts
from razdar.services.signups import SignUps
from razdar.wire.smtp.replies import AUTH_FAILED, BLOCKED


class Leaving:
    """Both need address and password; `origin` is the opaque network they come from. Raise `CrewBusy`, `StoreUnavailable`."""

    def __init__(self, accounts: Accounts, signups: SignUps, entropy: Entropy) -> None:
        self._accounts = accounts
        self._signups = signups
        self._entropy = entropy

    async def take_new_password(self, address: Address, password: str, origin: bytes) -> str | Refusal:
        """The new password, which alone opens the account from now on; what waits stays.

        `AUTH_FAILED`: address or password is wrong. `BLOCKED`: the operator has blocked the account; nothing of it changes until that is
        settled, so that whoever made the block necessary does not lock its owner out meanwhile. Its end can still be had (`leave`).
        """
        login = await self._accounts.prove(address, password, origin)
        if isinstance(login, Refusal):
            return AUTH_FAILED
        if self._accounts.is_blocked(login):
            return BLOCKED
        fresh = make_password(self._entropy)
        return fresh if await self._accounts.change_password(login, fresh, origin) else AUTH_FAILED

    async def leave(self, address: Address, password: str, origin: bytes) -> bool:
        """The account and all that waits in it is gone, on every device. False: address or password is wrong."""
        login = await self._accounts.prove(address, password, origin)
        if isinstance(login, Refusal):
            return False
        self._signups.bar(address)
        await self._accounts.delete(login)
        return True
