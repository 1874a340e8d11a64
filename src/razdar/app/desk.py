"""What the operator's desk is made of: the files behind its statistics and blocks, and what the relay sees of itself once a minute."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from razdar.adapters.bus import LocalBus
from razdar.adapters.files import write_private
from razdar.adapters.process import free_memory_bytes, memory_bytes
from razdar.app.parts import Parts
from razdar.model.ids import AccountId
from razdar.model.trouble import blocks_damaged
from razdar.ports.clock import Clock
from razdar.servers.journal import Journal
from razdar.servers.registry import Registry
from razdar.services.blocks import Blocks, read_blocks
from razdar.services.directory import Directory
from razdar.services.statistics import PeerState, Sample, Statistics
from razdar.workers.push import Pusher

STATISTICS, BLOCKS = "statistics.json", "blocks"
"""Files in the data folder (docs/storage.md)."""
COUNT_EVERY = 10
"""Rounds between two counts of the accounts: counting reads a table."""


def open_statistics(data: Path, clock: Clock, journal: Journal) -> Statistics:
    """A disk that is full costs numbers, nothing else."""

    async def save(content: bytes) -> None:
        try:
            await asyncio.to_thread(write_private, data / STATISTICS, content)
        except OSError:
            journal.count("statistics.lost")

    return Statistics(clock, _read(data / STATISTICS), save)


def open_blocks(data: Path, directory: Directory, bus: LocalBus, domain: str) -> Blocks:
    """Trouble if the file is damaged: it must not be forgotten silently who was turned away."""
    try:
        blocked = read_blocks(_read(data / BLOCKS))
    except ValueError as error:
        raise blocks_damaged(data / BLOCKS) from error

    async def save(content: bytes) -> None:
        await asyncio.to_thread(write_private, data / BLOCKS, content)

    return Blocks(directory, bus, domain, blocked, save)


def _read(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def woken(pusher: Pusher, journal: Journal) -> Callable[[Sequence[AccountId]], None]:
    """Delivered messages are counted where their recipients' phones are woken."""

    def wake(accounts: Sequence[AccountId]) -> None:
        journal.count("message.delivered", len(accounts))
        pusher.wake(accounts)

    return wake


def nobody_waits() -> Sequence[PeerState]:
    """For a relay that speaks to no other."""
    return ()


def look(parts: Parts, registry: Registry, peers: Callable[[], Sequence[PeerState]] = nobody_waits) -> Callable[[], Awaitable[None]]:
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
            peers=tuple(peers()),
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
