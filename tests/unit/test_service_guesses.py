# SPDX-License-Identifier: AGPL-3.0-or-later
"""Trying passwords is slowed by account and network; the owner is not locked out (VECTORS "accounts")."""

import pytest
from tests.service_world import World, address

from razdar.ports.crew import CrewBusy
from razdar.services.accounts import Login
from razdar.services.guesses import AT_ONCE, Guesses
from razdar.wire.smtp.replies import AUTH_FAILED

pytestmark = pytest.mark.anyio
ANNA, PASSWORD, WRONG = address("annaanna1"), "0123456789abcdefghijkl", "lkjihgfedcba9876543210"


@pytest.fixture
def world() -> World:
    made = World()
    made.accounts._guesses = Guesses(60, made.clock)
    return made


async def guess(world: World, origin: bytes = b"evil") -> object:
    try:
        return await world.accounts.log_in(ANNA, WRONG, origin)
    except CrewBusy as busy:
        return busy


async def test_after_a_number_of_wrong_passwords_one_a_minute(world: World) -> None:
    await world.accounts.log_in(ANNA, PASSWORD, b"home")
    answers = [await guess(world) for _ in range(AT_ONCE + 5)]
    assert answers[:AT_ONCE] == [AUTH_FAILED] * AT_ONCE
    assert all(isinstance(answer, CrewBusy) for answer in answers[AT_ONCE:])
    world.clock.monotonic_s += 60
    assert await guess(world) == AUTH_FAILED
    assert isinstance(await guess(world), CrewBusy)


async def test_the_owner_is_not_locked_out(world: World) -> None:
    await world.accounts.log_in(ANNA, PASSWORD, b"home")
    for _ in range(AT_ONCE + 5):
        await guess(world)
    assert isinstance(await world.accounts.log_in(ANNA, PASSWORD, b"evil"), Login), "a device that was here before, even from there"
    world.logins.forget((await world.accounts.log_in(ANNA, PASSWORD, b"home")).account)  # type: ignore[union-attr]
    assert isinstance(await world.accounts.log_in(ANNA, PASSWORD, b"home"), Login), "and a new one from anywhere else"


async def test_right_passwords_are_not_counted(world: World) -> None:
    for _ in range(AT_ONCE * 2):
        login = await world.accounts.log_in(ANNA, PASSWORD, b"home")
        assert isinstance(login, Login)
        world.logins.forget(login.account)
