# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP edge on real sockets: raw bytes in, raw bytes out (VECTORS.md "HTTP")."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from razdar.servers.http import HttpEdge, HttpLimits
from razdar.servers.http_head import HeadLimits
from razdar.servers.journal import Journal

LIMITS = HttpLimits(linger_s=5)
GET = b"GET / HTTP/1.1\r\nHost: r.example\r\n\r\n"


async def seen(request: Request) -> Response:
    """What an application learns of a connection."""
    return JSONResponse({"client": request.scope["client"], "server": request.scope["server"][0], "scheme": request.scope["scheme"]})


async def size(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())} bytes")


async def deaf(_: Request) -> Response:
    return PlainTextResponse("not read")


async def broken(_: Request) -> Response:
    raise LookupError("marker-in-the-text")


async def large(_: Request) -> Response:
    return Response(b"x" * 4_000_000)


APP = Starlette(
    routes=[
        Route("/", seen),
        Route("/size", size, methods=["POST"]),
        Route("/deaf", deaf, methods=["POST"]),
        Route("/broken", broken),
        Route("/large", large),
    ]
)


@dataclass
class Peer:
    """A client that speaks bytes."""

    edge: HttpEdge
    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes, bytes]:
        """Status, header and body of one answer with a Content-Length."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        return int(head.split()[1]), head, await self.reader.readexactly(int(fields[b"content-length"]))

    async def end(self) -> bytes:
        """Everything until the relay closes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def served(factory: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    """A listener on a free port of this machine."""
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def opened(edge: HttpEdge, port: int) -> AsyncIterator[Peer]:
    """A connection to it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(edge, port, reader, writer)
    finally:
        writer.close()


def talk(dialogue: Callable[[Peer], Awaitable[Any]], limits: HttpLimits = LIMITS, app: Any = APP) -> Any:
    async def run() -> Any:
        edge = HttpEdge(app, limits, Journal())
        async with asyncio.timeout(5), served(edge.protocol_factory) as port, opened(edge, port) as peer:
            answer = await dialogue(peer)
            edge.close()
            return answer

    return uvloop.run(run())


def exchange(request: bytes, limits: HttpLimits = LIMITS) -> tuple[int, bytes, bytes]:
    async def dialogue(peer: Peer) -> tuple[int, bytes, bytes]:
        await peer.say(request)
        return await peer.answer()

    answer: tuple[int, bytes, bytes] = talk(dialogue, limits)
    return answer


def refused(request: bytes, limits: HttpLimits = LIMITS) -> tuple[int, bytes]:
    """Status and everything that came until the connection was closed by the relay."""

    async def dialogue(peer: Peer) -> bytes:
        await peer.say(request)
        return await peer.end()

    everything: bytes = talk(dialogue, limits)
    return int(everything.split()[1]), everything


# what an application and the other side learn


def test_the_application_learns_our_address_and_never_the_peers() -> None:
    _, _, body = exchange(GET)
    assert json.loads(body) == {"client": None, "server": "127.0.0.1", "scheme": "http"}


def test_no_field_tells_the_software_or_the_time() -> None:
    _, head, _ = exchange(GET)
    assert b"\r\nserver:" not in head.lower()
    assert b"\r\ndate:" not in head.lower()  # RFC 9110 section 6.6.1: not without a good clock


def test_nothing_is_logged_even_at_the_lowest_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(1):
        for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
            caplog.set_level(1, logger=name)
        exchange(GET)
        refused(b"nonsense\r\n\r\n")
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_a_bug_of_the_application_is_journalled_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("marker-in-the-text")

    async def dialogue(peer: Peer) -> bytes:
        await peer.say(GET.replace(b"Host", b"Connection: close\r\nHost"))
        return await peer.end()

    with caplog.at_level(logging.DEBUG):
        answer = talk(dialogue, app=app)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert "LookupError" in caplog.text
    assert "marker-in-the-text" not in caplog.text
    assert b"marker-in-the-text" not in answer


# ordinary use


def test_a_connection_is_kept_for_the_next_request() -> None:
    async def dialogue(peer: Peer) -> list[int]:
        statuses = []
        for _ in range(3):
            await peer.say(GET)
            statuses.append((await peer.answer())[0])
        return statuses

    assert talk(dialogue) == [200, 200, 200]


def test_pipelined_requests_are_answered_in_order() -> None:
    async def dialogue(peer: Peer) -> list[bytes]:
        await peer.say(b"".join(b"POST /size HTTP/1.1\r\nHost: r\r\nContent-Length: %d\r\n\r\n%s" % (n, b"x" * n) for n in (1, 2, 3)))
        return [(await peer.answer())[2] for _ in range(3)]

    assert talk(dialogue) == [b"1 bytes", b"2 bytes", b"3 bytes"]


def test_a_chunked_body_arrives() -> None:
    request = b"POST /size HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert exchange(request)[2] == b"5 bytes"


def test_expect_100_is_answered() -> None:
    async def dialogue(peer: Peer) -> tuple[bytes, int]:
        await peer.say(b"POST /size HTTP/1.1\r\nHost: r\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        go_on = await peer.reader.readuntil(b"\r\n\r\n")
        await peer.say(b"ab")
        return go_on, (await peer.answer())[0]

    go_on, status = talk(dialogue)
    assert go_on.startswith(b"HTTP/1.1 100 ")
    assert status == 200


def test_a_connection_found_by_alpn_can_be_handed_over() -> None:
    """As the router of port 443 does it: set_protocol, then connection_made."""

    async def dialogue(peer: Peer) -> int:
        class Router(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                inner = peer.edge.protocol_factory()
                transport.set_protocol(inner)
                inner.connection_made(transport)

        async with served(Router) as port, opened(peer.edge, port) as routed:
            await routed.say(GET)
            return (await routed.answer())[0]

    assert talk(dialogue) == 200


# request smuggling (RFC 9112 section 11.2)

INNER = b"GET /smuggled HTTP/1.1\r\nHost: r\r\n\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % (len(INNER) + 5),
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: y\r\n Transfer-Encoding: chunked\r\n",
        b"X: y\nContent-Length: 5\r\n",
    ],
)
def test_an_ambiguous_request_is_refused_and_nothing_after_it_is_read(fields: bytes) -> None:
    status, everything = refused(b"POST /size HTTP/1.1\r\nHost: r\r\n" + fields + b"\r\n0\r\n\r\n" + INNER)
    assert status == 400
    assert everything.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "chunk", [b"g\r\nabc\r\n", b"-1\r\n", b"3\nabc\r\n", b"3\r\nabcd\r\n", b"fffffffffffffffffffffffff\r\n", b"3;" + b"x" * 20_000]
)
def test_a_broken_chunk_ends_the_connection(chunk: bytes) -> None:
    async def dialogue(peer: Peer) -> bytes:
        await peer.say(b"POST /size HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n" + INNER)
        return await peer.end()

    everything = talk(dialogue)
    assert everything.count(b"HTTP/1.1 ") == 1
    assert everything.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))


def test_the_unread_rest_of_a_body_is_never_taken_for_a_request() -> None:
    status, everything = refused(b"POST /deaf HTTP/1.1\r\nHost: r\r\nContent-Length: 500\r\n\r\n" + INNER)
    assert status == 200
    assert everything.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00\x01\x00", b"EHLO x.example\r\n\r\n", b"a1 LOGIN b c\r\n\r\n", b"\r\n\r\n", b"GET /\r\n\r\n"]
)
def test_another_protocol_is_refused(nonsense: bytes) -> None:
    """ALPN cross-protocol and the like: bytes that are no HTTP (VECTORS "TLS")."""
    assert refused(nonsense)[0] == 400


def test_a_request_without_host_is_refused() -> None:
    assert refused(b"GET / HTTP/1.1\r\n\r\n")[0] == 400  # RFC 9112 section 3.2


# limits


def test_a_header_bomb_is_refused() -> None:
    assert refused(b"GET / HTTP/1.1\r\nHost: r\r\n" + b"X: y\r\n" * 2_000 + b"\r\n")[0] == 431
    assert refused(b"GET / HTTP/1.1\r\nHost: r\r\nX: " + b"y" * 100_000)[0] == 431
    assert refused(b"GET /" + b"y" * 3_000 + b" HTTP/1.1\r\nHost: r\r\n\r\n")[0] == 414


def test_a_large_body_is_refused_before_it_is_sent() -> None:
    request = b"POST /size HTTP/1.1\r\nHost: r\r\nContent-Length: 100000000\r\nExpect: 100-continue\r\n\r\n"
    status, everything = refused(request)
    assert status == 413
    assert b"100 Continue" not in everything


def test_a_body_of_unknown_length_is_refused_when_it_grows_too_large() -> None:
    async def dialogue(peer: Peer) -> bytes:
        await peer.say(b"POST /size HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n")
        await peer.say((b"2000\r\n" + b"x" * 0x2000 + b"\r\n") * 9)
        return await peer.reader.readuntil(b"\r\n")

    assert talk(dialogue).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert exchange(b"POST /size HTTP/1.1\r\nHost: r\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65_536)[2] == b"65536 bytes"


def test_connections_beyond_the_bound_get_503() -> None:
    async def dialogue(peer: Peer) -> tuple[bytes, int]:
        await peer.say(GET)
        await peer.answer()
        async with opened(peer.edge, peer.port) as late:
            refusal = await late.end()
        await peer.say(GET)
        return refusal, (await peer.answer())[0]

    refusal, status = talk(dialogue, replace(LIMITS, connections=1))
    assert refusal.startswith(b"HTTP/1.1 503 ")
    assert status == 200


def test_a_place_is_free_again_after_a_connection_ended() -> None:
    async def dialogue(peer: Peer) -> int:
        await peer.say(GET.replace(b"Host", b"Connection: close\r\nHost"))
        await peer.end()
        async with opened(peer.edge, peer.port) as late:
            await late.say(GET)
            return (await late.answer())[0]

    assert talk(dialogue, replace(LIMITS, connections=1)) == 200


def test_closing_ends_idle_connections_and_lets_an_answer_finish() -> None:
    gate = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await gate.wait()
        await PlainTextResponse("done")(scope, receive, send)

    async def dialogue(peer: Peer) -> tuple[bytes, bytes, bytes]:
        async with opened(peer.edge, peer.port) as slow, opened(peer.edge, peer.port) as wrong:
            await peer.say(GET)
            await peer.answer()
            await wrong.say(b"nonsense\r\n\r\n")
            await wrong.reader.readuntil(b"\r\n\r\n")
            await slow.say(GET.replace(b"/", b"/slow", 1))
            await peer.say(GET)
            await peer.answer()  # by now the slow request has been read, too
            peer.edge.close()
            gate.set()
            return await peer.end(), (await slow.answer())[2], await slow.end()

    assert talk(dialogue, app=app) == (b"", b"done", b"")


# slow peers


@pytest.mark.parametrize(
    "beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: r\r\n", b"POST /size HTTP/1.1\r\nHost: r\r\nContent-Length: 5\r\n\r\nab"]
)
def test_half_a_request_is_given_up_after_the_deadline(beginning: bytes) -> None:
    assert refused(beginning, replace(LIMITS, request_s=0.1))[0] == 408


def test_one_byte_at_a_time_does_not_move_the_deadline() -> None:
    """Slow loris: each byte comes well before any idle timeout."""

    async def dialogue(peer: Peer) -> bytes:
        reply = asyncio.ensure_future(peer.reader.readuntil(b"\r\n"))
        await peer.say(b"GET / HTTP/1.1\r\nHost: r\r\nX: ")
        while not reply.done():
            await peer.say(b"y")
            await asyncio.wait([reply], timeout=0.02)
        return reply.result()

    assert talk(dialogue, replace(LIMITS, request_s=0.2)).startswith(b"HTTP/1.1 408 ")


def test_the_second_request_of_a_connection_has_a_deadline_too() -> None:
    async def dialogue(peer: Peer) -> bytes:
        await peer.say(GET)
        await peer.answer()
        await peer.say(b"GET / HT")
        return await peer.end()

    assert talk(dialogue, replace(LIMITS, request_s=0.1)).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed_without_a_word() -> None:
    async def dialogue(peer: Peer) -> bytes:
        await peer.say(GET)
        await peer.answer()
        return await peer.end()

    assert talk(dialogue, replace(LIMITS, keep_alive_s=0)) == b""


def test_a_peer_that_does_not_read_its_answer_is_cut_off() -> None:
    async def dialogue(peer: Peer) -> int:
        await peer.say(b"GET /large HTTP/1.1\r\nHost: r\r\n\r\n")
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        while peer.edge.connections:  # noqa: ASYNC110 - only the edge knows
            await asyncio.sleep(0.02)
        return peer.edge.connections

    assert talk(dialogue, replace(LIMITS, answer_s=0.2, keep_alive_s=0, linger_s=0.2)) == 0


def test_an_application_that_hangs_is_cut_off() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def dialogue(peer: Peer) -> bytes:
        await peer.say(GET)
        return await peer.end()

    assert talk(dialogue, replace(LIMITS, answer_s=0.1), app) == b""


def test_small_limits_apply_to_heads() -> None:
    assert refused(GET, replace(LIMITS, head=HeadLimits(fields=0)))[0] == 431
