# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue of mail for other relays, put together: the way in, the worker, and what the operator asks about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from razdar.app.ground import Ground
from razdar.policy.queue_room import QueueRoom
from razdar.policy.rate import RateBook
from razdar.ports.courier import Courier
from razdar.services.dkim_signing import signing
from razdar.services.first_look import FirstLook
from razdar.services.outbound import Outbound
from razdar.services.parcels import Parcels
from razdar.services.queue_folders import QueueFolders
from razdar.services.reporter import Reporter
from razdar.services.settlement import Settlement
from razdar.vault.queue_key import queue_owner
from razdar.workers.outbound import NoCourier, Outgoing
from razdar.workers.peer_state import shown


@dataclass(frozen=True, slots=True)
class Queue:
    """The way in and the worker."""

    outbound: Outbound
    outgoing: Outgoing

    async def operation(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """What `./razdar queue` asks for."""
        return {"relays": shown(self.outgoing.states())}


async def open_queue(ground: Ground, parcels: Parcels, unknowns: RateBook, courier: Courier, reporter: Reporter) -> Queue:
    """What waits is known; nothing is sent before `outgoing.run`. Without federation what waits goes back when its time is over."""
    store, desk, clock, entropy, calendar = ground.store, ground.desk, ground.clock, ground.entropy, ground.calendar
    identity, settings, names, journal, room = ground.identity, ground.current, ground.names, ground.journal, QueueRoom()
    folders = QueueFolders(store, queue_owner(identity.id_key, identity.queue_key), clock, calendar, entropy, settings)
    settlement = Settlement(store, folders, parcels, room, desk, reporter, calendar, journal.count)
    way = courier if settings().federation else NoCourier()
    outgoing = Outgoing(store, ground.bus, way, folders, settlement, room, clock, calendar, settings, SystemRandom().random, journal)
    await outgoing.open()
    sign, look = signing(identity.domain, identity.dkim_key), FirstLook(names.resolver, names.peers)
    return Queue(Outbound(folders, parcels, room, names.peers, unknowns, look, sign, desk, clock, settings), outgoing)
