# SPDX-License-Identifier: AGPL-3.0-or-later
"""Joining: the gate that shuts when too many come, tickets that make a reload harmless, a new password, leaving."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service_world import DOMAIN, World, address

from razdar.model.verdict import ACCEPT, Refusal
from razdar.policy.registration import SignUpGate
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull
from razdar.services.accounts import Login
from razdar.services.guesses import Guesses
from razdar.services.invites import CODE_CHARACTERS, INVITE_USED_UP, NOTE_BYTES, STALE, note_of
from razdar.services.leaving import Leaving
from razdar.services.signups import TICKET_S, TOO_MANY
from razdar.settings import Settings
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio

SETTINGS = Settings(signups_per_hour=6, signup_pause_minutes=30)
PASSWORD = "a-long-enough-password"


@pytest.fixture
def world() -> World:
    world = World()
    world.change(signups_per_hour=6, signup_pause_minutes=30)
    return world


def somebody(number: int) -> str:
    return f"somebody{number:03}"


async def join(world: World, number: int, network: bytes = b"") -> Login:
    login = await world.accounts.log_in(address(somebody(number)), PASSWORD, network or bytes([number]))
    assert isinstance(login, Login)
    return login


# the gate, a pure decision


@given(st.lists(st.floats(0, 600), max_size=60))
def test_no_hour_lets_in_more_than_twice_the_rate(pauses_s: list[float]) -> None:
    """A full bucket and what flows in: never more, whatever the rhythm."""
    gate, now_s, admitted = SignUpGate.open(SETTINGS, 0), 0.0, list[float]()
    for pause_s in pauses_s:
        now_s += pause_s
        gate, came_in = gate.one_more(SETTINGS, now_s)
        admitted += [now_s] if came_in else []
    assert all(sum(start <= each < start + 3600 for each in admitted) <= 2 * SETTINGS.signups_per_hour for start in admitted)


def test_the_first_who_does_not_fit_shuts_it_for_the_pause() -> None:
    gate = SignUpGate.open(SETTINGS, 0)
    for _ in range(6):
        gate, came_in = gate.one_more(SETTINGS, 0)
        assert came_in
    assert not gate.is_open(0)
    gate, came_in = gate.one_more(SETTINGS, 0)
    assert not came_in
    assert [gate.is_open(minute * 60) for minute in (1, 20, 29.9, 30)] == [False, False, False, True]
    assert [gate.one_more(SETTINGS, minute * 60)[1] for minute in (20, 30)] == [False, True]


def test_a_reload_changes_the_rate() -> None:
    gate = SignUpGate.open(SETTINGS, 0)
    for _ in range(2):
        gate, came_in = gate.one_more(replace(SETTINGS, signups_per_hour=2), 0)
        assert came_in
    assert not gate.one_more(replace(SETTINGS, signups_per_hour=2), 0)[1]


# a flood


async def test_a_flood_closes_first_logins_and_nobody_who_has_an_account_notices(world: World) -> None:
    for number in range(6):
        await join(world, number)
    with pytest.raises(CrewBusy):
        await join(world, 6)
    world.accounts = world.make_accounts()  # nothing is remembered, so each login below is a derivation
    for number in range(6):
        await join(world, number)
    assert await world.accounts.log_in(address(somebody(0)), "a wrong password", b"x") == replies.AUTH_FAILED
    assert not world.signups.is_open()
    world.clock.monotonic_s += 30 * 60
    assert world.signups.is_open()
    await join(world, 6)


async def test_an_invitation_is_good_during_a_flood(world: World) -> None:
    token = await world.invites.make(uses=1, days=7)
    for number in range(6):
        await join(world, number)
    assert await world.invites.offer() == TOO_MANY
    credentials = await world.invites.claim(token)
    assert not isinstance(credentials, Refusal)
    assert isinstance(await world.accounts.log_in(*credentials), Login)


async def test_a_name_that_the_page_handed_out_before_gets_in(world: World) -> None:
    offered = await world.invites.offer()
    assert not isinstance(offered, Refusal)
    for number in range(6):
        await join(world, number)
    assert isinstance(await world.accounts.log_in(*offered, b"phone"), Login)


async def test_one_network_cannot_use_it_all_up(world: World) -> None:
    for number in range(2):  # a third
        await join(world, number, b"one network")
    with pytest.raises(CrewBusy):
        await join(world, 2, b"one network")
    for number in range(3, 6):
        await join(world, number)
    assert world.signups.is_open()


async def test_a_flood_of_the_page_alone_shuts_nothing(world: World) -> None:
    for _ in range(100):
        assert not isinstance(await world.invites.offer(), Refusal)
    assert world.signups.is_open()


# tickets


async def test_the_same_ticket_is_the_same_account(world: World) -> None:
    one, two = world.tickets.fresh(), world.tickets.fresh()
    first = await world.invites.offer_again(one)
    assert not isinstance(first, Refusal)
    assert await world.invites.offer_again(one) == first
    assert await world.invites.offer_again(two) != first
    assert first[0].domain == DOMAIN
    assert len(first[1]) == 22


async def test_a_ticket_lasts_one_to_two_hours_and_never_comes_back(world: World) -> None:
    world.clock.monotonic_s = 10 * TICKET_S
    ticket = world.tickets.fresh()
    world.clock.monotonic_s += 2 * TICKET_S - 1
    assert world.tickets.credentials(ticket) is not None
    world.clock.monotonic_s += 1
    assert await world.invites.offer_again(ticket) == STALE
    world.clock.monotonic_s += 65_536 * TICKET_S - 2 * TICKET_S  # the two bytes of the hour are the same again
    assert world.tickets.credentials(ticket) is None


@pytest.mark.parametrize("ticket", ["", "x", "é" * 24, "A" * 24, "A" * 25, "=" * 24, "A" * 10_000, "\x00" * 24])
async def test_what_is_no_ticket(world: World, ticket: str) -> None:
    world.tickets.fresh()
    world.clock.monotonic_s = 7 * TICKET_S
    assert await world.invites.offer_again(ticket) == STALE


async def test_a_claim_that_is_repeated_takes_one_use(world: World) -> None:
    token, ticket = await world.invites.make(uses=2, days=7), world.tickets.fresh()
    first = await world.invites.claim(token, ticket)
    assert not isinstance(first, Refusal)
    assert await world.invites.claim(token, ticket) == first
    assert await world.invites.uses(token) == 1
    assert await world.invites.claim(await world.invites.make(uses=1, days=7), ticket) not in (first, INVITE_USED_UP, STALE)
    world.clock.monotonic_s += 2 * TICKET_S
    assert await world.invites.claim(token, ticket) == STALE


# notes and cards


@pytest.mark.parametrize("note", ["کلاس هفتم، خانم احمدی", "clinic", "<b>&", "x" * NOTE_BYTES])
async def test_the_note_travels_in_the_link_and_cannot_be_changed(world: World, note: str) -> None:
    token = await world.invites.make(uses=1, days=7, note=f" {note} ")
    assert note_of(token) == note
    assert await world.invites.uses(token) == 1
    for forged in (token.partition(".")[0], token[:-1] + ("A" if token[-1] != "A" else "B"), token + "A"):
        assert await world.invites.uses(forged) == 0


@pytest.mark.parametrize("token", ["abcdefgh", "abcdefgh.", "abcdefgh._", "abcdefgh.é", "abcdefgh.____"])
def test_a_note_that_cannot_be_read_is_none(token: str) -> None:
    assert note_of(token) == ""


async def test_a_note_has_a_bound(world: World) -> None:
    with pytest.raises(ValueError, match="note"):
        await world.invites.make(uses=1, days=7, note="x" * (NOTE_BYTES + 1))


async def test_each_card_is_good_for_one_account(world: World) -> None:
    cards = await world.invites.make_cards(3, 7)
    assert len(set(cards)) == 3
    assert {len(card) for card in cards} == {CODE_CHARACTERS}
    assert [await world.invites.uses(card) for card in cards] == [1, 1, 1]
    assert not isinstance(await world.invites.claim(cards[0]), Refusal)
    assert await world.invites.claim(cards[0]) == INVITE_USED_UP
    for wrong in (0, 201):
        with pytest.raises(ValueError, match="cards"):
            await world.invites.make_cards(wrong, 7)


# a new password, and leaving


async def test_a_new_password_keeps_what_waits_and_ends_every_session(world: World) -> None:
    anna = await join(world, 1)
    sender = await join(world, 2)
    assert await world.send(sender, anna) == ACCEPT
    ended: list[bool] = []
    world.accounts.when_closed(anna, lambda: ended.append(True))
    assert await world.accounts.change_password(anna, "another-long-password")
    assert ended == [True]
    assert await world.accounts.log_in(anna.address, PASSWORD, b"") == replies.AUTH_FAILED
    again = await world.accounts.log_in(anna.address, "another-long-password")
    assert isinstance(again, Login)
    assert (again.account, again.public_key) == (anna.account, anna.public_key)
    mailbox = await world.store.mailbox(again.inbox)
    assert mailbox is not None
    assert mailbox.messages == 1


async def test_a_change_that_the_disk_cannot_keep_changes_nothing(world: World) -> None:
    anna = await join(world, 1)
    world.staged.broken["replace_login"] = StoreFull("full")
    with pytest.raises(StoreFull):
        await world.accounts.change_password(anna, "another-long-password")
    assert isinstance(await world.accounts.log_in(anna.address, PASSWORD), Login)


async def test_an_account_that_has_gone_keeps_no_new_password(world: World) -> None:
    anna = await join(world, 1)
    await world.accounts.delete(anna)
    assert not await world.accounts.change_password(anna, "another-long-password")


async def test_proving_makes_no_account_and_costs_what_a_login_costs(world: World) -> None:
    await join(world, 1)
    before = world.doorkeeper.done
    assert await world.accounts.prove(address(somebody(2)), PASSWORD, b"") == replies.AUTH_FAILED
    unknown = world.doorkeeper.done - before
    before = world.doorkeeper.done
    assert await world.accounts.prove(address(somebody(1)), "a-wrong-long-password", b"") == replies.AUTH_FAILED
    assert world.doorkeeper.done - before == unknown
    assert (await world.store.totals()).accounts == 1
    assert await world.accounts.prove(address("somebody001", "other.example"), PASSWORD, b"") == replies.AUTH_FAILED
    assert isinstance(await world.accounts.prove(address(somebody(1)), PASSWORD, b""), Login)


async def test_guessing_at_the_page_is_counted_with_guessing_at_a_login(world: World) -> None:
    anna = await join(world, 1)
    leaving = Leaving(world.make_accounts(guesses=Guesses(10, world.clock)), world.signups, world.entropy)
    for _ in range(10):
        assert not await leaving.leave(anna.address, "a-wrong-long-password", b"their network")
    for guess in (leaving.leave, leaving.take_new_password):
        with pytest.raises(CrewBusy):
            await guess(anna.address, "a-wrong-long-password", b"their network")
    assert isinstance(await leaving.take_new_password(anna.address, PASSWORD, b"her own network"), str)


async def test_who_has_left_is_not_brought_back_by_a_device_that_still_knows_the_password(world: World) -> None:
    anna = await join(world, 1)
    leaving = Leaving(world.accounts, world.signups, world.entropy)
    ended: list[bool] = []
    world.accounts.when_closed(anna, lambda: ended.append(True))
    assert await leaving.leave(anna.address, PASSWORD, b"")
    assert ended == [True]
    assert await world.accounts.log_in(anna.address, PASSWORD) == replies.AUTH_FAILED
    assert (await world.store.totals()).accounts == 0
    assert not await leaving.leave(anna.address, PASSWORD, b"")


async def test_a_new_password_opens_the_account_and_the_old_one_does_not(world: World) -> None:
    anna = await join(world, 1)
    leaving = Leaving(world.accounts, world.signups, world.entropy)
    fresh = await leaving.take_new_password(anna.address, PASSWORD, b"")
    assert isinstance(fresh, str)
    assert len(fresh) == 22
    assert await leaving.take_new_password(anna.address, PASSWORD, b"") == replies.AUTH_FAILED
    assert isinstance(await world.accounts.log_in(anna.address, fresh), Login)
