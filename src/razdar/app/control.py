# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator's commands and instruments ask of the running relay, put together: the control socket and the numbers for metrics."""

from contextlib import AsyncExitStack
from functools import partial

from razdar.adapters.files import private_folder
from razdar.app.chores import reload_all
from razdar.app.front import Front
from razdar.app.parts import Parts
from razdar.app.readings import readings
from razdar.servers.control import ControlServer, control_path
from razdar.servers.metrics import MetricsServer
from razdar.servers.operations import Operations
from razdar.servers.registry import Registry
from razdar.web.pages import Pages
from razdar.web.sheet import sheet


async def open_control(parts: Parts, front: Front, stack: AsyncExitStack) -> None:
    socket = control_path(parts.ground.current.config.data)
    private_folder(socket.parent)
    handlers = {**_operations(parts, front).handlers(), "queue": parts.mail.queue.operation}
    control = ControlServer(socket, handlers, parts.ground.journal)
    await control.start()
    stack.push_async_callback(control.close)


def _operations(parts: Parts, front: Front) -> Operations:
    ground = parts.ground
    return Operations(
        reach=front.reach,
        invites=parts.people.invites,
        store=ground.store,
        calendar=ground.calendar,
        registry=front.registry,
        journal=ground.journal,
        console_link=front.operators.sessions.make_link,
        reload_all=partial(reload_all, ground),
        draw_sheet=partial(sheet, Pages(front.face)),
        reload_names=ground.names.peers.reload,
        log=front.operators.log.add,
    )


async def open_metrics(parts: Parts, registry: Registry, stack: AsyncExitStack) -> None:
    """Nothing, unless the operator has chosen a port for them."""
    port = parts.ground.current().metrics_port
    if not port:
        return
    metrics = MetricsServer(partial(readings, parts, registry), parts.ground.journal)
    await metrics.start(port)
    stack.callback(metrics.close)
