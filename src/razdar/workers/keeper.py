# SPDX-License-Identifier: AGPL-3.0-or-later
"""What has to happen now and then: relay days, the certificate's files, devices that stay connected. One task owns all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from razdar.servers.journal import Journal

Chore = Callable[[], Awaitable[None]]


class Keeper:
    """Calls every chore about once in `period_s` seconds; one that fails is tried again the next time and keeps none of the others."""

    def __init__(self, chores: Sequence[Chore], journal: Journal, period_s: float = 60.0) -> None:
        self._chores = chores
        self._journal = journal
        self._period_s = period_s

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._period_s)
            await self.round()

    async def round(self) -> None:
        """Every chore once."""
        for chore in self._chores:
            try:
                await chore()
            except Exception as error:
                self._journal.bug(error)
