# SPDX-License-Identifier: AGPL-3.0-or-later
"""Too much of everything, from a process of its own: `python -m tests.lab.flood PLAN.json`.

The plan says where the relay is, how many of each kind are at it at the same time and for how long; what came of it is one line of JSON on
standard output. Each kind is a bounded number of loops without pauses, so the load is always as high as the relay answers, plus those who
wait. Senders note what was acknowledged; everything else is only counted.
"""

import asyncio
import json
import os
import random
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.load import Imap, Line, Lost, Person, Refused, Smtp
from tests.lab.relay import random_text
from tests.mail.make import encrypted_message

SIZE_BYTES = 3_000
NICENESS = 10
"""The load must not take the processor from the relay: it is the relay that is tested."""


@dataclass
class Flood:
    """What happened, by kind."""

    plan: dict[str, Any]
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Message-ID → recipient."""
    _number: int = 0

    def port(self, service: str) -> int:
        return int(self.plan["ports"][service])

    @property
    def host(self) -> str:
        return str(self.plan["host"])

    def source(self) -> str:
        """One of many networks, as far as one machine has them."""
        return f"127.0.{random.randrange(1, 200)}.{random.randrange(1, 250)}"

    # kinds

    async def sender(self, number: int) -> None:
        person = Person(f"flood{number:05}@{self.plan['domain']}", "0123456789abcdefghijkl")
        smtp = await Smtp.open(self.host, self.port("submissions"), person, self.source())
        try:
            while True:
                self._number += 1
                recipient = random.choice(self.plan["sinks"])
                message = encrypted_message(person.address, [recipient], SIZE_BYTES, seed=(number << 24) + self._number)
                await smtp.send([recipient], message)
                self.acknowledged[_message_id(message)] = recipient
                self.done["sender"] += 1
        finally:
            smtp.line.close()

    async def newcomer(self, _: int) -> None:
        person = Person(f"{random_text(9)}@{self.plan['domain']}", random_text(22))
        imap = await Imap.open(self.host, self.port("imaps"), person, self.source())
        imap.line.close()
        self.done["newcomer"] += 1

    async def guesser(self, _: int) -> None:
        person = Person(random.choice(self.plan["sinks"]), random_text(22))
        imap = await Imap.open(self.host, self.port("imaps"), person, self.source())
        imap.line.close()

    async def stranger(self, number: int) -> None:
        """Holds a connection: silent, in the middle of a handshake, or after it."""
        port = self.port(("imap", "submission", "imaps", "https")[number % 4])
        reader, writer = await asyncio.open_connection(self.host, port, local_addr=(self.source(), 0))
        self.done["stranger"] += 1
        try:
            writer.write(b"\x16\x03\x01\x02\x00" if number % 4 > 1 else b"a N")
            async with asyncio.timeout(random.uniform(0.1, 20)):
                while await reader.read(1_000):
                    pass
        finally:
            writer.transport.abort()

    async def visitor(self, _: int) -> None:
        line = await Line.open(self.host, self.port("https"), self.source())
        try:
            for _ in range(3):
                await line.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                head = await line.read_line()
                if not head.startswith(b"HTTP/1.1 200"):
                    self.refused[f"visitor {head[9:12].decode()}"] += 1
                    return
                length = 0
                while (text := await line.read_line()) != b"\r\n":
                    if text.lower().startswith(b"content-length:"):
                        length = int(text[15:])
                await line.read_exactly(length)
                self.done["visitor"] += 1
        finally:
            line.close()

    # running

    async def run(self) -> None:
        kinds: dict[str, Callable[[int], Awaitable[None]]] = {
            "sender": self.sender,
            "newcomer": self.newcomer,
            "guesser": self.guesser,
            "stranger": self.stranger,
            "visitor": self.visitor,
        }
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan["seconds"]), asyncio.TaskGroup() as group:
                for kind, count in self.plan["counts"].items():
                    for number in range(count):
                        group.create_task(self._again(kind, kinds[kind], number))

    async def _again(self, kind: str, once: Callable[[int], Awaitable[None]], number: int) -> None:
        while True:
            try:
                await once(number)
            except (Lost, OSError, ssl.SSLError, EOFError, TimeoutError):
                self.refused[f"{kind} shut"] += 1
            except Refused as refused:
                self.refused[f"{kind} {_kind(refused.args[0])}"] += 1


def _kind(answer: str) -> str:
    """`421`, or what an IMAP refusal says in brackets."""
    return answer[:3] if answer[:3].isdigit() else answer.partition("[")[2].partition("]")[0]


def _message_id(message: bytes) -> str:
    start = message.lower().index(b"message-id: <") + 13
    return message[start : message.index(b">", start)].decode()


def main() -> None:
    os.nice(NICENESS)
    flood = Flood(json.loads(Path(sys.argv[1]).read_text()))
    asyncio.run(flood.run())
    print(json.dumps({"done": flood.done, "refused": flood.refused, "acknowledged": flood.acknowledged}))


if __name__ == "__main__":
    main()
