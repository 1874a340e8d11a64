# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages on a real port with real TLS, for a browser: in a thread of their own, because the browser's driver blocks ours."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.integration.test_http_pages import server_context

from razdar.servers.http import HttpEdge, HttpLimits
from razdar.servers.journal import Journal


@dataclass
class Stage:
    """Where the pages are, and what plays there."""

    secure: str = ""
    plain: str = ""
    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None, "nothing plays"
        await self.app(scope, receive, send)


@contextmanager
def staged() -> Iterator[Stage]:
    """A stage behind the relay's own edge, until the end of the block; set its `app`."""
    stage, loop = Stage(), uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    edge = HttpEdge(stage, HttpLimits(connections=10_000), Journal())
    servers = asyncio.run_coroutine_threadsafe(_listen(edge), loop).result(10)
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    stage.plain, stage.secure = f"http://127.0.0.1:{ports[0]}", f"https://127.0.0.1:{ports[1]}"
    try:
        yield stage
    finally:
        asyncio.run_coroutine_threadsafe(_close(servers, edge), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _listen(edge: HttpEdge) -> list[asyncio.Server]:
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(edge.protocol_factory, "127.0.0.1", 0)
    return [plain, await loop.create_server(edge.protocol_factory, "127.0.0.1", 0, ssl=server_context())]


async def _close(servers: list[asyncio.Server], edge: HttpEdge) -> None:
    for server in servers:
        server.close()
    for connection in list(edge._state.connections):
        connection.transport.abort()
    for server in servers:
        await server.wait_closed()
