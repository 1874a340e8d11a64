"""Cases with many people: all of them connected and idle, and one message to all of them.

`provision` only logs everybody in once, so that servers which make accounts at the first login have them; the server can be started
anew behind it, so that memory is measured on a fresh process.
"""

import asyncio
from collections.abc import Iterable
from time import monotonic
from typing import Any

from bench import machine
from bench.link import Receiver, Sender, any_certificate
from bench.messages import Template
from bench.meter import Meter
from bench.pairs import Post
from bench.spec import Spec

LOGINS_AT_ONCE = 16
WARM = 20
"""Connections before the first look at memory, so that libraries, pools and caches are there."""
REST_S = 2.0


async def provision(spec: Spec) -> dict[str, Any]:
    """Everybody has logged in once over IMAP and is gone."""
    tls, gate = any_certificate(), asyncio.Semaphore(LOGINS_AT_ONCE)

    async def visit(address: str, password: str) -> None:
        async with gate:
            (await Receiver.open(spec.server, tls, address, password, lambda _, __: None)).close()

    reading = Meter(spec.server.processes)
    async with asyncio.TaskGroup() as group:
        for address, password in spec.people:
            group.create_task(visit(address, password))
    used = reading.read()
    return used | {"logins_per_s": len(spec.people) / used["wall_s"]}


async def crowd(spec: Spec) -> dict[str, Any]:
    """Everybody but the first waits in IDLE; then the first writes to all of them, a few times."""
    posts: list[Post] = []  # by the number of the message
    tls, gate = any_certificate(), asyncio.Semaphore(LOGINS_AT_ONCE)
    waiting: list[tuple[Receiver, bytes]] = []

    async def join(index: int) -> None:
        address, password = spec.people[index]
        async with gate:
            receiver = await Receiver.open(spec.server, tls, address, password, lambda number, now: posts[number].arrived(index, now))
            waiting.append((receiver, await receiver.idle()))

    async def join_all(indices: Iterable[int]) -> None:
        async with asyncio.TaskGroup() as group:
            for index in indices:
                group.create_task(join(index))

    await join_all(range(1, 1 + WARM))
    await asyncio.sleep(REST_S)
    before, joining = machine.memory_bytes(spec.server.processes), Meter(spec.server.processes)
    await join_all(range(1 + WARM, len(spec.people)))
    joined = joining.read()
    await asyncio.sleep(REST_S)
    after = machine.memory_bytes(spec.server.processes)
    many = len(spec.people) - 1 - WARM
    result: dict[str, Any] = {
        "connections": len(waiting),
        "kib_per_connection": (after - before) / many / 1024,
        "server_mib": after / 2**20,
        "logins_per_s": many / joined["wall_s"],
        "fanouts": [],
    }
    sender = await Sender.open(spec.server, tls, *spec.people[0])
    recipients = [address for address, _ in spec.people[1:]]
    template = Template(spec.people[0][0], recipients)
    async with asyncio.TaskGroup() as group:
        lives = [group.create_task(receiver.live(tag)) for receiver, tag in waiting]
        for number in range(int(spec.options["fanouts"])):
            result["fanouts"].append(await _fan_out(spec, sender, recipients, template.numbered(number), posts))
            await asyncio.sleep(REST_S)  # the devices go back to IDLE
        for life in lives:
            life.cancel()
    result["server_mib_in_the_end"] = machine.memory_bytes(spec.server.processes) / 2**20
    return result


async def _fan_out(spec: Spec, sender: Sender, recipients: list[str], message: bytes, posts: list[Post]) -> dict[str, Any]:
    post = Post(expected=len(recipients), sent_at=dict.fromkeys(range(1, 1 + len(recipients)), 0.0))
    posts.append(post)
    reading, start = Meter(spec.server.processes), monotonic()
    await sender.send(recipients, message)
    accepted = monotonic()
    await post.complete.wait()
    times = sorted(post.got_at.values())
    await asyncio.sleep(REST_S / 2)  # deletions belong to the cost
    used = reading.read()
    return used | {
        "accepted_s": accepted - start,
        "half_s": times[len(times) // 2] - start,
        "last_s": times[-1] - start,
    }
