# SPDX-License-Identifier: AGPL-3.0-or-later
"""The life of a relay: it is built, its doors are opened, it works until a signal comes, and everything is closed in order."""

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from razdar import __version__
from razdar.adapters.addresses import own_addresses
from razdar.adapters.files import private_folder
from razdar.adapters.log import start_logging
from razdar.adapters.process import allow_many_files, keep_memory_private
from razdar.adapters.ready import Ready, remove_ready, write_ready
from razdar.adapters.sd_notify import Supervisor
from razdar.adapters.sqlite import StoreInUse, StoreTooNew
from razdar.app.build import build
from razdar.app.chores import chores, readings, reload, reload_all
from razdar.app.desk import desk, look
from razdar.app.doors import admission_limits, doors, http_limits, relay_desk, site
from razdar.app.parts import Parts
from razdar.config import RunConfig
from razdar.model.trouble import data_in_use, data_newer, disk_full
from razdar.ports.store import StoreUnavailable
from razdar.servers.admission import Admission
from razdar.servers.control import ControlServer, control_path
from razdar.servers.http import HttpEdge
from razdar.servers.listening import HANDSHAKE_S, OpenDoor, listen
from razdar.servers.memory import MemoryBudget, Transfers
from razdar.servers.metrics import MetricsServer
from razdar.servers.mxdeliv import peer_routes
from razdar.servers.operations import Operations
from razdar.servers.reach import Reach
from razdar.servers.registry import Registry
from razdar.settings import port_layout
from razdar.vault.cache import BOOT_KEY_BYTES
from razdar.web.app import make_app
from razdar.web.pages import Pages
from razdar.web.sheet import sheet
from razdar.workers.keeper import Chore, Keeper

GOODBYE_S = 2.0
FILES_FOR_OTHERS = 1_200
"""Open files that are not people's connections: visits of pages (servers/http.py), ports, the store, handshakes under way."""
SPACE_TO_START_BYTES = 1_048_576
"""A failure to start with less than this is the full disk's."""


async def serve(config: RunConfig, on_ready: Callable[[Ready], None]) -> None:
    """Runs until SIGTERM or SIGINT. Raises `Trouble` if it cannot start; then nothing is left open."""
    keep_memory_private()
    start_logging(config.settings.log_level)
    with _in_words(config.data):
        async with AsyncExitStack() as stack:
            parts = await build(config, stack)
            await run(parts, stack, on_ready)


@contextmanager
def _in_words(data: Path) -> Iterator[None]:
    """What the state of the data folder or its disk stopped becomes a sentence that says what to do."""
    try:
        yield
    except StoreInUse as error:
        raise data_in_use(data) from error
    except StoreTooNew as error:
        raise data_newer(data) from error
    except (OSError, StoreUnavailable) as error:
        room = shutil.disk_usage(data).free
        if room >= SPACE_TO_START_BYTES:
            raise
        raise disk_full(data) from error


async def run(parts: Parts, stack: AsyncExitStack, on_ready: Callable[[Ready], None]) -> None:
    settings = parts.ground.current()
    ports = port_layout(settings.ports)
    files = allow_many_files()
    registry = Registry(
        min(settings.connections, files - min(FILES_FOR_OTHERS, files // 2)),
        MemoryBudget(settings.memory_bytes),
        Transfers(settings.outgoing_bytes),
    )
    admission = Admission(
        admission_limits(settings, registry.limit),
        secrets.token_bytes(BOOT_KEY_BYTES),
        parts.ground.clock.monotonic,
        parts.ground.journal.count,
    )
    reach = Reach(parts.ground.identity.domain, ports, parts.ground.current, lambda: parts.ground.tls.self_signed, own_addresses)
    face, operators = site(parts, reach), desk(parts, reach)
    peers, visits = relay_desk(parts), http_limits(settings)
    routes = peer_routes(peers, parts.mail.sending, parts.ground.journal, visits.head.head_bytes)
    edge = HttpEdge(make_app(face, operators), visits, parts.ground.journal, routes)
    handshake_s = min(HANDSHAKE_S, float(settings.login_seconds))
    servers, listeners = await listen(doors(parts, registry, edge, reach, peers), ports, settings.bind, handshake_s, admission)
    stack.callback(edge.close)
    stack.push_async_callback(_close, servers, registry)
    again, draw_sheet = partial(reload_all, parts.ground), partial(sheet, Pages(face))
    link = operators.sessions.make_link
    operations = Operations(
        reach=reach,
        invites=parts.people.invites,
        store=parts.ground.store,
        calendar=parts.ground.calendar,
        registry=registry,
        journal=parts.ground.journal,
        console_link=link,
        reload_all=again,
        draw_sheet=draw_sheet,
        reload_names=parts.ground.names.peers.reload,
        log=operators.log.add,
    )
    private_folder(control_path(parts.ground.current.config.data).parent)
    handlers = {**operations.handlers(), "queue": parts.mail.queue.operation}
    control = ControlServer(control_path(parts.ground.current.config.data), handlers, parts.ground.journal)
    await control.start()
    stack.push_async_callback(control.close)
    if settings.metrics_port:
        metrics = MetricsServer(partial(readings, parts, registry), parts.ground.journal)
        await metrics.start(settings.metrics_port)
        stack.callback(metrics.close)
    tell = look(parts, registry)
    await tell()
    ready = Ready(
        pid=os.getpid(),
        domain=parts.ground.identity.domain,
        version=__version__,
        listeners=listeners,
        page=reach.page(),
        fingerprint=parts.ground.tls.fingerprint if parts.ground.tls.self_signed else "",
        data=parts.ground.current.config.data,
    )
    stopped = listen_to_signals(parts)  # before anybody can read that the relay is ready
    write_ready(ready)
    stack.callback(remove_ready, parts.ground.current.config.data)
    on_ready(ready)
    supervisor = Supervisor(os.environ)
    supervisor.ready()
    parts.ground.journal.detail("relay.ready", listeners=len(listeners), relay_day=parts.ground.calendar.day)
    await work_until(stopped, parts, supervisor, tell)
    supervisor.stopping()
    parts.ground.journal.detail("relay.stopping", connections=len(registry.live))


def listen_to_signals(parts: Parts) -> asyncio.Event:
    """SIGTERM and SIGINT set the event, SIGHUP reloads."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, reload, parts.ground)
    return stopped


async def work_until(stopped: asyncio.Event, parts: Parts, supervisor: Supervisor, tell: Chore) -> None:
    loop = asyncio.get_running_loop()
    keeper = Keeper([*chores(parts), tell], parts.ground.journal)
    owned = [loop.create_task(keeper.run()), loop.create_task(supervisor.keep_alive())]
    owned.append(loop.create_task(parts.mail.queue.outgoing.run()))
    if parts.ground.current().push:
        owned.append(loop.create_task(parts.push.pusher.run()))
    await stopped.wait()
    for task in owned:
        task.cancel()
    await asyncio.gather(*owned, return_exceptions=True)


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
