# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator's desk is made of: its files, what the relay sees of itself once a minute, and what the console may ask and do."""

import asyncio
import datetime
import secrets
import shutil
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from razdar.adapters.backup import gather
from razdar.adapters.backup_file import pack
from razdar.adapters.bus import LocalBus
from razdar.adapters.files import write_private
from razdar.adapters.peer_list import PeerFile
from razdar.adapters.process import free_memory_bytes, memory_bytes
from razdar.app.chores import reload_all
from razdar.app.desk_settings import can_change, change, own_value
from razdar.app.parts import Parts
from razdar.model.ids import AccountId
from razdar.model.trouble import blocks_damaged
from razdar.ports.clock import Clock
from razdar.servers.journal import Journal
from razdar.servers.reach import Reach
from razdar.servers.registry import Registry
from razdar.services.action_log import ActionLog
from razdar.services.blocks import Blocks, read_blocks
from razdar.services.directory import Directory
from razdar.services.statistics import PeerState, Sample, Statistics
from razdar.web.console.desk import Desk
from razdar.web.console.passkeys import Passkeys
from razdar.web.console.sessions import Sessions
from razdar.wire.statement import Signed, Statement
from razdar.workers.push import Pusher

STATISTICS, BLOCKS, PASSKEYS, ACTIONS = "statistics.json", "blocks", "passkeys.json", "actions.log"
"""Files in the data folder (docs/storage.md)."""
DAY_S = 86_400
COUNT_EVERY = 10
"""Rounds between two counts of the accounts: counting reads a table."""


def open_statistics(data: Path, clock: Clock, journal: Journal) -> Statistics:
    """A disk that is full costs numbers, nothing else."""
    save = _forgiving(_keeper(data / STATISTICS), journal, "statistics.lost")
    return Statistics(clock, _read(data / STATISTICS), save)


def open_blocks(data: Path, directory: Directory, bus: LocalBus, domain: str) -> Blocks:
    """Trouble if the file is damaged: it must not be forgotten silently who was turned away."""
    try:
        blocked = read_blocks(_read(data / BLOCKS))
    except ValueError as error:
        raise blocks_damaged(data / BLOCKS) from error
    return Blocks(directory, bus, domain, blocked, _keeper(data / BLOCKS))


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def woken(pusher: Pusher, journal: Journal) -> Callable[[Sequence[AccountId]], None]:
    """Delivered messages are counted where their recipients' phones are woken."""

    def wake(accounts: Sequence[AccountId]) -> None:
        journal.count("message.delivered", len(accounts))
        pusher.wake(accounts)

    return wake


def waiting_peers(parts: Parts) -> Sequence[PeerState]:
    """Relays for which messages wait. Their age is known in relay days only."""
    states = parts.queue.outgoing.states()
    return [
        PeerState(each.name, each.waiting, each.oldest_days * DAY_S, "" if each.reason is None else each.reason.value) for each in states
    ]


def look(parts: Parts, registry: Registry) -> Callable[[], Awaitable[None]]:
    """The chore that tells the statistics what the relay sees of itself."""
    rounds, accounts, store_bytes = 0, 0, 0

    async def tell() -> None:
        nonlocal rounds, accounts, store_bytes
        if rounds % COUNT_EVERY == 0:
            totals = await parts.store.totals()
            accounts, store_bytes = totals.accounts, totals.disk_bytes
        rounds += 1
        disk = shutil.disk_usage(parts.current.config.data)
        sample = Sample(
            accounts=accounts,
            connections=len(registry.live),
            events=dict(parts.journal.counts),
            peers=waiting_peers(parts),
            disk_free_bytes=disk.free,
            disk_bytes=disk.total,
            is_disk_full=parts.store.is_full,
            store_bytes=store_bytes,
            memory_bytes=memory_bytes(),
            memory_free_bytes=free_memory_bytes(),
            certificate_days=(int(parts.tls.expires.timestamp()) - parts.clock.now()) // 86_400,
            is_self_signed=parts.tls.self_signed,
            logins_waiting=parts.queues["logins"](),
            logins_room=parts.current().argon2_waiting,
        )
        await parts.statistics.tick(sample)

    return tell


# the console


def desk(parts: Parts, reach: Reach) -> Desk:
    """What the pages of the console and of the status may ask and do."""
    data = parts.current.config.data
    reload = partial(reload_all, parts)

    async def change_setting(name: str, text: str | None) -> None:
        change(parts.current.config, reload, name, text)
        parts.journal.note("console.setting")

    async def backup(passphrase: str) -> bytes:
        config = parts.current.config
        return await asyncio.to_thread(lambda: pack(gather(config.data, config.file), passphrase, secrets.token_bytes))

    async def remove_app(name: str) -> None:
        await asyncio.to_thread(parts.apps.remove, name)

    return Desk(
        statistics=parts.statistics,
        blocks=parts.blocks,
        invites=parts.invites,
        sessions=Sessions(secrets.token_bytes, parts.clock.monotonic),
        passkeys=Passkeys(secrets.token_bytes, parts.clock.monotonic, _read(data / PASSKEYS), _keeper(data / PASSKEYS)),
        log=ActionLog(parts.clock, _read(data / ACTIONS), _forgiving(_keeper(data / ACTIONS), parts.journal, "console.unlogged")),
        statement=lambda: _signed(parts),
        page=reach.page,
        changeable=lambda: can_change(parts.current.config),
        own_value=lambda name: own_value(parts.current.config, name),
        change=change_setting,
        certificate_expires=lambda: int(parts.tls.expires.timestamp()),
        reload=reload,
        backup=backup,
        domain=parts.identity.domain,
        peers=PeerFile(data),
        read_names=parts.names.peers.reload,
        apps=parts.apps.files,
        remove_app=remove_app,
        count=parts.journal.count,
    )


def _signed(parts: Parts) -> Signed:
    """Made anew each time: 50 µs, and the day is always today's."""
    day = datetime.datetime.fromtimestamp(parts.clock.now(), datetime.UTC).date().isoformat()
    text = Statement(parts.identity.domain, len(parts.blocks), day).text()
    key = parts.identity.signing_key
    return Signed(text, key.sign(text.encode("ascii")), key.public_key().public_bytes_raw())


def _keeper(file: Path) -> Callable[[bytes], Awaitable[None]]:
    lock = asyncio.Lock()

    async def save(content: bytes) -> None:
        async with lock:
            await asyncio.to_thread(write_private, file, content)

    return save


def _forgiving(save: Callable[[bytes], Awaitable[None]], journal: Journal, event: str) -> Callable[[bytes], Awaitable[None]]:
    """A full disk is counted and costs what was to be written, nothing else: what was done has been done."""

    async def try_to_save(content: bytes) -> None:
        try:
            await save(content)
        except OSError:
            journal.count(event)

    return try_to_save
