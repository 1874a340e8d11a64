# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people meet of the relay, put together: who may come in, the pages, and the doors they come through."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from razdar.adapters.addresses import own_addresses
from razdar.adapters.process import allow_many_files
from razdar.app.desk import desk
from razdar.app.doors import doors, relay_desk, site
from razdar.app.ground import Ground
from razdar.app.limits import admission_limits, http_limits
from razdar.app.parts import Parts
from razdar.model.listener import Listener
from razdar.servers.admission import Admission
from razdar.servers.http import HttpEdge
from razdar.servers.listening import HANDSHAKE_S, OpenDoor, listen
from razdar.servers.memory import MemoryBudget, Transfers
from razdar.servers.mxdeliv import peer_routes
from razdar.servers.reach import Reach
from razdar.servers.registry import Registry
from razdar.servers.smtp_relay import RelayDesk
from razdar.settings import Settings, port_layout
from razdar.vault.cache import BOOT_KEY_BYTES
from razdar.web.app import make_app
from razdar.web.console.desk import Desk
from razdar.web.site import Site

GOODBYE_S = 2.0
FILES_FOR_OTHERS = 1_200
"""Open files that are not people's connections: visits of pages (servers/http.py), ports, the store, handshakes under way."""


@dataclass(frozen=True, slots=True)
class Front:
    registry: Registry
    reach: Reach
    face: Site
    operators: Desk
    listeners: Sequence[Listener]


async def open_front(parts: Parts, stack: AsyncExitStack) -> Front:
    """Every door is open. Trouble in words if one cannot be."""
    ground, settings = parts.ground, parts.ground.current()
    ports, registry = port_layout(settings.ports), _registry(settings)
    admission = _admission(ground, registry.limit)
    reach = Reach(ground.identity.domain, ports, ground.current, lambda: ground.tls.self_signed, own_addresses)
    face, operators, peers = site(parts, reach), desk(parts, reach), relay_desk(parts)
    edge = _edge(parts, face, operators, peers)
    handshake_s = min(HANDSHAKE_S, float(settings.login_seconds))
    servers, listeners = await listen(doors(parts, registry, edge, reach, peers), ports, settings.bind, handshake_s, admission)
    stack.callback(edge.close)
    stack.push_async_callback(_close, servers, registry)
    return Front(registry, reach, face, operators, listeners)


def _registry(settings: Settings) -> Registry:
    """No more connections than this machine lets us open files for."""
    files = allow_many_files()
    limit = min(settings.connections, files - min(FILES_FOR_OTHERS, files // 2))
    return Registry(limit, MemoryBudget(settings.memory_bytes), Transfers(settings.outgoing_bytes))


def _admission(ground: Ground, connections: int) -> Admission:
    limits = admission_limits(ground.current(), connections)
    return Admission(limits, ground.entropy(BOOT_KEY_BYTES), ground.clock.monotonic, ground.journal.count)


def _edge(parts: Parts, face: Site, operators: Desk, peers: RelayDesk) -> HttpEdge:
    visits, journal = http_limits(parts.ground.current()), parts.ground.journal
    routes = peer_routes(peers, parts.mail.sending, journal, visits.head.head_bytes)
    return HttpEdge(make_app(face, operators), visits, journal, routes)


async def _close(servers: list[OpenDoor], registry: Registry) -> None:
    """No new connections; those that live hear a word of farewell and have a moment to go."""
    for server in servers:
        server.close()
    for connection in tuple(registry.live):
        connection.say_goodbye()
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_S):
            await registry.empty()
    for connection in tuple(registry.live):
        connection.abort()
