# SPDX-License-Identifier: AGPL-3.0-or-later
"""sd_notify(3) against a real datagram socket."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from razdar.adapters.sd_notify import Supervisor

pytestmark = pytest.mark.anyio


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(10)
        yield ear


def test_ready_and_stopping_are_said(ear: socket.socket) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": ear.getsockname()})
    supervisor.ready()
    supervisor.stopping()
    assert [ear.recv(100), ear.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_an_abstract_address_begins_with_an_at_sign() -> None:
    name = f"razdar-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0{name}")
        Supervisor({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert ear.recv(100) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_where_nobody_listens_nothing_happens(environment: dict[str, str]) -> None:
    supervisor = Supervisor(environment)
    supervisor.ready()
    assert supervisor.period_s == 0


@pytest.mark.parametrize(
    ("environment", "period_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0),  # meant for another process
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
)
def test_the_watchdog_hears_twice_in_its_time(environment: dict[str, str], period_s: float) -> None:
    assert Supervisor({"NOTIFY_SOCKET": "/run/notify", **environment}).period_s == period_s


async def test_a_living_loop_says_so_again_and_again(ear: socket.socket) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": "20000"})
    task = asyncio.create_task(supervisor.keep_alive())
    heard = [await asyncio.to_thread(ear.recv, 100) for _ in range(3)]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert heard == [b"WATCHDOG=1"] * 3


async def test_without_a_watchdog_nothing_runs() -> None:
    await asyncio.wait_for(Supervisor({}).keep_alive(), 1)
    assert Supervisor({}).period_s == 0
