# SPDX-License-Identifier: AGPL-3.0-or-later
"""The load generator for two relays: people of one write to people of the other, who do nothing but wait in IDLE.

    python -m bench.between < errand.json

A message is delivered when it can be fetched: the receiver's relay has told of it by EXISTS. Nobody fetches while the clock runs, so that
the way between the relays is measured and not the devices. Afterwards everything is looked at and deleted, and each number must be there
exactly once.
"""

import asyncio
import json
import re
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any, Self

import uvloop
from bench.link import Link, Sender, Unexpected, any_certificate, connect, tagged
from bench.messages import SIZE_BYTES, Template
from bench.meter import Meter
from bench.spec import Server

LIMIT_S = 600.0
REST_S = 0.5
"""Behind the last message, before the processor time is read: the sender's relay has still to note that it went."""
_EXISTS = re.compile(rb"\* (\d+) EXISTS\r\n")
_STAMP = re.compile(rb"Message-ID: <(\d{16})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Errand:
    """Who writes to whom, in pairs, and how: numbers that `play` knows."""

    sending: Server
    receiving: Server
    senders: Sequence[tuple[str, str]]
    receivers: Sequence[tuple[str, str]]
    options: Mapping[str, float]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        known = json.loads(text)
        senders, receivers = ([(address, password) for address, password in known[side]] for side in ("senders", "receivers"))
        return cls(Server(**known["sending"]), Server(**known["receiving"]), senders, receivers, known["options"])


class Watcher:
    """A device in IDLE that only listens; its mailbox was empty when it came. `times`: when the first message was there, the second, …"""

    def __init__(self, link: Link, address: str, password: str) -> None:
        self._link = link
        self._who = f'"{address}" "{password}"'.encode()
        self._tags = 0
        self._more = asyncio.Event()
        self.times: list[float] = []

    @classmethod
    async def open(cls, server: Server, tls: ssl.SSLContext, address: str, password: str) -> Self:
        """Waiting."""
        watcher = cls(await connect(server, server.imaps, tls), address, password)
        await watcher._say(b"LOGIN " + watcher._who)
        await watcher.empty()
        watcher._link.write(b"I IDLE\r\n")
        await watcher._link.take(lambda buffer: buffer.find(b"\r\n", buffer.find(b"+")) + 2 if b"+" in buffer else 0)
        return watcher

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            told = await self._link.take(lambda buffer: buffer.rfind(b"\r\n") + 2 if b" EXISTS\r\n" in buffer else 0)
            count = max(map(int, _EXISTS.findall(told)))
            self.times += [monotonic()] * (count - len(self.times))
            self._more.set()

    async def has(self, count: int) -> None:
        """So many can be fetched."""
        while len(self.times) < count:
            self._more.clear()
            await self._more.wait()

    async def finish(self) -> list[int]:
        """The numbers of all messages, which are gone now. Nobody may be in `watch` any more."""
        self._link.write(b"DONE\r\n")
        await self._link.take(tagged(b"I "))
        numbers = await self.empty()
        self._link.close()
        return numbers

    async def empty(self) -> list[int]:
        """The mailbox is; what was in it."""
        told = await self._say(b"SELECT INBOX")
        if b"* 0 EXISTS" in told:
            return []
        found = await self._say(b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        await self._say(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
        await self._say(b"EXPUNGE")
        return [int(stamp) for stamp in _STAMP.findall(found)]

    async def _say(self, text: bytes) -> bytes:
        self._tags += 1
        tag = b"A%d " % self._tags
        self._link.write(tag + text + b"\r\n")
        answer = await self._link.take(tagged(tag))
        if tag + b"OK" not in answer:
            raise Unexpected(answer[-100:])
        return answer


@dataclass(frozen=True, slots=True)
class Pair:
    """`sent_at`: when each message was begun."""

    sender: Sender
    watcher: Watcher
    template: Template
    recipient: str
    sent_at: list[float]

    async def send(self, number: int) -> None:
        self.sent_at.append(monotonic())
        await self.sender.send([self.recipient], self.template.numbered(number))


class Load:
    """All pairs, and how they write."""

    def __init__(self, pairs: Sequence[Pair], options: Mapping[str, float]) -> None:
        self.pairs = pairs
        self.each = int(options["messages"])
        self._pace = options.get("per_second", 0.0)
        self._is_one_by_one = bool(options.get("one_by_one"))
        self.acknowledged_at = 0.0

    async def run(self) -> None:
        """Everything has been sent, and can be fetched."""
        async with asyncio.TaskGroup() as group:
            for index, pair in enumerate(self.pairs):
                group.create_task(self._write(index, pair))
        self.acknowledged_at = monotonic()
        await asyncio.gather(*(pair.watcher.has(self.each) for pair in self.pairs))

    async def _write(self, index: int, pair: Pair) -> None:
        """The next when the last is acknowledged; at a pace when it is due; one by one when the last can be fetched."""
        start = monotonic()
        for number in range(self.each):
            if self._pace:
                await asyncio.sleep(start + (index + number * len(self.pairs)) / self._pace - monotonic())
            await pair.send(index * self.each + number)
            if self._is_one_by_one:
                await pair.watcher.has(number + 1)

    def numbers(self) -> dict[str, float]:
        """Rate and latency: the first that could be fetched is compared with the first that was sent, and so on."""
        sent = [at for pair in self.pairs for at in pair.sent_at]
        took_ms = sorted((got - at) * 1000 for pair in self.pairs for at, got in zip(pair.sent_at, pair.watcher.times, strict=True))
        seconds = max(pair.watcher.times[-1] for pair in self.pairs) - min(sent)
        return {
            "messages": len(sent),
            "messages_per_s": len(sent) / seconds,
            "acknowledged_per_s": len(sent) / (self.acknowledged_at - min(sent)),
            "p50_ms": took_ms[len(took_ms) // 2],
            "p90_ms": took_ms[len(took_ms) * 9 // 10],
        }


async def play(errand: Errand) -> dict[str, Any]:
    """What was measured. A message that is missing or came twice ends the run."""
    tls, size = any_certificate(), int(errand.options.get("size_bytes", SIZE_BYTES))
    pairs = []
    for (sender, password), (recipient, other) in zip(errand.senders, errand.receivers, strict=True):
        watcher = await Watcher.open(errand.receiving, tls, recipient, other)
        pairs.append(
            Pair(await Sender.open(errand.sending, tls, sender, password), watcher, Template(sender, [recipient], size), recipient, [])
        )
    load = Load(pairs, errand.options)
    sending, receiving = Meter(errand.sending), Meter(errand.receiving)
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(pair.watcher.watch()) for pair in pairs]
        await load.run()
        for each in watching:
            each.cancel()
    await asyncio.sleep(REST_S)
    used = _used(sending.read(), receiving.read(), load)
    await _require_all(load)
    return load.numbers() | used


def _used(sending: Mapping[str, float], receiving: Mapping[str, float], load: Load) -> dict[str, float]:
    total = load.each * len(load.pairs)
    both = sending["server_cpu_s"] + receiving["server_cpu_s"]
    return {
        "cpu_ms_per_message": both * 1000 / total,
        "sending_cpu_ms_per_message": sending["server_cpu_s"] * 1000 / total,
        "receiving_cpu_ms_per_message": receiving["server_cpu_s"] * 1000 / total,
        "sending_loop_cpu_s": sending["server_loop_cpu_s"],
        "receiving_loop_cpu_s": receiving["server_loop_cpu_s"],
        "generator_cpu_s": sending["generator_cpu_s"],
        "others_cores": max(0.0, sending["others_cores"] - receiving["server_cpu_s"] / sending["wall_s"]),
    }


async def _require_all(load: Load) -> None:
    for index, pair in enumerate(load.pairs):
        numbers = sorted(await pair.watcher.finish())
        pair.sender.close()
        if numbers != list(range(index * load.each, (index + 1) * load.each)):
            raise Unexpected("a message is missing or came twice")


async def _bounded(errand: Errand) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT_S):
        return await play(errand)


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_bounded(Errand.from_json(sys.stdin.read())))))
