# SPDX-License-Identifier: AGPL-3.0-or-later
"""A relay with an operator's desk, in this process: real statistics, blocks, invites, sessions and settings over a store in RAM."""

import asyncio
import re
import secrets
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.service_world import DOMAIN, FakeClock, World
from tests.web_pages import Element, Page, Relay

from razdar.adapters.certificate_look import Seen
from razdar.adapters.peer_list import PeerFile
from razdar.app.desk_settings import can_change, change, own_value
from razdar.config import read_config
from razdar.model.app_file import AppFile
from razdar.model.trouble import Trouble
from razdar.services.action_log import ActionLog
from razdar.services.blocks import Blocks
from razdar.services.statistics import PeerState, Sample, Statistics
from razdar.web.app import make_app
from razdar.web.console.desk import Desk
from razdar.web.console.guard import COOKIE
from razdar.web.console.passkeys import Passkeys
from razdar.web.console.sessions import Sessions
from razdar.wire.statement import Signed, Statement

NOW_S = 1_795_000_000 // 3600 * 3600
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
APP = AppFile("deltachat-2.57.0.apk", "2.57.0", 754, 83_000_000, "ab" * 32)
PEER_FORM = {"name": "Other.example", "addresses": "192.0.2.۷", "https_port": "۸۴۴۳", "smtp_port": "25"}
PASSPHRASE = "a very long passphrase"
HOUR_EVENTS = {
    "message.accepted": 130,
    "message.delivered": 410,
    "message.refused.523": 60,
    "message.refused.550": 30,
    "message.refused.450": 20,
    "message.refused.452": 20,
    "message.refused.554": 20,
    "login.refused": 200,
    "connection.refused": 20,
    "smuggling.refused": 10,
}


@dataclass
class Office:
    """Everything, and what was kept of it on disk. `data` is a folder for its settings."""

    data: Path
    accounts: int = 120
    is_self_signed: bool = False
    disk: dict[str, bytes] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)
    trouble: Trouble | None = None
    peers: tuple[PeerState, ...] = ()
    is_disk_full: bool = False
    seen: Seen | None = None
    """What a look at another relay's certificate shows."""
    names_read: int = 0
    kept: bytes = b""
    """Statistics of earlier days (services/hours.py)."""

    def __post_init__(self) -> None:
        self.world = World()
        self.clock = FakeClock(NOW_S, 0.0)
        self.config = read_config(self.data)
        self.relay = Relay(domain=DOMAIN, is_self_signed=self.is_self_signed, settings=self.config.settings)
        self.statistics = Statistics(self.clock, self.kept, self.saver("statistics"))
        self.blocks = Blocks(self.world.directory, self.world.bus, DOMAIN, frozenset(), self.saver("blocks"))
        self.sessions = Sessions(secrets.token_bytes, self.clock.monotonic)
        self.passkeys = Passkeys(secrets.token_bytes, self.clock.monotonic, b"", self.saver("passkeys"))
        self.log = ActionLog(self.clock, b"", self.saver("log"))
        self.reloads = 0
        self.app = make_app(self.relay.site(), self.desk())

    def saver(self, name: str) -> Callable[[bytes], Any]:
        async def save(content: bytes) -> None:
            self.disk[name] = content

        return save

    def desk(self) -> Desk:
        return Desk(
            statistics=self.statistics,
            blocks=self.blocks,
            invites=self.world.invites,
            sessions=self.sessions,
            passkeys=self.passkeys,
            log=self.log,
            statement=self.statement,
            page=lambda: f"https://{DOMAIN}/",
            changeable=lambda: can_change(self.config),
            own_value=lambda name: own_value(self.config, name),
            change=self.change,
            certificate_expires=lambda: NOW_S + 60 * 86_400,
            reload=self.reload,
            backup=self.backup,
            domain=DOMAIN,
            peers=PeerFile(self.data, lambda *_: self.seen),
            read_names=self.read_names,
            apps=lambda: self.relay.apps,
            remove_app=self.remove_app,
            count=self.counted.append,
        )

    def statement(self) -> Signed:
        text = Statement(DOMAIN, len(self.blocks), "2026-11-18").text()
        return Signed(text, KEY.sign(text.encode()), KEY.public_key().public_bytes_raw())

    def read_names(self) -> None:
        self.names_read += 1

    async def remove_app(self, name: str) -> None:
        self.relay.apps = [each for each in self.relay.apps if each.name != name]

    async def change(self, name: str, text: str | None) -> None:
        change(self.config, self.reload, name, text)

    def reload(self) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.reloads += 1
        self.config = self.config.reload()
        self.relay.settings = self.config.settings

    async def backup(self, passphrase: str) -> bytes:
        return b"razdar backup of " + str(len(passphrase)).encode()

    def live(self, hours: int = 30, events: dict[str, int] | None = None) -> "Office":
        """So many hours go by, each with the same events."""
        counts: dict[str, int] = {}
        for _ in range(hours):
            for name, amount in (HOUR_EVENTS if events is None else events).items():
                counts[name] = counts.get(name, 0) + amount
            for _ in range(6):
                self.clock.now_s += 600
                self.clock.monotonic_s += 599
                self.look(counts)
        return self

    def look(self, counts: dict[str, int] | None = None) -> None:
        sample = Sample(
            accounts=self.accounts,
            connections=77,
            events=counts or {},
            peers=self.peers,
            disk_free_bytes=8 << 30,
            disk_bytes=20 << 30,
            is_disk_full=self.is_disk_full,
            memory_bytes=90 << 20,
            memory_free_bytes=700 << 20,
            certificate_days=60,
            is_self_signed=self.is_self_signed,
            logins_room=200,
        )
        apart(self.statistics.tick(sample))


def apart(work: Coroutine[Any, Any, Any]) -> None:
    """Done in a thread of its own: the driver of a browser has a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def carried(page: Page, form: Element) -> dict[str, str]:
    """What the form sends when nobody types anything."""
    return {each.attributes["name"]: each.attributes["value"] for each in page.find("input") if form in each.ancestors()}


class Operator:
    """A browser with a cookie jar of one cookie; follows nothing by itself."""

    def __init__(self, office: Office, language: str = "en", base_url: str = "https://192.0.2.7:8443") -> None:
        self.office = office
        self.language = language
        self.base_url = base_url
        self.cookie = ""
        self.form_token = ""

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.office.app, raise_app_exceptions=False, client=("", 0))
            headers = {**({"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}), **request.pop("headers", {})}
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url, trust_env=False) as http:
                return await http.request(method, f"{path}{'&' if '?' in path else '?'}lang={self.language}", headers=headers, **request)

        answer = asyncio.run(run())
        assert not self.office.relay.reported, self.office.relay.reported
        return answer

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self.ask("GET", path, **request)

    def page(self, path: str, **request: Any) -> Page:
        return Page(self.get(path, **request).text)

    def enter(self) -> "Operator":
        """With a fresh link."""
        answer = self.ask("POST", f"/console/enter/{self.office.sessions.make_link()}")
        assert answer.status_code == 303
        self.take_cookie(answer)
        return self

    def take_cookie(self, answer: httpx.Response) -> None:
        found = re.match(rf"{COOKIE}=([0-9a-f]+); ", answer.headers["set-cookie"])
        assert found is not None
        self.cookie = found[1]
        self.form_token = self.page("/console/people").find("input", name="form")[0].attributes["value"]

    def send(self, path: str, **form: str) -> httpx.Response:
        return self.ask("POST", path, data={"form": self.form_token, **form})

    def do(self, action: str, **values: str) -> httpx.Response:
        """Without being asked again."""
        return self.send(f"/console/do/{action}", sure="1", **values)

    def press(self, answer: httpx.Response, action: str) -> httpx.Response:
        """The button of a further action on the page."""
        page = Page(answer.text)
        form = page.find("form", action=f"/console/do/{action}?lang={self.language}")[0]
        return self.ask("POST", f"/console/do/{action}", data=carried(page, form))

    def undo(self, answer: httpx.Response) -> httpx.Response:
        """The button that takes it back."""
        page = Page(answer.text)
        form = next(each for each in page.find("form") if each.attributes["action"].startswith("/console/do/"))
        return self.ask("POST", form.attributes["action"].partition("?")[0], data=carried(page, form))
