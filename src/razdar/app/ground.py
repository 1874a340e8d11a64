# SPDX-License-Identifier: AGPL-3.0-or-later
"""What everything in the relay stands on: the configuration in force, time, the store, keys, certificates, the crews, the names of others.

Nothing in here knows what a message or an account is for; that begins one file further (people.py, mail.py).
"""

import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

from razdar.adapters.addresses import own_addresses
from razdar.adapters.bus import LocalBus
from razdar.adapters.clock import SystemClock
from razdar.adapters.crew import ThreadCrew
from razdar.adapters.files import private_folder
from razdar.adapters.identity import Identity, open_identity
from razdar.adapters.ready import remove_ready
from razdar.adapters.sqlite import SqliteStore, open_store
from razdar.adapters.tls import TlsMaterial, open_tls
from razdar.app.names import Names, open_names
from razdar.config import RunConfig
from razdar.ports.clock import Entropy
from razdar.ports.store import Store
from razdar.servers.journal import Journal
from razdar.services.calendar import Calendar
from razdar.services.newcomers import Newcomers
from razdar.settings import Settings


class Current:
    """The configuration in force; a reload puts another one here."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config

    def __call__(self) -> Settings:
        return self.config.settings


@dataclass(frozen=True, slots=True)
class Ground:
    """Closed by the stack that it was opened with."""

    current: Current
    clock: SystemClock
    entropy: Entropy
    bus: LocalBus
    journal: Journal
    store: Store
    identity: Identity
    tls: TlsMaterial
    names: Names
    doorkeeper: ThreadCrew
    """For what derives an account from its address: logins, invitations, blocks."""
    desk: ThreadCrew
    """For everything else that takes long."""
    calendar: Calendar
    writes_waiting: Callable[[], int]
    """Changes that wait for the disk."""


async def open_ground(config: RunConfig, stack: AsyncExitStack) -> Ground:
    current, clock, entropy, bus, journal = Current(config), SystemClock(), secrets.token_bytes, LocalBus(), Journal()
    settings = config.settings
    private_folder(config.data)
    disk = await _open_disk(config, stack)
    store = cast("Store", Newcomers(disk, bus, settings.newcomers, entropy))
    # Only now, because the store's lock says that no other relay uses these keys.
    identity = open_identity(config.data, settings.domain, entropy, change_name=config.change_name)
    remove_ready(config.data)
    tls = _open_tls(config, identity, clock)
    names = open_names(config, clock, journal)
    stack.push_async_callback(names.close)
    doorkeeper = ThreadCrew(settings.argon2_at_once, settings.argon2_waiting)
    desk = ThreadCrew(2, settings.connections)  # whoever is in waits for it: each connection does one thing at a time
    stack.callback(doorkeeper.close)
    stack.callback(desk.close)
    calendar = Calendar(store, clock, await store.day(), await store.minutes(), lambda: current().days_stand_still)
    return Ground(current, clock, entropy, bus, journal, store, identity, tls, names, doorkeeper, desk, calendar, lambda: disk.pending)


async def _open_disk(config: RunConfig, stack: AsyncExitStack) -> SqliteStore:
    settings = config.settings
    disk = await open_store(
        config.data,
        reserve_bytes=settings.reserve_bytes,
        wal_bytes=settings.wal_bytes,
        waiting_bytes=settings.store_waiting_bytes,
    )
    stack.push_async_callback(disk.close)
    return disk


def _open_tls(config: RunConfig, identity: Identity, clock: SystemClock) -> TlsMaterial:
    settings = config.settings
    names = [identity.domain, *([settings.advertise] if settings.advertise else []), *own_addresses(settings.bind)]
    return open_tls(config.data, names, clock.now(), certificate=settings.certificate, key=settings.certificate_key)
