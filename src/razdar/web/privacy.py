# SPDX-License-Identifier: AGPL-3.0-or-later
"""`/privacy`: what the relay keeps, from docs/storage.md's closed list and the settings in force.

Whoever adds a table to the store has to say here, in both languages, what is in it; a test compares the lists.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from razdar.web.pages import Pages

FACTS = ("exists", "waiting", "count", "folders", "used", "login", "tokens")
"""What the disk shows of an address that somebody knows: rows of the first table of docs/storage.md. The texts are `fact_…`."""
TABLES = ("account", "mailbox", "entry", "body", "large", "token", "invite", "meta")
"""Tables of the store. The texts are `table_…`."""
FILES = {
    "store": {"store.db", "store.db-wal", "store.db-shm", "store.generation", "reserve", "lock"},
    "statistics": {"statistics.json"},
    "blocks": {"blocks"},
    "desk": {"console.toml", "passkeys.json", "actions.log"},
    "names": {"names.txt", "known-names.json"},
}
"""Files of the store's folder by the text `file_…` that explains them."""
BESIDE = ("keys", "apps", "run")
"""What else lies in the data folder; the texts are `file_…`, too."""
NEVER = ("senders", "times", "networks", "passwords", "contents")
"""What no table, file or log has. The texts are `never_…`."""


@dataclass(frozen=True, slots=True)
class Privacy:
    """`/privacy`."""

    pages: Pages

    def routes(self) -> list[Route]:
        return [Route("/privacy", self.show)]

    async def show(self, request: Request) -> Response:
        return self.pages.render(request, "privacy.html", facts=FACTS, tables=TABLES, files=(*FILES, *BESIDE), never=NEVER)
