# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator's desk is made of: its files, and what the console may ask and do."""

import asyncio
import datetime
import secrets
from functools import partial

from razdar.adapters.backup import gather
from razdar.adapters.backup_file import pack
from razdar.adapters.peer_list import PeerFile
from razdar.app.chores import reload_all
from razdar.app.desk_settings import can_change, change, own_value
from razdar.app.ground import Ground
from razdar.app.kept import ACTIONS, PASSKEYS, forgiving, keeper, read
from razdar.app.parts import Parts
from razdar.servers.reach import Reach
from razdar.services.action_log import ActionLog
from razdar.services.blocks import Blocks
from razdar.web.console.desk import Desk
from razdar.web.console.passkeys import Passkeys
from razdar.web.console.sessions import Sessions
from razdar.wire.statement import Signed, Statement


def desk(parts: Parts, reach: Reach) -> Desk:
    """What the pages of the console and of the status may ask and do."""
    ground = parts.ground
    data, clock = ground.current.config.data, ground.clock
    reload = partial(reload_all, ground)

    async def change_setting(name: str, text: str | None) -> None:
        change(ground.current.config, reload, name, text)
        ground.journal.note("console.setting")

    async def backup(passphrase: str) -> bytes:
        config = ground.current.config
        return await asyncio.to_thread(lambda: pack(gather(config.data, config.file), passphrase, secrets.token_bytes))

    async def remove_app(name: str) -> None:
        await asyncio.to_thread(parts.apps.remove, name)

    return Desk(
        statistics=parts.statistics,
        blocks=parts.people.blocks,
        invites=parts.people.invites,
        sessions=Sessions(secrets.token_bytes, clock.monotonic),
        passkeys=Passkeys(secrets.token_bytes, clock.monotonic, read(data / PASSKEYS), keeper(data / PASSKEYS)),
        log=ActionLog(clock, read(data / ACTIONS), forgiving(keeper(data / ACTIONS), ground.journal, "console.unlogged")),
        statement=lambda: _signed(ground, parts.people.blocks),
        page=reach.page,
        changeable=lambda: can_change(ground.current.config),
        own_value=lambda name: own_value(ground.current.config, name),
        change=change_setting,
        certificate_expires=lambda: int(ground.tls.expires.timestamp()),
        reload=reload,
        backup=backup,
        domain=ground.identity.domain,
        peers=PeerFile(data),
        read_names=ground.names.peers.reload,
        apps=parts.apps.files,
        remove_app=remove_app,
        count=ground.journal.count,
    )


def _signed(ground: Ground, blocks: Blocks) -> Signed:
    """Made anew each time: 50 µs, and the day is always today's."""
    day = datetime.datetime.fromtimestamp(ground.clock.now(), datetime.UTC).date().isoformat()
    text = Statement(ground.identity.domain, len(blocks), day).text()
    key = ground.identity.signing_key
    return Signed(text, key.sign(text.encode("ascii")), key.public_key().public_bytes_raw())
