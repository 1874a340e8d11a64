# SPDX-License-Identifier: AGPL-3.0-or-later
"""From an address to an account id, which is slow on purpose (DESIGN section 4): whoever takes the disk and all keys pays at least 3 ms
for every address that he wants to test. The relay itself pays once and remembers the answer in RAM."""

from razdar.model.address import Address
from razdar.model.ids import AccountId
from razdar.ports.crew import Crew
from razdar.vault.account_key import derive_id
from razdar.vault.cache import AddressCache


class Directory:
    """Account ids of local addresses."""

    def __init__(self, crew: Crew, id_key: bytes, cache: AddressCache) -> None:
        self._crew = crew
        self._id_key = id_key
        self.cache = cache

    def known(self, address: Address) -> AccountId | None:
        """The id if it costs nothing to tell it. Says nothing about whether the account exists."""
        return self.cache.find(address)

    async def identify(self, address: Address, lane: bytes = b"") -> AccountId:
        """The id of the account that this address has or would have. `lane`: see `Crew.run`. Raises `CrewBusy`."""
        found = self.cache.find(address)
        if found is None:
            found = await self.derive(address, lane)
            self.cache.remember(address, found)
        return found

    async def derive(self, address: Address, lane: bytes = b"") -> AccountId:
        """The same at full cost, whether it is remembered or not. Raises `CrewBusy`."""
        return await self._crew.run(lambda: derive_id(self._id_key, address), lane)
