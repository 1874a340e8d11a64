# SPDX-License-Identifier: AGPL-3.0-or-later
"""A little work is done on the spot, much of it by the crew (services/off_loop.py)."""

import asyncio
from collections.abc import Coroutine

import pytest
from tests.service_world import InlineCrew

from razdar.ports.crew import CrewBusy
from razdar.services.off_loop import INLINE_BYTES, off_loop


def _without_a_pause(work: Coroutine[object, None, str]) -> str:
    """What it returns; it must not give up the event loop."""
    with pytest.raises(StopIteration) as end:
        work.send(None)
    return str(end.value.value)


def test_a_little_is_done_at_once_whatever_the_crew_does() -> None:
    crew = InlineCrew(busy_for=-1)
    assert _without_a_pause(off_loop(crew, lambda: "done", INLINE_BYTES)) == "done"
    assert _without_a_pause(off_loop(crew, lambda: "done", 32, 32)) == "done"
    assert crew.done == 0


def test_much_is_the_crew_s_work() -> None:
    crew = InlineCrew()
    assert asyncio.run(off_loop(crew, lambda: "done", INLINE_BYTES + 1)) == "done"
    assert asyncio.run(off_loop(crew, lambda: "done", 33, 32)) == "done"
    assert crew.done == 2


def test_a_busy_crew_takes_nothing_large() -> None:
    with pytest.raises(CrewBusy):
        asyncio.run(off_loop(InlineCrew(busy_for=1), lambda: "done", 33, 32))
