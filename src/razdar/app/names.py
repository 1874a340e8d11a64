# SPDX-License-Identifier: AGPL-3.0-or-later
"""How other relays are found: DNS, what is remembered of it, and what the operator wrote down. Nothing local ever asks here."""

from dataclasses import dataclass

from razdar.adapters import known_names, names_file
from razdar.adapters.clock import SystemClock
from razdar.adapters.dns import DnsResolver
from razdar.adapters.known_names import KnownNames
from razdar.adapters.names_file import NamesBook
from razdar.config import RunConfig
from razdar.model.trouble import Trouble
from razdar.servers.journal import Journal


@dataclass(frozen=True, slots=True)
class Names:
    """Handed to whatever goes out to other relays or checks what comes from them."""

    resolver: DnsResolver
    peers: NamesBook
    known: KnownNames
    journal: Journal

    async def upkeep(self) -> None:
        """A file of names that was edited is in force; new answers are on disk."""
        self.read_again()
        await self.known.save()

    def read_again(self) -> None:
        """The operator's list is in force if it changed. A slip of the pen in it stops nobody's mail: the former list stays."""
        try:
            if self.peers.reload_if_changed():
                self.journal.note("names.reloaded")
        except Trouble:  # `./razdar peer list` and `./razdar check` say where it is
            self.journal.note("names.refused")

    async def close(self) -> None:
        await self.resolver.close()
        await self.known.save()


def open_names(config: RunConfig, clock: SystemClock, journal: Journal) -> Names:
    """Trouble if the setting `dns_servers` has a mistake."""
    settings = config.settings
    known = KnownNames(config.data / known_names.FILE_NAME)
    resolver = DnsResolver(known, clock.monotonic, servers=settings.dns_servers, is_on=settings.dns)
    names = Names(resolver, NamesBook(config.data / names_file.FILE_NAME), known, journal)
    names.read_again()
    return names
