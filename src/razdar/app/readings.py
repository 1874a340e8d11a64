# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the relay sees of itself: once a minute for the operator's desk, and whenever an instrument asks for metrics."""

import shutil
from collections.abc import Awaitable, Callable, Sequence

from razdar import __version__
from razdar.adapters.process import free_memory_bytes, memory_bytes
from razdar.app.ground import Ground
from razdar.app.parts import Parts
from razdar.ports.store import Totals
from razdar.servers.metrics import Readings
from razdar.servers.registry import Registry
from razdar.services.statistics import PeerState, Sample

DAY_S = 86_400
COUNT_EVERY = 10
"""Rounds between two counts of the accounts: counting reads a table."""


def look(parts: Parts, registry: Registry) -> Callable[[], Awaitable[None]]:
    """The chore that tells the statistics what the relay sees of itself."""
    rounds, totals = 0, Totals(0, 0, 0, 0)

    async def tell() -> None:
        nonlocal rounds, totals
        if rounds % COUNT_EVERY == 0:
            totals = await parts.ground.store.totals()
        rounds += 1
        await parts.statistics.tick(_sample(parts, registry, totals))

    return tell


def _sample(parts: Parts, registry: Registry, totals: Totals) -> Sample:
    ground, disk = parts.ground, shutil.disk_usage(parts.ground.current.config.data)
    return Sample(
        accounts=totals.accounts,
        connections=len(registry.live),
        events=dict(ground.journal.counts),
        peers=_waiting_peers(parts),
        disk_free_bytes=disk.free,
        disk_bytes=disk.total,
        is_disk_full=ground.store.is_full,
        store_bytes=totals.disk_bytes,
        memory_bytes=memory_bytes(),
        memory_free_bytes=free_memory_bytes(),
        certificate_days=_certificate_days(ground),
        is_self_signed=ground.tls.self_signed,
        logins_waiting=ground.doorkeeper.pending,
        logins_room=ground.current().argon2_waiting,
    )


def _waiting_peers(parts: Parts) -> Sequence[PeerState]:
    """Relays for which messages wait. Their age is known in relay days only."""
    states = parts.mail.queue.outgoing.states()
    return [
        PeerState(each.name, each.waiting, each.oldest_days * DAY_S, "" if each.reason is None else each.reason.value) for each in states
    ]


async def readings(parts: Parts, registry: Registry) -> Readings:
    ground = parts.ground
    totals = await ground.store.totals()
    return Readings(
        version=__version__,
        relay_day=ground.calendar.day,
        certificate_days=_certificate_days(ground),
        disk_free_bytes=shutil.disk_usage(ground.current.config.data).free,
        is_disk_full=ground.store.is_full,
        memory_bytes=memory_bytes(),
        store_bytes=totals.disk_bytes,
        accounts=totals.accounts,
        waiting_messages=totals.entries,
        stored_bodies=totals.bodies,
        connections=len(registry.live),
        queues=parts.waiting(),
        events=dict(ground.journal.counts),
    )


def _certificate_days(ground: Ground) -> int:
    """Until it ends."""
    return (int(ground.tls.expires.timestamp()) - ground.clock.now()) // DAY_S
