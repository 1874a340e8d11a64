# SPDX-License-Identifier: AGPL-3.0-or-later
"""The clock of a connection: a timer that wakes us a moment early must not cost another minute."""

import asyncio

import pytest
import uvloop

from razdar.servers.deadlines import EARLY_S, Deadlines
from razdar.servers.registry import ConnectionLimits

LOGIN_S = 0.05


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_the_first_look_finds_whoever_is_late(run: object) -> None:
    async def looked() -> list[bool]:
        late = []
        for _ in range(40):
            deadlines, woken = Deadlines(ConnectionLimits(login_s=LOGIN_S, idle_s=30)), asyncio.Event()
            deadlines.begin(woken.set)
            await woken.wait()
            deadlines.look(is_logged_in=False)
            late.append(deadlines.is_late)
        return late

    assert all(run(looked()))  # type: ignore[operator]


def test_a_look_before_that_finds_nobody() -> None:
    async def looked() -> bool:
        deadlines = Deadlines(ConnectionLimits(login_s=10 * EARLY_S, idle_s=30))
        deadlines.begin(lambda: None)
        assert not deadlines.look(is_logged_in=False)
        deadlines.stop()
        return deadlines.is_late

    assert not asyncio.run(looked())
