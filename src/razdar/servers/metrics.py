# SPDX-License-Identifier: AGPL-3.0-or-later
"""Numbers for Prometheus on a port of this machine's own loopback address, off unless `metrics_port` is set.

Who keeps such numbers keeps a diary, so this one must not tell of anybody: no address, no account, no peer, and of what people do only
totals, rounded down to tens, and only from fifty
accounts on (policy/totals.py). Below that the machine speaks of itself alone: disk,
certificate, memory, its own events. Every answer within a minute is the same one, so that asking often shows nothing finer. An event not
known to be the machine's own counts as people's.

The text format is Prometheus' exposition format 0.0.4, which is simpler than a library for it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from razdar.policy.totals import PEOPLE_FROM, STEP
from razdar.servers.journal import Journal
from razdar.servers.listening import Door, OpenDoor, listen

ADDRESS = "127.0.0.1"
SIZE_STEP = 1_048_576
FRESH_S = 60.0
OWN_EVENTS = ("bug", "certificate.", "disk.", "relay.", "reload.", "settle.failed", "store.")
"""Events of the machine itself, or how their names begin."""

_HEAD_BYTES, _PATIENCE_S = 8_192, 10.0
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What the relay knows of itself at this moment, exactly; what of it is shown is decided by `exposition`."""

    version: str
    relay_day: int
    certificate_days: int
    disk_free_bytes: int
    is_disk_full: bool
    memory_bytes: int
    store_bytes: int
    accounts: int
    waiting_messages: int
    stored_bodies: int
    connections: int
    queues: Mapping[str, int]
    """Jobs that wait, by the queue's name."""
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric and its rows: labels as they are written, and the value."""

    name: str
    about: str
    rows: Sequence[tuple[str, int]]
    kind: str = "gauge"

    def lines(self) -> Iterator[str]:
        if self.rows:
            yield f"# HELP razdar_{self.name} {self.about}"
            yield f"# TYPE razdar_{self.name} {self.kind}"
            yield from (f"razdar_{self.name}{labels} {value}" for labels, value in self.rows)


def exposition(readings: Readings) -> str:
    """The text that is served."""
    families = [*_machine(readings), *(_people(readings) if readings.accounts >= PEOPLE_FROM else ()), _events(readings)]
    return "".join(f"{line}\n" for family in families for line in family.lines())


def _machine(now: Readings) -> Iterator[_Family]:
    yield _Family("info", "the version that runs", [(_label("version", now.version), 1)])
    yield _one("relay_days", "relay days so far", now.relay_day)
    yield _one("certificate_days", "days until the certificate ends", now.certificate_days)
    yield _one("disk_free_bytes", "free space on the disk of the data folder, in whole MiB", _down(now.disk_free_bytes, SIZE_STEP))
    yield _one("disk_full", "1 while deliveries are refused because the disk is full", int(now.is_disk_full))
    yield _one("memory_bytes", "memory in use, in whole MiB", _down(now.memory_bytes, SIZE_STEP))
    yield _one("store_bytes", "size of the store, in whole MiB", _down(now.store_bytes, SIZE_STEP))
    queues = [(_label("queue", name), _down(length, STEP)) for name, length in sorted(now.queues.items())]
    yield _Family("queue_length", "jobs that wait, in tens", queues)


def _people(now: Readings) -> Iterator[_Family]:
    yield _one("accounts", "accounts, in tens", _down(now.accounts, STEP))
    yield _one("waiting_messages", "messages that wait to be fetched, in tens", _down(now.waiting_messages, STEP))
    yield _one("stored_bodies", "stored bodies, in tens", _down(now.stored_bodies, STEP))
    yield _one("connections", "open connections, in tens", _down(now.connections, STEP))


def _events(now: Readings) -> _Family:
    own = [(_label("event", name), count) for name, count in sorted(now.events.items()) if name.startswith(OWN_EVENTS)]
    others = [(_label("event", name), _down(count, STEP)) for name, count in sorted(now.events.items()) if not name.startswith(OWN_EVENTS)]
    rows = own + (others if now.accounts >= PEOPLE_FROM else [])
    return _Family("events_total", "what happened since the start, what people did in tens", rows, "counter")


def _one(name: str, about: str, value: int) -> _Family:
    return _Family(name, about, [("", value)])


def _down(value: int, step: int) -> int:
    return value - value % step


def _label(name: str, text: str) -> str:
    """Names are ours and plain; whatever else got in cannot break the format, nor be read."""
    return f'{{{name}="{text if re.fullmatch(r"[A-Za-z0-9._+-]{1,60}", text) else "other"}"}}'


class MetricsServer:
    """Answers `GET /metrics`, and nothing else, on the loopback address."""

    def __init__(self, read: Callable[[], Awaitable[Readings]], journal: Journal) -> None:
        self._read = read
        self._journal = journal
        self._servers: list[OpenDoor] = []
        self._text, self._until = "", 0.0
        self._reading = asyncio.Lock()

    async def start(self, port: int) -> None:
        """The port answers. Trouble if it is taken."""
        self._servers, _ = await listen({"metrics": Door(self._protocol)}, {"metrics": port}, [ADDRESS])

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=_HEAD_BYTES), self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head.split(b"\r\n", 1)[0].split(b" ")))
                await writer.drain()
        writer.close()

    async def _answer(self, request: list[bytes]) -> bytes:
        if request[:2] != [b"GET", b"/metrics"]:
            return _response("404 Not Found", "/metrics\n")
        try:
            return _response("200 OK", await self._fresh())
        except Exception as error:
            self._journal.bug(error)
            return _response("500 Internal Server Error", "")

    async def _fresh(self) -> str:
        """The text of this minute."""
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if now >= self._until:
                self._text, self._until = exposition(await self._read()), now + FRESH_S
            return self._text


def _response(status: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {_TYPE}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
