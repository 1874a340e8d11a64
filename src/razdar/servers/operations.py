# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `./razdar invite`, `status` and `reload` ask of the running relay, over the control socket (servers/control.py).

There is no operation that shows a list of accounts, an address or who wrote to whom: such views do not exist in the code.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from razdar import __version__
from razdar.model.trouble import note_too_long
from razdar.ports.store import Store
from razdar.servers.control import Handler
from razdar.servers.journal import Journal
from razdar.servers.reach import Reach
from razdar.servers.registry import Registry
from razdar.services.calendar import Calendar
from razdar.services.invites import Invites
from razdar.wire.links import dclogin

DONE_BY_HAND = ("peer_add", "peer_remove", "app_add", "app_remove", "backup")
"""What commands do without the relay and only tell it."""


@dataclass(frozen=True, slots=True)
class Operations:
    """One method for each operation; each takes the request and returns the answer."""

    reach: Reach
    invites: Invites
    store: Store
    calendar: Calendar
    registry: Registry
    journal: Journal
    console_link: Callable[[], str]
    """The token of a fresh one-time link."""
    reload_all: Callable[[], None]
    """Raises `Trouble` if the new configuration or certificate cannot be used; then the old ones stay."""
    draw_sheet: Callable[[Sequence[str], str, int, str], str]
    """Codes, the welcome page's address, days and a note: a file of cards to print (web/sheet.py)."""
    reload_names: Callable[[], None]
    """Raises `Trouble` if the operator's list of other relays has a mistake; then the former one stays."""
    log: Callable[[str], Awaitable[None]]
    """A kind of action, for the console's log."""

    def handlers(self) -> dict[str, Handler]:
        """By the operation's name."""
        every = (self.console, self.invite, self.sheet, self.direct, self.status, self.reload, self.names, self.done)
        return {each.__name__: each for each in every}

    async def invite(self, request: Mapping[str, Any]) -> dict[str, Any]:
        uses, days = int(request.get("uses", 1)), int(request.get("days", 7))
        try:
            token = await self.invites.make(uses, days, str(request.get("note", "")))
        except ValueError as error:
            raise note_too_long() from error
        await self.log("invite")
        return {"url": f"{self.reach.page()}i/{token}"}

    async def sheet(self, request: Mapping[str, Any]) -> dict[str, Any]:
        days = int(request["days"])
        codes = await self.invites.make_cards(int(request["cards"]), days)
        await self.log("cards")
        return {"html": self.draw_sheet(codes, self.reach.page(), days, str(request.get("note", "")))}

    async def console(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """A link that lets its operator into the console, once."""
        return {"url": f"{self.reach.page()}console/enter/{self.console_link()}"}

    async def direct(self, _: Mapping[str, Any]) -> dict[str, Any]:
        address, password = await self.invites.direct()
        await self.log("direct")
        return {"dclogin": dclogin(address, password, self.reach.server(self.reach.host()))}

    async def status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        totals = await self.store.totals()
        return {
            "domain": self.reach.domain,
            "version": __version__,
            "relay_day": self.calendar.day,
            "accounts": totals.accounts,
            "waiting_messages": totals.entries,
            "stored_bodies": totals.bodies,
            "disk_bytes": totals.disk_bytes,
            "connections": len(self.registry.live),
            "events": dict(self.journal.counts),
        }

    async def reload(self, _: Mapping[str, Any]) -> dict[str, Any]:
        self.reload_all()
        await self.log("reload")
        return {}

    async def names(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The list of other relays (DIR/names.txt) was changed."""
        self.reload_names()
        return await self.done(request)

    async def done(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A command did something to the data folder by itself; its kind stands in the log."""
        if request.get("done") in DONE_BY_HAND:
            await self.log(str(request["done"]))
        return {}
