# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happens beside the connections: the regular chores, and the reload of the configuration."""

import sys
from collections.abc import Awaitable, Callable

from razdar.app.ground import Ground
from razdar.app.parts import Parts
from razdar.model.trouble import Trouble


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
