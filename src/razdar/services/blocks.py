# SPDX-License-Identifier: AGPL-3.0-or-later
"""Accounts that the operator has blocked: they cannot log in, nor receive, nor send, until they are unblocked.

What is kept is the account's id and never the address, in ascending order, so that neither the file nor its order tells who it was or
when. A block stays when its account goes, so nobody can have the name anew. There is no way to list whom the ids belong to: whoever wants
to unblock has to know the address.
"""

import asyncio
from collections.abc import Awaitable, Callable

from razdar.model.address import Address
from razdar.model.ids import AccountId
from razdar.ports.bus import Bus
from razdar.services.directory import Directory
from razdar.vault.account_key import ACCOUNT_ID_BYTES

_HEAD = "razdar blocks 1"


def pack_blocks(blocked: frozenset[AccountId]) -> bytes:
    """The file: a heading, then an id a line."""
    return "".join(f"{line}\n" for line in (_HEAD, *sorted(account.hex() for account in blocked))).encode()


def read_blocks(content: bytes) -> frozenset[AccountId]:
    """What was packed; nobody if it is empty. ValueError for anything else: a block that is lost without a word would be worse."""
    if not content:
        return frozenset()
    head, *lines = content.decode("ascii").splitlines()
    blocked = frozenset(AccountId(bytes.fromhex(line)) for line in lines)
    if head != _HEAD or any(len(account) != ACCOUNT_ID_BYTES for account in blocked):
        raise ValueError(head)
    return blocked


class Blocks:
    """Whom the relay turns away."""

    def __init__(
        self, directory: Directory, bus: Bus, domain: str, blocked: frozenset[AccountId], save: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """`save` keeps the file; it raises OSError if it cannot."""
        self._directory = directory
        self._bus = bus
        self._domain = domain
        self._blocked = blocked
        self._save = save
        self._saving = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._blocked)

    def is_blocked(self, account: AccountId) -> bool:
        """Costs nothing to ask."""
        return account in self._blocked

    def is_ours(self, address: Address) -> bool:
        """Whether the address could be blocked here at all."""
        return address.domain == self._domain

    async def block(self, address: Address) -> bool:
        """The account is blocked, its live connections have ended, and that is on disk. False if it was blocked before.

        Says nothing about whether there is such an account. Raises `CrewBusy`, and OSError if it could not be kept; then it is not blocked.
        """
        account = await self._directory.identify(address)
        if account in self._blocked:
            return False
        await self._change(self._blocked | {account})
        return True

    async def unblock(self, address: Address) -> bool:
        """The account is as it was before. False if it was not blocked. Raises as `block` does."""
        account = await self._directory.identify(address)
        if account not in self._blocked:
            return False
        await self._change(self._blocked - {account})
        return True

    async def _change(self, blocked: frozenset[AccountId]) -> None:
        before, self._blocked = self._blocked, blocked
        for account in blocked - before:
            self._bus.close_account(account)  # before the disk is waited for: whoever is thrown out for nothing comes back
        try:
            async with self._saving:  # a slow write of an earlier state must not come last
                await self._save(pack_blocks(self._blocked))
        except OSError:
            self._blocked = (self._blocked - (blocked - before)) | (before - blocked)  # others may have changed it meanwhile
            raise
