# SPDX-License-Identifier: AGPL-3.0-or-later
"""A little DNS server for tests: UDP and TCP on one address, answers from a table, and it can be made to misbehave.

In a test's own event loop: `async with DnsServer({"one.example": {"MX": ["10 mx.one.example."]}}) as server`. In a network namespace, as a
process of its own: `python -m tests.lab.dns_server --listen 127.0.0.53 --port 53 --zone FILE`, where FILE is the table in JSON; it is
read again at SIGHUP, so that names can change while relays run. An empty answer for a name that the table has is NODATA, a name that it
does not have is NXDOMAIN (RFC 2308).
"""

import argparse
import asyncio
import json
import signal
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Zone = Mapping[str, Mapping[str, Sequence[str]]]
"""Records in zone-file form, by name without the last dot and type."""


class DnsServer:
    """Answers from `zone`. Change the attributes while it runs."""

    def __init__(self, zone: Zone | None = None, *, host: str = "127.0.0.1", port: int = 0, ttl: int = 60) -> None:
        self.zone: dict[str, Mapping[str, Sequence[str]]] = dict(zone or {})
        self.ttl = ttl
        self.asked: list[tuple[str, str, str]] = []
        """Name, type and `udp` or `tcp` of every question."""
        self.is_silent = False
        self.is_failing = False
        """SERVFAIL to everything."""
        self.is_truncating = False
        """Over UDP only a word that the answer is to be had over TCP."""
        self.may_answer = asyncio.Event()
        """Cleared: answers wait until it is set again."""
        self.may_answer.set()
        self._arrived = asyncio.Event()
        self._host, self._port = host, port

    @property
    def server(self) -> str:
        """As in the setting `dns_servers`."""
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    async def __aenter__(self) -> "DnsServer":
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve, self._host, self._port)
        self._port = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), (self._host, self._port))
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._udp.close()
        self._tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def received(self, packet: bytes, transport: asyncio.DatagramTransport, sender: tuple[str, int]) -> None:
        task = asyncio.create_task(self._reply(packet, transport, sender))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, packet: bytes, transport: asyncio.DatagramTransport, sender: tuple[str, int]) -> None:
        answer = await self._answer(packet, "udp")
        if answer is not None and not transport.is_closing():
            transport.sendto(answer, sender)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = await self._answer(await reader.readexactly(length), "tcp")
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, packet: bytes, way: str) -> bytes | None:
        query = dns.message.from_wire(packet)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype), way))
        self._arrived.set()
        await self.may_answer.wait()
        if self.is_silent:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if self.is_failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif self.is_truncating and way == "udp":
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, question.rdtype)
        return response.to_wire(max_size=65_535 if way == "tcp" else 1_232, prefer_truncation=True)

    async def questions(self, count: int) -> None:
        """So many have come, since the beginning."""
        while len(self.asked) < count:
            self._arrived.clear()
            await self._arrived.wait()

    def _fill(self, response: dns.message.Message, name: str, kind: dns.rdatatype.RdataType) -> None:
        for _ in range(8):  # CNAMEs
            records = self.zone.get(name)
            if records is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
                return
            alias = records.get("CNAME", ())
            found = alias or records.get(dns.rdatatype.to_text(kind), ())
            if found:
                is_alias = dns.rdatatype.CNAME if alias else kind
                response.answer.append(dns.rrset.from_text_list(f"{name}.", self.ttl, dns.rdataclass.IN, is_alias, list(found)))
            if not alias:
                return
            name = alias[0].removesuffix(".").lower()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.received(data, self._transport, addr)


async def serve(host: str, port: int, zone: Path) -> None:
    async with DnsServer(host=host, port=port) as server:

        def read_again() -> None:
            server.zone = dict(json.loads(zone.read_bytes()))

        read_again()

        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, read_again)
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        print("ready", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=53)
    parser.add_argument("--zone", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.listen, given.port, given.zone))
