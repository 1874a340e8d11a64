# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happens beside the connections: the regular chores, the reload of the configuration, the numbers for metrics."""

import shutil
import sys
from collections.abc import Awaitable, Callable

from razdar import __version__
from razdar.adapters.process import memory_bytes
from razdar.app.ground import Ground
from razdar.app.parts import Parts
from razdar.model.trouble import Trouble
from razdar.servers.metrics import Readings
from razdar.servers.registry import Registry


def chores(parts: Parts) -> list[Callable[[], Awaitable[None]]]:
    ground = parts.ground

    async def pass_day() -> None:
        if await ground.calendar.tick():
            parts.mail.shares.pass_day(ground.current().keep_days)
            await parts.people.accounts.prolong_all(ground.bus.watched_accounts())

    async def certificate() -> None:
        if ground.tls.reload_if_changed():
            ground.journal.note("certificate.reloaded")

    return [pass_day, certificate, ground.names.upkeep]


def reload(ground: Ground) -> None:
    """SIGHUP: configuration and certificate are read again; a mistake in them leaves the old ones in force."""
    try:
        reload_all(ground)
    except Trouble as trouble:
        ground.journal.note("reload.refused")
        print(trouble.english, file=sys.stderr)  # noqa: T201 - the operator's terminal; names files and settings only
    else:
        ground.journal.note("reload.done")


def reload_all(ground: Ground) -> None:
    config = ground.current.config.reload()
    ground.names.peers.reload()
    ground.tls.reload()  # both or none: a mistake in either leaves both as they are
    ground.current.config = config


async def readings(parts: Parts, registry: Registry) -> Readings:
    ground = parts.ground
    totals = await ground.store.totals()
    return Readings(
        version=__version__,
        relay_day=ground.calendar.day,
        certificate_days=(int(ground.tls.expires.timestamp()) - ground.clock.now()) // 86_400,
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
