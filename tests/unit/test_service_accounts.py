# SPDX-License-Identifier: AGPL-3.0-or-later
"""services/accounts.py: the first login makes the account, races make one account, refusals and their cost tell nothing."""

import asyncio

import pytest
from tests.service_world import DOMAIN, World, address

from razdar.model.address import parse_address
from razdar.model.ids import AccountId
from razdar.model.verdict import Refusal
from razdar.policy.retention import account_expiry
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.services import accounts as accounts_module
from razdar.services.accounts import Accounts, Login
from razdar.wire.smtp.replies import AUTH_FAILED

pytestmark = pytest.mark.anyio
ANNA = address("annaanna1")
PASSWORD = "0123456789abcdefghijkl"
OTHER = "another-password-of-22"


@pytest.fixture
def world() -> World:
    return World()


async def logged_in(accounts: Accounts, password: str = PASSWORD) -> Login:
    answer = await accounts.log_in(ANNA, password)
    assert isinstance(answer, Login)
    return answer


# making and finding


async def test_the_first_login_makes_the_account_and_the_next_finds_it(world: World) -> None:
    first = await logged_in(world.accounts)
    assert await logged_in(world.accounts) == first
    assert (await world.store.totals()).accounts == 1


async def test_imap_and_smtp_race_to_make_the_account(world: World) -> None:
    imap, smtp = await asyncio.gather(logged_in(world.accounts), logged_in(world.accounts))
    assert imap == smtp
    assert (await world.store.totals()).accounts == 1
    assert world.doorkeeper.done == 2  # id and new key: once for both


async def test_two_processes_race_over_one_store(world: World) -> None:
    """What one process's shared task hides: both make a record, and the store keeps the first."""
    logins = await asyncio.gather(*(logged_in(world.make_accounts()) for _ in range(4)))
    assert len({login.public_key for login in logins}) == 1
    assert (await world.store.totals()).accounts == 1


@pytest.mark.parametrize("seed", range(5))
async def test_of_two_clients_with_different_passwords_one_wins(seed: int) -> None:
    world = World(seed=seed)
    answers = await asyncio.gather(world.accounts.log_in(ANNA, PASSWORD), world.accounts.log_in(ANNA, OTHER))
    assert sorted(isinstance(answer, Login) for answer in answers) == [False, True]
    assert [answer for answer in answers if isinstance(answer, Refusal)] == [AUTH_FAILED]
    assert (await world.store.totals()).accounts == 1


async def test_a_wrong_password_opens_nothing_and_is_not_remembered(world: World) -> None:
    await logged_in(world.accounts)
    for _ in range(2):
        assert await world.accounts.log_in(ANNA, OTHER) == AUTH_FAILED
    await logged_in(world.accounts)


async def test_case_of_the_address_does_not_matter(world: World) -> None:
    first = await world.accounts.log_in(parse_address("AnnaAnna1@RELAY.Example"), PASSWORD)
    assert first == await world.accounts.log_in(parse_address("annaanna1@relay.example"), PASSWORD)
    assert isinstance(first, Login)


@pytest.mark.parametrize("text", ["annaanna1@other.example", f"annaanna1@sub.{DOMAIN}", "annaanna1", "", "a@b@c"])
async def test_a_foreign_or_broken_name_is_refused_at_no_cost(world: World, text: str) -> None:
    assert await world.accounts.log_in(parse_address(text), PASSWORD) == AUTH_FAILED
    assert world.doorkeeper.done == 0


# closed doors


@pytest.mark.parametrize("registration", ["invite", "closed"])
async def test_without_open_registration_no_account_is_made(world: World, registration: str) -> None:
    world.change(registration=registration)
    assert await world.accounts.log_in(ANNA, PASSWORD) == AUTH_FAILED
    assert (await world.store.totals()).accounts == 0


async def test_closing_the_registration_keeps_nobody_out_who_has_an_account(world: World) -> None:
    await logged_in(world.accounts)
    world.change(registration="closed")
    await logged_in(world.make_accounts())


@pytest.mark.parametrize("is_in_use", [True, False], ids=["address seen lately", "address never seen"])
async def test_no_existence_oracle_where_registration_is_closed(world: World, is_in_use: bool) -> None:
    """VECTORS "accounts": the same words and the same Argon2 work, whether the name exists or not, was used lately or never."""
    await logged_in(world.accounts)
    if not is_in_use:
        world.addresses._ids.clear()
    world.change(registration="closed")
    answers, costs = [], []
    for name in (ANNA, address("nobody123")):
        before = world.doorkeeper.done
        answers.append(await world.accounts.log_in(name, OTHER))
        costs.append(world.doorkeeper.done - before)
    assert answers == [AUTH_FAILED, AUTH_FAILED]
    assert costs == [2, 2]


async def test_a_second_try_costs_the_same(world: World) -> None:
    world.change(registration="closed")
    costs = []
    for password in (PASSWORD, OTHER, PASSWORD):
        before = world.doorkeeper.done
        await world.accounts.log_in(ANNA, password)
        costs.append(world.doorkeeper.done - before)
    assert costs == [2, 2, 2]


# busy, broken


async def test_a_busy_crew_is_told_and_the_next_try_succeeds(world: World) -> None:
    world.doorkeeper.busy_for = 1
    with pytest.raises(CrewBusy):
        await world.accounts.log_in(ANNA, PASSWORD)
    await logged_in(world.accounts)


async def test_everybody_who_waits_for_the_same_login_hears_of_the_failure(world: World) -> None:
    world.doorkeeper.busy_for = 1
    answers = await asyncio.gather(*(world.accounts.log_in(ANNA, PASSWORD) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [CrewBusy] * 3


async def test_a_connection_that_goes_away_does_not_break_the_other_ones_login(world: World) -> None:
    leaving = asyncio.ensure_future(world.accounts.log_in(ANNA, PASSWORD))
    staying = asyncio.ensure_future(logged_in(world.accounts))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).address == ANNA


async def test_nothing_is_kept_of_a_login_that_is_over(world: World) -> None:
    await world.accounts.log_in(ANNA, PASSWORD)
    await world.accounts.log_in(ANNA, OTHER)
    await asyncio.sleep(0)
    assert not world.accounts._under_way  # keys hold passwords


# the returning device


async def test_a_returning_device_costs_no_argon2(world: World) -> None:
    await logged_in(world.accounts)
    before = world.doorkeeper.done
    await logged_in(world.accounts)
    assert world.doorkeeper.done == before


async def test_a_login_prolongs_the_account_once_for_each_coarse_day(world: World) -> None:
    login = await logged_in(world.accounts)
    for _ in range(3):
        await logged_in(world.accounts)
    assert world.staged.calls["prolong_account"] == 0  # the new account has its full term
    world.calendar.day = 15
    for _ in range(3):
        await logged_in(world.accounts)
    assert world.staged.calls["prolong_account"] == 1
    record = await world.store.account(login.account)
    assert record is not None
    assert record.expires == account_expiry(15, world.settings)


@pytest.mark.parametrize("error", [StoreFull("full"), StoreUnavailable("gone")])
async def test_a_full_disk_keeps_nobody_from_logging_in(world: World, error: Exception) -> None:
    """Else nobody could delete, and the disk would stay full. The account is prolonged by the next login."""
    await logged_in(world.accounts)
    world.calendar.day = 15
    world.staged.broken["prolong_account"] = error
    login = await logged_in(world.accounts)
    del world.staged.broken["prolong_account"]
    await logged_in(world.accounts)
    record = await world.store.account(login.account)
    assert record is not None
    assert record.expires == account_expiry(15, world.settings)


async def test_devices_that_stay_connected_keep_their_accounts(world: World) -> None:
    logins = await world.members(*(f"member{number:03}" for number in range(150)))
    world.calendar.day = 9_990
    await world.accounts.prolong_all([login.account for login in logins])
    world.staged.inner._state.day = 10_000  # where the records of `members` would end
    await world.store.expire()
    assert (await world.store.totals()).accounts == 150


async def test_what_is_remembered_of_prolonged_accounts_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "PROLONGED_MAX", 10)
    logins = await world.members(*(f"member{number:03}" for number in range(30)))
    await world.accounts.prolong_all([login.account for login in logins])
    assert len(world.accounts._prolonged) == 10


# the end of an account


async def test_deletion_ends_sessions_and_the_cached_login(world: World) -> None:
    login = await logged_in(world.accounts)
    ended: list[str] = []
    world.accounts.when_closed(login, lambda: ended.append("imap"))
    stop = world.accounts.when_closed(login, lambda: ended.append("smtp"))
    stop()
    await world.accounts.delete(login)
    assert ended == ["imap"]
    world.change(registration="closed")
    assert await world.accounts.log_in(ANNA, PASSWORD) == AUTH_FAILED


async def test_an_account_that_expired_can_be_made_anew_by_its_remembered_password(world: World) -> None:
    """The cache must not let somebody into an account that is no more: the login would work and every mailbox be missing."""
    old = await logged_in(world.accounts)
    world.staged.inner._state.day = 1000
    await world.store.expire()
    assert (await world.store.totals()).accounts == 0
    new = await logged_in(world.accounts)
    assert new.public_key != old.public_key
    assert await world.store.mailbox(new.inbox) is not None


async def test_the_former_owner_of_a_name_does_not_get_into_the_new_account(world: World) -> None:
    """Same name, same account id; a key from the cache would open the door to somebody else's mailbox."""
    old = await logged_in(world.accounts)
    await world.store.delete_account(old.account)  # as expiry does, which tells nobody
    await logged_in(world.make_accounts(), OTHER)
    assert await world.accounts.log_in(ANNA, PASSWORD) == AUTH_FAILED


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("turns", [5, 9, 13, 17, 22, 27])
async def test_a_password_that_is_changed_while_somebody_logs_in_with_it_opens_nothing_afterwards(seed: int, turns: int) -> None:
    """Neither the cache of logins nor a session that nobody ended: the store answers late, in an order that follows from the seed."""
    world = World(seed=seed)
    login = await logged_in(world.accounts)
    if seed % 2:
        world.logins.forget(login.account)  # else the device is recognised from RAM
    sessions: list[Login] = []

    async def come() -> None:
        answer = await world.accounts.log_in(ANNA, PASSWORD)
        if isinstance(answer, Login):
            sessions.append(answer)
            world.accounts.when_closed(answer, lambda: sessions.remove(answer))

    devices = [asyncio.ensure_future(come()) for _ in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    assert await world.accounts.change_password(login, OTHER)
    devices.append(asyncio.ensure_future(come()))
    await asyncio.gather(*devices)
    assert sessions == []
    assert await world.accounts.log_in(ANNA, PASSWORD) == AUTH_FAILED
    assert (await logged_in(world.accounts, OTHER)).public_key == login.public_key


async def test_somebody_elses_new_password_costs_a_login_nothing(world: World) -> None:
    await logged_in(world.accounts)
    world.logins.forget(AccountId(bytes(16)))
    before = world.doorkeeper.done
    late = asyncio.ensure_future(logged_in(world.make_accounts()))
    for _ in range(5):
        await asyncio.sleep(0)
        world.logins.forget(AccountId(bytes(16)))
    await late
    assert world.doorkeeper.done - before <= 2


async def test_a_deletion_while_somebody_logs_in_leaves_nothing_behind(world: World) -> None:
    login = await logged_in(world.accounts)
    world.logins.forget(login.account)
    world.change(registration="closed")
    late = asyncio.ensure_future(world.accounts.log_in(ANNA, PASSWORD))
    await asyncio.sleep(0)
    await world.accounts.delete(login)
    await late
    assert await world.accounts.log_in(ANNA, PASSWORD) == AUTH_FAILED
