# SPDX-License-Identifier: AGPL-3.0-or-later
"""ports/store.py, time and small things: relay days, expiry, push tokens, invites."""

import asyncio

import pytest
from tests.contract.stores import BODY, account, account_id, deliver, delivery, folder, record, used

from razdar.model.ids import BodyId
from razdar.ports.store import Body, Delivery, Removal, Store

pytestmark = pytest.mark.anyio


async def pass_days(store: Store, count: int) -> None:
    for _ in range(count):
        await store.next_day()


async def test_days_count_from_one(store: Store) -> None:
    assert await store.day() == 1
    assert await store.next_day() == 2
    assert await store.next_day() == 3
    assert await store.day() == 3


async def test_what_has_passed_of_a_day_is_kept_and_begins_anew_with_the_next(store: Store) -> None:
    assert await store.minutes() == 0
    await store.note_minutes(50)
    assert await store.minutes() == 50
    await store.next_day()
    assert await store.minutes() == 0


async def test_a_message_goes_on_its_day_and_not_before(store: Store) -> None:
    anna, boris = await account(store, "anna"), await account(store, "boris")
    await deliver(store, anna, boris, expires=3)
    await store.next_day()
    assert await store.expire() == 0
    assert await store.uids(anna) == [1]
    await store.next_day()
    assert await store.expire() == 3  # two entries and a body
    assert await store.uids(anna) == []
    assert await store.body(BODY) is None
    assert await store.expire() == 0


async def test_an_entry_may_outlive_its_body(store: Store) -> None:
    """So that its day does not tell a large message."""
    inbox = await account(store, "anna")
    (entry,) = delivery([inbox], expires=2, charge=4).entries
    (uids,) = await store.deliver([Delivery(Body(BODY, b"large", 2), [entry], entries_expire=4)])
    assert [each.expires for each in await store.entries(inbox)] == [4]
    await store.next_day()
    assert await store.expire() == 1
    assert await store.body(BODY) is None
    assert await store.uids(inbox) == [1]
    assert await store.remove(inbox, [Removal(uids[inbox], BODY, 4)]) == [1]
    assert await used(store, inbox) == 0


async def test_expiry_leaves_the_others(store: Store) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox, body=BodyId(1), expires=2, charge=4)
    await deliver(store, inbox, body=BodyId(2), expires=3, charge=4)
    await deliver(store, inbox, body=BodyId(3), expires=2, charge=4)
    await store.next_day()
    assert await store.expire() == 4
    assert await store.uids(inbox) == [2]
    assert await used(store, inbox) == 4
    assert await store.body(BodyId(2)) is not None


async def test_what_is_used_shrinks_in_proportion_rounded_up(store: Store) -> None:
    inbox = await account(store, "anna")
    for number, expires in enumerate((2, 9, 9), start=1):
        await deliver(store, inbox, body=BodyId(number), expires=expires, charge=number + 1)
    await deliver(store, inbox, body=BodyId(4), expires=9, charge=4)
    await store.next_day()
    await store.expire()
    assert await used(store, inbox) == 10  # three quarters of 13
    await pass_days(store, 7)
    await store.expire()
    assert await used(store, inbox) == 0


async def test_uids_go_on_after_expiry(store: Store) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox, expires=2)
    await store.next_day()
    await store.expire()
    assert await deliver(store, inbox) == [2]


async def test_an_account_goes_on_its_day(store: Store) -> None:
    anna, boris = await account(store, "anna", expires=2), await account(store, "boris", expires=3)
    await folder(store, anna)
    await deliver(store, anna, expires=50)
    await store.put_token(anna.account, b"token", 50)
    await store.next_day()
    assert await store.expire() == 3  # account, entry, token; the body has its own day
    assert await store.account(anna.account) is None
    assert await store.mailboxes(anna.account) == []
    assert await store.tokens(anna.account) == []
    assert await store.account(boris.account) is not None
    assert await store.body(BODY) is not None
    await pass_days(store, 48)
    assert await store.expire() == 2  # the body, and Boris
    assert await store.body(BODY) is None


async def test_expiry_of_many_accounts(store: Store) -> None:
    inboxes = [await account(store, f"member {number}", expires=2 + number % 2) for number in range(40)]
    await deliver(store, *inboxes, expires=2)
    await store.next_day()
    assert await store.expire() == 20 + 40 + 1
    assert (await store.totals()).accounts == 20


async def test_a_token_is_kept_and_renewed_and_forgotten(store: Store) -> None:
    inbox = await account(store, "anna")
    await store.put_token(inbox.account, b"one", 2)
    await store.put_token(inbox.account, b"two", 2)
    await store.put_token(inbox.account, b"one", 3)
    assert sorted(await store.tokens(inbox.account)) == [b"one", b"two"]
    await store.next_day()
    assert await store.expire() == 1
    assert await store.tokens(inbox.account) == [b"one"]
    await store.forget_token(inbox.account, b"one")
    await store.forget_token(inbox.account, b"one")
    assert await store.tokens(inbox.account) == []


async def test_no_token_for_nobody(store: Store) -> None:
    await store.put_token(account_id("nobody"), b"token", 50)
    assert await store.tokens(account_id("nobody")) == []


async def test_an_invite_makes_as_many_accounts_as_it_has_uses(store: Store) -> None:
    await store.put_invite(b"digest", 2, 50)
    answers = await asyncio.gather(*(store.claim_invite(b"digest", record(name)) for name in ("anna", "boris", "clara")))
    assert sorted(answers) == [False, True, True]
    assert (await store.totals()).accounts == 2
    assert await store.invite_uses(b"digest") == 0


async def test_a_claimed_account_has_an_inbox(store: Store) -> None:
    await store.put_invite(b"digest", 1, 50)
    assert await store.claim_invite(b"digest", record("anna"))
    assert await store.account(account_id("anna")) == record("anna")
    assert len(await store.mailboxes(account_id("anna"))) == 1


async def test_a_claim_for_an_existing_account_costs_no_use(store: Store) -> None:
    await account(store, "anna")
    await store.put_invite(b"digest", 1, 50)
    assert not await store.claim_invite(b"digest", record("anna"))
    assert await store.invite_uses(b"digest") == 1


async def test_an_unknown_invite_has_no_use(store: Store) -> None:
    assert await store.invite_uses(b"digest") == 0
    assert not await store.claim_invite(b"digest", record("anna"))
    assert await store.account(account_id("anna")) is None


async def test_an_invite_goes_on_its_day(store: Store) -> None:
    await store.put_invite(b"digest", 5, 2)
    assert await store.invite_uses(b"digest") == 5
    await store.next_day()
    assert await store.expire() == 1
    assert await store.invite_uses(b"digest") == 0
