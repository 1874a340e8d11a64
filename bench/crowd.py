# SPDX-License-Identifier: AGPL-3.0-or-later
"""Cases with many people: all of them log in, all of them wait, and one message to all of them.

`visit` logs everybody in once, so that servers which make accounts at the first login have them. `welcome` leaves a message with each, so
that an account which is kept only once it was used is kept. The server can be started anew behind them: memory is measured on a fresh
process.
"""

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Any

from bench import machine
from bench.link import Receiver, Sender, any_certificate
from bench.messages import Template
from bench.meter import Disk, Meter
from bench.pairs import Post
from bench.spec import Spec

LOGINS_AT_ONCE = 16
WARM = 20
"""Connections before the first look at memory, so that libraries, pools and caches are there."""
REST_S = 2.0
POLL_S = 0.02
RECIPIENTS_AT_ONCE = 500


async def visit(spec: Spec) -> dict[str, Any]:
    """Everybody has logged in once over IMAP and is gone."""
    gate, tls = asyncio.Semaphore(LOGINS_AT_ONCE), any_certificate()

    async def come_and_go(address: str, password: str) -> None:
        async with gate:
            (await Receiver.open(spec.server, tls, address, password, _nothing)).close()

    reading = Meter(spec.server)
    async with asyncio.TaskGroup() as group:
        for address, password in spec.people:
            group.create_task(come_and_go(address, password))
    used = reading.read()
    count = len(spec.people)
    return used | {"logins_per_s": count / used["wall_s"], "server_cpu_ms_per_login": used["server_cpu_s"] * 1000 / count}


async def welcome(spec: Spec) -> dict[str, Any]:
    """The first has sent something that waits in everybody's mailbox, also the own."""
    sender = await Sender.open(spec.server, any_certificate(), *spec.people[0])
    everybody = [address for address, _ in spec.people]
    for start in range(0, len(everybody), RECIPIENTS_AT_ONCE):
        recipients = everybody[start : start + RECIPIENTS_AT_ONCE]
        await sender.send(recipients, Template(everybody[0], recipients).numbered(start))
    sender.close()
    return {"messages": len(everybody)}


def _nothing(_number: int, _now: float) -> None:
    """Nobody listens."""


class Crowd:
    """People who wait in IDLE, and what they got."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._tls, self._gate = any_certificate(), asyncio.Semaphore(LOGINS_AT_ONCE)
        self.posts: list[Post] = []  # by the number of the message
        self.waiting: list[tuple[Receiver, bytes]] = []

    async def join(self, indices: Iterable[int]) -> None:
        async with asyncio.TaskGroup() as group:
            for index in indices:
                group.create_task(self._join(index))

    async def _join(self, index: int) -> None:
        address, password = self._spec.people[index]
        async with self._gate:
            receiver = await Receiver.open(
                self._spec.server, self._tls, address, password, lambda number, now: self.posts[number].arrived(index, now)
            )
            receiver.before_deleting = self._everybody_has_it
            self.waiting.append((receiver, await receiver.idle()))

    async def _everybody_has_it(self) -> None:
        """Nobody deletes before: Dovecot copies a message from one mailbox of a delivery to the next, and whoever fetched and deleted it
        in between would let the copies fail ("Message was expunged"); Postfix tries them again after five minutes."""
        await self.posts[-1].complete.wait()

    async def rest(self, rounds: int) -> None:
        """Everybody has deleted what came, so many rounds altogether."""
        while sum(receiver.rounds for receiver, _ in self.waiting) < rounds:  # noqa: ASYNC110 - counters of very many devices
            await asyncio.sleep(POLL_S)

    def leave(self) -> None:
        for receiver, _ in self.waiting:
            receiver.close()
        self.waiting.clear()

    def memory_bytes(self) -> int:
        return machine.memory_bytes(self._spec.server.processes)


async def crowd(spec: Spec) -> dict[str, Any]:
    """Everybody but the first waits in IDLE, for `settle_s`; then the first writes to all of them, a few times."""
    there = Crowd(spec)
    await there.join(range(1, 1 + WARM))
    there.leave()
    await asyncio.sleep(REST_S)
    before, joining = there.memory_bytes(), Meter(spec.server)
    await there.join(range(1, len(spec.people)))
    joined, many = joining.read(), len(spec.people) - 1
    await asyncio.sleep(REST_S)
    after = there.memory_bytes()
    result: dict[str, Any] = {
        "connections": many,
        "kib_per_connection": (after - before) / many / 1024,
        "server_mib": after / 2**20,
        "logins_per_s": many / joined["wall_s"],
        "fanouts": [],
    }
    if spec.options.get("settle_s"):
        await asyncio.sleep(spec.options["settle_s"])
        result["kib_per_silent_connection"] = (there.memory_bytes() - before) / many / 1024
    if spec.options["fanouts"]:
        result["fanouts"] = await _fan_outs(spec, there)
        result["server_mib_in_the_end"] = there.memory_bytes() / 2**20
    there.leave()
    return result


async def _fan_outs(spec: Spec, there: Crowd) -> list[dict[str, Any]]:
    sender = await Sender.open(spec.server, any_certificate(), *spec.people[0])
    recipients = [address for address, _ in spec.people[1:]]
    template, found = Template(spec.people[0][0], recipients), []
    async with asyncio.TaskGroup() as group:
        lives = [group.create_task(receiver.live(tag)) for receiver, tag in there.waiting]
        for number in range(int(spec.options["fanouts"])):
            disk = Disk(spec.server)
            found.append(await _fan_out(spec, sender, recipients, template.numbered(number), there) | disk.read())
            await asyncio.sleep(REST_S)  # the devices go back to IDLE
        for life in lives:
            life.cancel()
    sender.close()
    return found


async def _fan_out(spec: Spec, sender: Sender, recipients: list[str], message: bytes, there: Crowd) -> dict[str, Any]:
    post = Post(expected=len(recipients), sent_at=dict.fromkeys(range(1, 1 + len(recipients)), 0.0))
    there.posts.append(post)
    rounds = sum(receiver.rounds for receiver, _ in there.waiting) + len(recipients)
    reading, start = Meter(spec.server), monotonic()
    await sender.send(recipients, message)
    accepted = monotonic()
    await post.complete.wait()
    times = sorted(post.got_at.values())
    await there.rest(rounds)  # deletions belong to the cost
    used = reading.read()
    return used | {
        "accepted_s": accepted - start,
        "half_s": times[len(times) // 2] - start,
        "last_s": times[-1] - start,
    }
