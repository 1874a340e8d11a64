# SPDX-License-Identifier: AGPL-3.0-or-later
"""The small files of the operator's desk in the data folder: how they are read, and how they are written."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from razdar.adapters.bus import LocalBus
from razdar.adapters.files import write_private
from razdar.model.trouble import blocks_damaged
from razdar.ports.clock import Clock
from razdar.servers.journal import Journal
from razdar.services.blocks import Blocks, read_blocks
from razdar.services.directory import Directory
from razdar.services.statistics import Statistics

STATISTICS, BLOCKS, PASSKEYS, ACTIONS = "statistics.json", "blocks", "passkeys.json", "actions.log"
"""Files in the data folder (docs/storage.md)."""


def open_statistics(data: Path, clock: Clock, journal: Journal) -> Statistics:
    """A disk that is full costs numbers, nothing else."""
    save = forgiving(keeper(data / STATISTICS), journal, "statistics.lost")
    return Statistics(clock, read(data / STATISTICS), save)


def open_blocks(data: Path, directory: Directory, bus: LocalBus, domain: str) -> Blocks:
    """Trouble if the file is damaged: it must not be forgotten silently who was turned away."""
    try:
        blocked = read_blocks(read(data / BLOCKS))
    except ValueError as error:
        raise blocks_damaged(data / BLOCKS) from error
    return Blocks(directory, bus, domain, blocked, keeper(data / BLOCKS))


def read(file: Path) -> bytes:
    """Nothing, if there is no such file."""
    return file.read_bytes() if file.exists() else b""


def keeper(file: Path) -> Callable[[bytes], Awaitable[None]]:
    """Writes the file anew, one writing after the other."""
    lock = asyncio.Lock()

    async def save(content: bytes) -> None:
        async with lock:
            await asyncio.to_thread(write_private, file, content)

    return save


def forgiving(save: Callable[[bytes], Awaitable[None]], journal: Journal, event: str) -> Callable[[bytes], Awaitable[None]]:
    """A full disk is counted and costs what was to be written, nothing else: what was done has been done."""

    async def try_to_save(content: bytes) -> None:
        try:
            await save(content)
        except OSError:
            journal.count(event)

    return try_to_save
