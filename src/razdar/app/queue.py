# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue of mail for other relays, put together: the way in, the worker, and what the operator asks about it."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from razdar.adapters.identity import Identity
from razdar.policy.queue_room import QueueRoom
from razdar.policy.rate import RateBook
from razdar.ports.bus import Bus
from razdar.ports.clock import Clock
from razdar.ports.courier import Courier
from razdar.ports.crew import Crew
from razdar.ports.resolver import PeerBook, Resolver
from razdar.ports.store import Store
from razdar.servers.journal import Journal
from razdar.services.calendar import Calendar
from razdar.services.dkim_signing import signing
from razdar.services.first_look import FirstLook
from razdar.services.outbound import Outbound
from razdar.services.parcels import Parcels
from razdar.services.queue_folders import QueueFolders
from razdar.services.settlement import Settlement
from razdar.settings import Settings
from razdar.vault.queue_key import queue_owner
from razdar.workers.outbound import NoCourier, Outgoing, shown


@dataclass(frozen=True, slots=True)
class Queue:
    """The way in and the worker."""

    outbound: Outbound
    outgoing: Outgoing

    async def operation(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """What `./razdar queue` asks for."""
        return {"relays": shown(self.outgoing.states())}


async def open_queue(
    *,
    identity: Identity,
    store: Store,
    bus: Bus,
    clock: Clock,
    calendar: Calendar,
    parcels: Parcels,
    desk: Crew,
    journal: Journal,
    resolver: Resolver,
    peers: PeerBook,
    courier: Courier,
    unknowns: RateBook,
    settings: Callable[[], Settings],
) -> Queue:
    """What waits is known; nothing is sent before `outgoing.run`. Without federation what waits goes back when its time is over."""
    entropy, room = secrets.token_bytes, QueueRoom()
    folders = QueueFolders(store, queue_owner(identity.id_key, identity.queue_key), clock, calendar, entropy, settings)
    settlement = Settlement(store, folders, parcels, room, desk, clock, entropy, calendar, identity.domain, journal.count)
    way = courier if settings().federation else NoCourier()
    chance = SystemRandom().random
    outgoing = Outgoing(store, bus, way, folders, settlement, room, clock, calendar, settings, chance, journal)
    await outgoing.open()
    sign = signing(identity.domain, identity.dkim_key)
    look = FirstLook(resolver, peers)
    return Queue(Outbound(folders, parcels, room, peers, unknowns, look, sign, desk, clock, settings), outgoing)
