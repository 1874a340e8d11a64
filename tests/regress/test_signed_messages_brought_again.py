# SPDX-License-Identifier: AGPL-3.0-or-later
"""A signature says nothing of recipients (RFC 6376 section 8.6), so whoever holds a signed message can bring it again, to anybody."""

import pytest
from tests.peer_world import AUTHOR, PeerWorld, letter, signed

from razdar.model.address import Address
from razdar.model.arrival import Arrival
from razdar.model.verdict import ACCEPT
from razdar.services.peer_budgets import REPORTS_PER_HOUR

pytestmark = pytest.mark.anyio
ELSEWHERE = Address("x", "elsewhere.example")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def copy(number: int, whole: bytes) -> bytes:
    """A field that is not signed makes another message of it, and leaves the signature good."""
    return b"X-Number: %d\r\n" % number + whole


def crowd(number: int) -> Arrival:
    return Arrival(number.to_bytes(16), "203.0.113.5")


async def test_reports_about_it_are_few() -> None:
    """The author wrote once, and never to this relay's stranger."""
    world = PeerWorld()
    anna, whole = await world.member("anna"), signed(letter())
    for number in range(REPORTS_PER_HOUR + 20):
        assert await world.bring(copy(number, whole), anna, ELSEWHERE, arrival=crowd(number % 5)) == ACCEPT
    assert [to for to, _ in world.reports] == [AUTHOR] * REPORTS_PER_HOUR
    world.clock.monotonic_s += 120
    assert await world.bring(copy(999, whole), anna, ELSEWHERE) == ACCEPT
    assert len(world.reports) == REPORTS_PER_HOUR + 1
