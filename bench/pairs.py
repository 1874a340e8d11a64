# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cases with pairs of people: as many messages as go through (small ones, or files of 10 MB), and twenty a second.

Each sender writes to one receiver who waits in IDLE. A message is delivered when the receiver's fetch of it is complete; every number must
arrive exactly once. Latency counts from the moment the message was due, even if the sender was still busy with the one before.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from bench.link import Receiver, Sender, Unexpected, any_certificate
from bench.messages import SIZE_BYTES, Template
from bench.meter import Meter
from bench.spec import Spec


@dataclass
class Post:
    """What was sent and what arrived."""

    sent_at: dict[int, float] = field(default_factory=dict)
    got_at: dict[int, float] = field(default_factory=dict)
    expected: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def arrived(self, number: int, now: float) -> None:
        if number in self.got_at or number not in self.sent_at:
            raise Unexpected("a message came twice, or one that nobody sent")
        self.got_at[number] = now
        if len(self.got_at) == self.expected:
            self.complete.set()

    def latencies_ms(self) -> list[float]:
        return sorted((self.got_at[number] - at) * 1000 for number, at in self.sent_at.items())


@dataclass(frozen=True)
class Pair:
    """`template` is for `recipient`."""

    sender: Sender
    receiver: Receiver
    template: Template
    recipient: str


@asynccontextmanager
async def _waiting(spec: Spec, post: Post) -> AsyncIterator[list[Pair]]:
    """All pairs are connected and the receivers wait. A failure of any of them ends the case."""
    tls, count, size = any_certificate(), int(spec.options["pairs"]), int(spec.options.get("size_bytes", SIZE_BYTES))
    people = spec.people[: 2 * count]
    made: list[Pair] = []
    async with asyncio.TaskGroup() as group:
        lives = []
        for (sender, password), (recipient, other) in zip(people[::2], people[1::2], strict=True):
            receiver = await Receiver.open(spec.server, tls, recipient, other, post.arrived)
            lives.append(group.create_task(receiver.live(await receiver.idle())))
            made.append(
                Pair(await Sender.open(spec.server, tls, sender, password), receiver, Template(sender, [recipient], size), recipient)
            )
        yield made
        for life in lives:
            life.cancel()
    for pair in made:
        pair.sender.close()
        pair.receiver.close()


async def pairs(spec: Spec) -> dict[str, Any]:
    """Each sender sends its share, the next message as soon as the one before is acknowledged."""
    each, post = int(spec.options["messages"]), Post()

    async def send_all(first: int, pair: Pair) -> None:
        for number in range(first, first + each):
            post.sent_at[number] = monotonic()
            await pair.sender.send([pair.recipient], pair.template.numbered(number))

    async with _waiting(spec, post) as made:
        post.expected = each * len(made)
        reading = Meter(spec.server)
        async with asyncio.TaskGroup() as group:
            for index, pair in enumerate(made):
                group.create_task(send_all(index * each, pair))
        acknowledged_s = monotonic() - min(post.sent_at.values())
        await post.complete.wait()
        used = reading.read()
    seconds = max(post.got_at.values()) - min(post.sent_at.values())
    sorted_ms = post.latencies_ms()
    return used | {
        "messages": post.expected,
        "messages_per_s": post.expected / seconds,
        "p50_ms": sorted_ms[len(sorted_ms) // 2],
        "acknowledged_per_s": post.expected / acknowledged_s,
        "messages_per_round": post.expected
        / max(len(made), sum(pair.receiver.rounds for pair in made)),  # the last round of each may not have ended
        "server_cpu_ms_per_message": used["server_cpu_s"] * 1000 / post.expected,
    }


async def steady(spec: Spec) -> dict[str, Any]:
    """At a fixed pace, the senders in turn."""
    pace, total, post = spec.options["per_second"], int(spec.options["per_second"] * spec.options["seconds"]), Post()
    async with _waiting(spec, post) as made:
        post.expected = total
        locks = [asyncio.Lock() for _ in made]

        async def send(number: int) -> None:
            turn = number % len(made)
            async with locks[turn]:
                await made[turn].sender.send([made[turn].recipient], made[turn].template.numbered(number))

        reading, start = Meter(spec.server), monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(total):
                due = start + number / pace
                await asyncio.sleep(due - monotonic())
                post.sent_at[number] = monotonic()
                group.create_task(send(number))
        await post.complete.wait()
        used = reading.read()
    sorted_ms = post.latencies_ms()
    return used | {
        "messages": total,
        **{f"p{percent}_ms": sorted_ms[min(total - 1, total * percent // 100)] for percent in (50, 90, 99)},
        "max_ms": sorted_ms[-1],
        "server_cpu_ms_per_message": used["server_cpu_s"] * 1000 / total,
    }
