# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator's desk is made of: its files, what the relay sees of itself once a minute, and what the console may ask and do."""

import asyncio
import datetime
import secrets
import shutil
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from razdar.adapters.backup import gather
from razdar.adapters.backup_file import pack
from razdar.adapters.peer_list import PeerFile
from razdar.adapters.process import free_memory_bytes, memory_bytes
from razdar.app.chores import reload_all
from razdar.app.desk_settings import can_change, change, own_value
from razdar.app.ground import Ground
from razdar.app.kept import ACTIONS, PASSKEYS, forgiving, keeper, read
from razdar.app.parts import Parts
from razdar.servers.reach import Reach
from razdar.servers.registry import Registry
from razdar.services.action_log import ActionLog
from razdar.services.blocks import Blocks
from razdar.services.statistics import PeerState, Sample
from razdar.web.console.desk import Desk
from razdar.web.console.passkeys import Passkeys
from razdar.web.console.sessions import Sessions
from razdar.wire.statement import Signed, Statement

DAY_S = 86_400
COUNT_EVERY = 10
"""Rounds between two counts of the accounts: counting reads a table."""


def waiting_peers(parts: Parts) -> Sequence[PeerState]:
    """Relays for which messages wait. Their age is known in relay days only."""
    states = parts.mail.queue.outgoing.states()
    return [
        PeerState(each.name, each.waiting, each.oldest_days * DAY_S, "" if each.reason is None else each.reason.value) for each in states
    ]


def look(parts: Parts, registry: Registry) -> Callable[[], Awaitable[None]]:
    """The chore that tells the statistics what the relay sees of itself."""
    ground = parts.ground
    rounds, accounts, store_bytes = 0, 0, 0

    async def tell() -> None:
        nonlocal rounds, accounts, store_bytes
        if rounds % COUNT_EVERY == 0:
            totals = await ground.store.totals()
            accounts, store_bytes = totals.accounts, totals.disk_bytes
        rounds += 1
        disk = shutil.disk_usage(ground.current.config.data)
        sample = Sample(
            accounts=accounts,
            connections=len(registry.live),
            events=dict(ground.journal.counts),
            peers=waiting_peers(parts),
            disk_free_bytes=disk.free,
            disk_bytes=disk.total,
            is_disk_full=ground.store.is_full,
            store_bytes=store_bytes,
            memory_bytes=memory_bytes(),
            memory_free_bytes=free_memory_bytes(),
            certificate_days=(int(ground.tls.expires.timestamp()) - ground.clock.now()) // 86_400,
            is_self_signed=ground.tls.self_signed,
            logins_waiting=ground.doorkeeper.pending,
            logins_room=ground.current().argon2_waiting,
        )
        await parts.statistics.tick(sample)

    return tell


# the console


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
