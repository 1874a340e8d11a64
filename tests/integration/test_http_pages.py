# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages through the edge, over real sockets and real TLS (VECTORS.md "HTTP", "privacy")."""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import pytest
import uvloop
from tests.dclogin import parse_dclogin
from tests.lab.tls import self_signed
from tests.web_pages import DOMAIN, PASSWORD, Page, Relay

from razdar.model.app_file import AppFile
from razdar.servers.alpn import AlpnRouter
from razdar.servers.http import EdgeProtocol, HttpEdge, HttpLimits
from razdar.servers.journal import Journal
from razdar.web.app import make_app

TOKEN = "aaaabbbbccccdddd"


@cache
def server_context() -> ssl.SSLContext:
    """A certificate of the relay's own, as `./razdar up` makes one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        context.load_cert_chain(*self_signed(Path(folder), DOMAIN))
    context.set_alpn_protocols(["http/1.1", "imap", "smtp"])
    return context


def client_context(*alpn: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


class Visit:
    """One connection that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> tuple[int, str]:
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        assert size is not None
        body = await self.reader.readexactly(int(size[1]))
        return int(head.split()[1]), body.decode()


@asynccontextmanager
async def house(relay: Relay) -> AsyncIterator[Callable[..., Awaitable[Visit]]]:
    """The relay's pages on a plain and on a shared TLS port; yields how to visit them."""
    journal = Journal()
    edge = HttpEdge(make_app(relay.site()), HttpLimits(), journal)
    loop = asyncio.get_running_loop()
    router = partial(AlpnRouter, {"http/1.1": edge.protocol_factory})
    plain = await loop.create_server(edge.protocol_factory, "127.0.0.1", 0)
    shared = await loop.create_server(router, ["127.0.0.1", "127.0.0.2"], 0, ssl=server_context())
    writers: list[asyncio.StreamWriter] = []

    async def visit(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Visit:
        listeners = {each.getsockname()[0]: each.getsockname()[1] for each in (shared if tls else plain).sockets}
        reader, writer = await asyncio.open_connection(host, listeners[host], ssl=tls)
        writers.append(writer)
        return Visit(reader, writer)

    try:
        yield visit
    finally:
        for writer in writers:
            writer.transport.abort()
        plain.close()
        shared.close()


def at(relay: Relay, dialogue: Callable[[Callable[..., Awaitable[Visit]]], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(10), house(relay) as visit:
            return await dialogue(visit)

    return uvloop.run(run())


def get(path: str, host: str = "r.example") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def post(path: str, host: str = "r.example", **form: str) -> bytes:
    body = urlencode(form)
    kind = "Content-Type: application/x-www-form-urlencoded\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize("alpn", [(), ("http/1.1",), ("h2", "http/1.1")])
def test_a_browser_makes_an_account_over_the_shared_tls_port(alpn: tuple[str, ...]) -> None:
    async def dialogue(visit: Any) -> str:
        browser = await visit(client_context(*alpn))
        status, welcome = await browser.ask(get("/"))
        assert status == 200
        form = Page(welcome).one("form")
        status, account = await browser.ask(post(form.attributes["action"]))
        assert status == 200
        return str(Page(account).one("a", class_="act").attributes["href"])

    _, password, server = parse_dclogin(at(Relay(), dialogue))
    assert password == PASSWORD
    assert server is not None
    assert server.host == "127.0.0.1"


def test_the_link_carries_the_address_by_which_the_visitor_came_and_no_forged_host() -> None:
    async def dialogue(visit: Any) -> list[str]:
        links = []
        for host in ("127.0.0.1", "127.0.0.2"):
            browser = await visit(client_context(), host)
            _, account = await browser.ask(post("/welcome", host="evil.example"))
            assert "evil" not in account
            links.append(str(Page(account).one("a", class_="act").attributes["href"]))
        return links

    servers = [parse_dclogin(link)[2] for link in at(Relay(), dialogue)]
    assert [server and server.host for server in servers] == ["127.0.0.1", "127.0.0.2"]


def test_plain_http_shows_the_way_and_no_password() -> None:
    async def dialogue(visit: Any) -> tuple[str, int, str]:
        browser = await visit()
        _, welcome = await browser.ask(get("/", host="evil.example"))
        status, refusal = await browser.ask(post("/welcome"))
        return welcome, status, refusal

    welcome, status, refusal = at(Relay(), dialogue)
    assert Page(welcome).one("a", class_="act").attributes["href"] == "https://127.0.0.1:8443/?lang=fa"
    assert "evil" not in welcome
    assert status == 403
    assert PASSWORD not in refusal


def test_two_people_race_for_the_last_use_of_an_invite() -> None:
    relay = Relay(invites={TOKEN: 1})

    async def dialogue(visit: Any) -> list[int]:
        visits = [await visit(client_context()) for _ in range(2)]
        answers = await asyncio.gather(*(each.ask(post(f"/i/{TOKEN}")) for each in visits))
        return sorted(status for status, _ in answers)

    assert at(relay, dialogue) == [200, 410]


@pytest.mark.parametrize("language", ["fa", "en"])
def test_a_form_that_is_too_large_gets_a_kind_page(language: str) -> None:
    request = f"POST /reconnect?lang={language} HTTP/1.1\r\nHost: r\r\nContent-Length: 70000\r\n"
    request += "Content-Type: application/x-www-form-urlencoded\r\n\r\n"

    async def dialogue(visit: Any) -> tuple[int, str]:
        answer: tuple[int, str] = await (await visit(client_context())).ask(request.encode())
        return answer

    status, html = at(Relay(), dialogue)
    assert status == 413
    assert Page(html).one("html").attributes["lang"] == language


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "//evil.example/..",
        "/static/../app.py",
        "/static/../../settings.py",
        "/static/%2e%2e/app.py",
        "/static/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/razdar.css/../../app.py",
        "/apps/../../keys/id_key",
        "/apps/..%2f..%2fkeys%2fid_key",
        "/apps/%2e%2e/apps.json",
        "/apps/apps.json",
        "/apps/./delta.apk",
        "/./",
        "http://evil.example/",
        "*",
    ],
)
def test_odd_targets_find_nothing(target: str) -> None:
    """Unlike a browser, an attacker sends the path as it stands."""

    async def dialogue(visit: Any) -> tuple[int, str]:
        answer: tuple[int, str] = await (await visit(client_context())).ask(get(target))
        return answer

    status, html = at(Relay(), dialogue)
    assert status == 404
    assert "evil" not in html


@pytest.mark.parametrize("path", ["/welcome", f"/i/{TOKEN}", "/account/password", "/account/delete"])
def test_every_form_has_the_same_bound(path: str) -> None:
    """One byte beyond it is 413, and nothing was done."""
    relay = Relay(invites={TOKEN: 1}, accounts={f"annasmith@{DOMAIN}": "secret"})
    request = f"POST {path} HTTP/1.1\r\nHost: r\r\nContent-Length: 65537\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"

    async def dialogue(visit: Any) -> int:
        status, _ = await (await visit(client_context())).ask(request.encode())
        return int(status)

    assert at(relay, dialogue) == 413
    assert (relay.made, relay.invites, len(relay.accounts)) == (0, {TOKEN: 1}, 1)


def test_a_download_over_the_edge_in_parts(tmp_path: Path) -> None:
    """RFC 9110 section 14: what broke off goes on, on the same connection as a page."""
    content = bytes(range(256)) * 2000
    (tmp_path / "delta.apk").write_bytes(content)
    relay = Relay(apps=[AppFile("delta.apk", "2.57.0", 754, len(content), "ab" * 32)], apps_folder=tmp_path)

    async def dialogue(visit: Any) -> bytes:
        browser = await visit(client_context())
        parts = b""
        for span in ("bytes=0-299999", "bytes=300000-"):
            browser.writer.write(f"GET /apps/delta.apk HTTP/1.1\r\nHost: evil.example\r\nRange: {span}\r\n\r\n".encode())
            head = await browser.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 206")
            assert b"evil" not in head
            size = re.search(rb"content-length: (\d+)", head)
            assert size is not None
            parts += await browser.reader.readexactly(int(size[1]))
        status, _ = await browser.ask(get("/"))
        assert status == 200
        return parts

    assert at(relay, dialogue) == content


def test_a_slow_download_gets_time_for_each_part(tmp_path: Path) -> None:
    """The time for an answer is that of a page; a download has it anew after each part that left (servers/http.py)."""
    content = bytes(6_000_000)
    (tmp_path / "delta.apk").write_bytes(content)
    relay = Relay(apps=[AppFile("delta.apk", "2.57.0", 754, len(content), "ab" * 32)], apps_folder=tmp_path)
    moved: list[float] = []

    class Watched(EdgeProtocol):
        def _more_time(self) -> None:
            super()._more_time()
            assert self._deadline is not None
            moved.append(self._deadline.when())

    async def dialogue() -> int:
        edge = HttpEdge(make_app(relay.site()), HttpLimits(), Journal())
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Watched(edge._config, edge._state, edge.limits, edge.routes), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"GET /apps/delta.apk HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n")
        received = await reader.read(-1)
        writer.close()
        server.close()
        return len(received)

    assert uvloop.run(dialogue()) > len(content)
    assert len(moved) > 50
    assert moved == sorted(moved)
    assert moved[-1] > moved[0]


def test_a_session_at_debug_level_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    """Address, password, token, host and IP are in no record that any logger would take."""
    relay = Relay(invites={TOKEN: 1})

    async def dialogue(visit: Any) -> None:
        for tls in (None, client_context()):
            for request in (
                get("/marker-path?marker-query"),
                post("/reconnect", address=f"marker@{DOMAIN}", password="marker-password"),
                post(f"/i/{TOKEN}"),
                post("/new"),
                post("/account/password", address=f"marker@{DOMAIN}", password="marker-password"),
                post("/account/delete", address=f"marker@{DOMAIN}", password="marker-password", sure="yes"),
                get("/i?code=marker"),
                get("/apps/marker.apk"),
            ):
                await (await visit(tls)).ask(request)
        relay.claim_error = LookupError("marker-in-the-text")
        await (await visit(client_context())).ask(post(f"/i/{TOKEN}"))

    with caplog.at_level(logging.NOTSET):
        at(relay, dialogue)
    seen = "\n".join(f"{record.getMessage()} {record.exc_info} {record.args}" for record in caplog.records)
    for marker in ("marker", PASSWORD, TOKEN, "name0000", "r.example", "127.0.0.1"):
        assert marker not in seen
