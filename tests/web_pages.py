# SPDX-License-Identifier: AGPL-3.0-or-later
"""A relay for the pages to speak of, and a page taken apart: for the tests of razdar.web."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from razdar.model.address import Address
from razdar.model.app_file import AppFile
from razdar.model.verdict import Refusal
from razdar.services.invites import STALE
from razdar.settings import Settings, port_layout
from razdar.web.app import make_app
from razdar.web.site import Credentials, Site
from razdar.wire.links import ANY_CERTIFICATE, Server
from razdar.wire.smtp import replies

DOMAIN = "k7f3q9d2.razdar.alt"
HERE = "192.0.2.7"
FINGERPRINT = ":".join(["A1"] * 32)
PASSWORD = "p&w/d?=+ %ü2345678901"
CLOSED = Refusal(550, "5.7.1", "Registration is closed")
LATER = Refusal(450, "4.7.1", "Later")
USED_UP = Refusal(550, "5.7.1", "Used up")


@dataclass
class Relay:
    """What the pages see, in memory; counts what they asked for."""

    settings: Settings = field(default_factory=Settings)
    domain: str = DOMAIN
    ports: Mapping[str, int] = field(default_factory=lambda: port_layout("high"))
    is_self_signed: bool = True
    refusal: Refusal | None = None
    invites: dict[str, int] = field(default_factory=dict)
    claim_error: Exception | None = None
    reported: list[BaseException] = field(default_factory=list)
    made: int = 0
    may_join: bool = True
    apps: list[AppFile] = field(default_factory=list)
    apps_folder: Path = Path("/nonexistent")
    accounts: dict[str, str] = field(default_factory=dict)
    """Password by address, for `/account`."""
    tickets: dict[str, Credentials] = field(default_factory=dict)
    networks: list[bytes] = field(default_factory=list)
    is_blocked: bool = False
    """Everybody."""

    def site(self) -> Site:
        return Site(
            settings=lambda: self.settings,
            domain=self.domain,
            ports=self.ports,
            is_self_signed=lambda: self.is_self_signed,
            fingerprint=lambda: FINGERPRINT,
            server_for=self.server_for,
            new_credentials=self.new_credentials,
            fresh_ticket=self.fresh_ticket,
            credentials_for=self.credentials_for,
            may_join=lambda: self.may_join and self.settings.registration == "open",
            invite_uses=self.invite_uses,
            claim_invite=self.claim_invite,
            new_password=self.new_password,
            leave=self.leave,
            apps=lambda: self.apps,
            app_path=lambda name: self.apps_folder / name,
            report=self.report,
            now=lambda: 1_795_000_000,
        )

    def server_for(self, local_address: str) -> Server:
        if not self.is_self_signed:
            return Server(self.domain, self.ports["imaps"], self.ports["submissions"])
        host = self.settings.advertise or local_address
        return Server(host, self.ports["imaps"], self.ports["submissions"], certificate_checks=ANY_CERTIFICATE)

    async def new_credentials(self) -> Credentials | Refusal:
        if self.refusal is not None:
            return self.refusal
        self.made += 1
        return Address(f"name{self.made:05}", self.domain), PASSWORD

    async def invite_uses(self, token: str) -> int:
        return self.invites.get(token, 0)

    def fresh_ticket(self) -> str:
        return f"ticket{len(self.tickets)}"

    async def credentials_for(self, ticket: str) -> Credentials | Refusal:
        if not ticket.startswith("ticket"):
            return STALE
        found = self.tickets.get(ticket) or await self.new_credentials()
        if not isinstance(found, Refusal):
            self.tickets[ticket] = found
        return found

    async def new_password(self, address: Address, password: str, network: bytes) -> str | Refusal:
        if self.is_blocked:
            return replies.BLOCKED
        return "fresh-password-of-22-l" if await self.leave(address, password, network) else replies.AUTH_FAILED

    async def leave(self, address: Address, password: str, network: bytes) -> bool:
        if self.claim_error is not None:
            raise self.claim_error
        self.networks.append(network)
        if self.accounts.get(str(address)) != password:
            return False
        del self.accounts[str(address)]
        return True

    async def claim_invite(self, token: str, ticket: str) -> Credentials | Refusal:
        if self.claim_error is not None:
            raise self.claim_error
        if ticket in self.tickets:
            return self.tickets[ticket]
        if not self.invites.get(token):
            return USED_UP
        self.invites[token] -= 1
        return await (self.credentials_for(ticket) if ticket else self.new_credentials())

    def report(self, error: BaseException) -> str:
        self.reported.append(error)
        return "1a2b3c4d"


class Browser:
    """Asks the application in this process; follows nothing by itself and has no cookies."""

    def __init__(self, relay: Relay, base_url: str = f"https://{HERE}:8443") -> None:
        """The host of `base_url` is the relay's own address of the connection, as the edge would say it."""
        self.app = make_app(relay.site())
        self.base_url = base_url

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=("", 0))
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url, trust_env=False) as http:
                return await http.request(method, path, **request)

        return asyncio.run(run())

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self.ask("GET", path, **request)

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.ask("POST", path, **request)

    def page(self, path: str, **request: Any) -> "Page":
        return Page(self.get(path, **request).text)


VOID = {"meta", "link", "input", "br", "img"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None

    def ancestors(self) -> "list[Element]":
        """The element itself and what it stands in."""
        return [self, *(self.parent.ancestors() if self.parent else [])]

    @property
    def is_foreign(self) -> bool:
        """In another direction or language than the page, and marked so."""
        inner = self.ancestors()[:-1] if self.ancestors()[-1].tag == "html" else self.ancestors()
        return any(each.tag == "bdi" or "lang" in each.attributes for each in inner)


class Page(HTMLParser):
    """Elements and texts of a page. AssertionError if an element is not closed where it must be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: list[tuple[str, Element]] = []
        self._open: Element | None = None
        self.feed(html)
        self.close()
        assert self._open is None, "an element is never closed"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self.elements.append(element)
        if tag not in VOID:
            self._open = element

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}, self._open))

    def handle_endtag(self, tag: str) -> None:
        assert self._open is not None, f"</{tag}> closes nothing"
        assert self._open.tag == tag, f"</{tag}> closes <{self._open.tag}>"
        self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        if data.strip():
            assert self._open is not None
            self.texts.append((data.strip(), self._open))

    def find(self, tag: str, **attributes: str) -> list[Element]:
        """All elements of that kind with these attributes (class_ for class)."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [each for each in self.elements if each.tag == tag and wanted.items() <= each.attributes.items()]

    def one(self, tag: str, **attributes: str) -> Element:
        found = self.find(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of <{tag} {attributes}>"
        return found[0]

    def text(self, tag: str = "body") -> str:
        """Everything that is read in `tag`."""
        return " ".join(text for text, element in self.texts if any(each.tag == tag for each in element.ancestors()))
