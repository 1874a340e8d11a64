# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happens beside the connections: the regular chores, the reload of the configuration, the numbers for metrics."""

import shutil
import sys
from collections.abc import Awaitable, Callable

from razdar import __version__
from razdar.adapters.process import memory_bytes
from razdar.app.parts import Parts
from razdar.model.trouble import Trouble
from razdar.servers.metrics import Readings
from razdar.servers.registry import Registry


def chores(parts: Parts) -> list[Callable[[], Awaitable[None]]]:
    async def pass_day() -> None:
        if await parts.calendar.tick():
            parts.shares.pass_day(parts.current().keep_days)
            await parts.accounts.prolong_all(parts.bus.watched_accounts())

    async def certificate() -> None:
        if parts.tls.reload_if_changed():
            parts.journal.note("certificate.reloaded")

    return [pass_day, certificate, parts.names.upkeep]


def reload(parts: Parts) -> None:
    """SIGHUP: configuration and certificate are read again; a mistake in them leaves the old ones in force."""
    try:
        reload_all(parts)
    except Trouble as trouble:
        parts.journal.note("reload.refused")
        print(trouble.english, file=sys.stderr)  # noqa: T201 - the operator's terminal; names files and settings only
    else:
        parts.journal.note("reload.done")


def reload_all(parts: Parts) -> None:
    config = parts.current.config.reload()
    parts.names.peers.reload()
    parts.tls.reload()  # both or none: a mistake in either leaves both as they are
    parts.current.config = config


async def readings(parts: Parts, registry: Registry) -> Readings:
    totals = await parts.store.totals()
    return Readings(
        version=__version__,
        relay_day=parts.calendar.day,
        certificate_days=(int(parts.tls.expires.timestamp()) - parts.clock.now()) // 86_400,
        disk_free_bytes=shutil.disk_usage(parts.current.config.data).free,
        is_disk_full=parts.store.is_full,
        memory_bytes=memory_bytes(),
        store_bytes=totals.disk_bytes,
        accounts=totals.accounts,
        waiting_messages=totals.entries,
        stored_bodies=totals.bodies,
        connections=len(registry.live),
        queues={name: length() for name, length in parts.queues.items()},
        events=dict(parts.journal.counts),
    )
