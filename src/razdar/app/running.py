# SPDX-License-Identifier: AGPL-3.0-or-later
"""The life of a relay: it is built, its doors are opened, it works until a signal comes, and everything is closed in order."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from razdar import __version__
from razdar.adapters.log import start_logging
from razdar.adapters.process import keep_memory_private
from razdar.adapters.ready import Ready, remove_ready, write_ready
from razdar.adapters.sd_notify import Supervisor
from razdar.adapters.sqlite import StoreInUse, StoreTooNew
from razdar.app.build import build
from razdar.app.chores import chores, reload
from razdar.app.control import open_control, open_metrics
from razdar.app.front import Front, open_front
from razdar.app.parts import Parts
from razdar.app.readings import look
from razdar.config import RunConfig
from razdar.model.trouble import data_in_use, data_newer, disk_full
from razdar.ports.store import StoreUnavailable
from razdar.workers.keeper import Chore, Keeper

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
    journal = parts.ground.journal
    front = await open_front(parts, stack)
    await open_control(parts, front, stack)
    await open_metrics(parts, front.registry, stack)
    tell = look(parts, front.registry)
    await tell()
    stopped = listen_to_signals(parts)  # before anybody can read that the relay is ready
    ready = _ready(parts, front)
    write_ready(ready)
    stack.callback(remove_ready, ready.data)
    on_ready(ready)
    supervisor = Supervisor(os.environ)
    supervisor.ready()
    journal.detail("relay.ready", listeners=len(front.listeners), relay_day=parts.ground.calendar.day)
    await work_until(stopped, parts, supervisor, tell)
    supervisor.stopping()
    journal.detail("relay.stopping", connections=len(front.registry.live))


def _ready(parts: Parts, front: Front) -> Ready:
    tls = parts.ground.tls
    return Ready(
        pid=os.getpid(),
        domain=parts.ground.identity.domain,
        version=__version__,
        listeners=front.listeners,
        page=front.reach.page(),
        fingerprint=tls.fingerprint if tls.self_signed else "",
        data=parts.ground.current.config.data,
    )


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
