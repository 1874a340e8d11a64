# SPDX-License-Identifier: AGPL-3.0-or-later
"""ports/store.py, accounts: created once, found, prolonged, given a new password, deleted."""

import asyncio
from dataclasses import replace

import pytest
from tests.contract.stores import account, account_id, deliver, folder, record, removal

from razdar.model.ids import AccountId, MailboxId
from razdar.ports.store import NEVER, AccountRecord, Recipient, Store, StoreUnavailable

pytestmark = pytest.mark.anyio


async def test_an_account_is_kept_as_it_was_given(store: Store) -> None:
    assert await store.account(account_id("anna")) is None
    assert await store.create_account(record("anna")) == record("anna")
    assert await store.account(account_id("anna")) == record("anna")


async def test_the_first_creator_wins(store: Store) -> None:
    # IMAP and SMTP of one client race to create the account (WIRE, Accounts).
    first = record("anna")
    second = replace(first, salt=b"other", public_key=b"other", locked_key=b"other", expires=7)
    answers = await asyncio.gather(store.create_account(first), store.create_account(second))
    assert answers[0] == answers[1]
    assert await store.account(first.id) == answers[0]
    assert (await store.totals()).accounts == 1


async def test_a_new_account_has_an_empty_inbox(store: Store) -> None:
    inbox = await account(store, "anna")
    (only,) = await store.mailboxes(inbox.account)
    assert only == await store.mailbox(inbox)
    assert (only.id, only.uid_next, only.messages, only.sealed) == (inbox, 1, 0, None)
    assert 0 < only.uid_validity < 2**32  # RFC 3501 section 9: nz-number


async def test_a_new_password_changes_the_lock_and_nothing_else(store: Store) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    assert await store.replace_login(inbox.account, b"new salt", b"new lock")
    assert await store.account(inbox.account) == replace(record("anna"), salt=b"new salt", locked_key=b"new lock")
    assert await store.uids(inbox) == [1]


async def test_a_new_password_for_nobody(store: Store) -> None:
    assert not await store.replace_login(account_id("nobody"), b"salt", b"lock")
    assert await store.account(account_id("nobody")) is None


async def test_prolonging_never_shortens(store: Store) -> None:
    inbox = await account(store, "anna", expires=50)

    async def expires() -> int:
        known = await store.account(inbox.account)
        assert isinstance(known, AccountRecord)
        return known.expires

    await store.prolong_account(inbox.account, 40)
    assert await expires() == 50
    await store.prolong_account(inbox.account, 60)
    assert await expires() == 60
    await store.prolong_account(account_id("nobody"), 60)


async def test_deleting_takes_everything_that_belongs_to_the_account(store: Store) -> None:
    anna, boris = await account(store, "anna"), await account(store, "boris")
    other = await folder(store, anna)
    await deliver(store, anna, other, boris)
    await store.put_token(anna.account, b"token", 100)
    assert await store.delete_account(anna.account)
    assert await store.account(anna.account) is None
    assert await store.mailboxes(anna.account) == []
    assert await store.mailbox(other) is None
    assert await store.entries(anna) == []
    assert await store.tokens(anna.account) == []
    assert await store.uids(boris) == [1]
    assert (await store.totals()).entries == 1


async def test_deleting_nobody(store: Store) -> None:
    assert not await store.delete_account(account_id("nobody"))


async def test_an_account_made_anew_is_empty_and_its_uid_validity_differs(store: Store) -> None:
    # RFC 3501 section 2.3.1.1: its UIDs begin again, so a device that still knows the old ones must be told.
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    before = await store.mailbox(inbox)
    await store.delete_account(inbox.account)
    after = await store.mailbox(await account(store, "anna"))
    assert before is not None
    assert after is not None
    assert (after.uid_next, after.messages) == (1, 0)
    assert before.uid_validity != after.uid_validity  # the same once in 2**30


async def test_recipients_are_those_that_exist(store: Store) -> None:
    anna = await account(store, "anna")
    boris = await account(store, "boris")
    await deliver(store, boris, charge=3)
    found = await store.recipients([anna.account, account_id("nobody"), boris.account, anna.account])
    assert found == {
        anna.account: Recipient(record("anna").public_key, 0),
        boris.account: Recipient(record("boris").public_key, 3),
    }
    assert await store.recipients([]) == {}


async def test_a_thousand_recipients(store: Store) -> None:
    names = [f"member {number}" for number in range(300)]
    await asyncio.gather(*(store.create_account(record(name)) for name in names))
    wanted: list[AccountId] = [account_id(name) for name in names] + [account_id(f"nobody {number}") for number in range(700)]
    found = await store.recipients(wanted)
    assert {id_: known.public_key for id_, known in found.items()} == {record(name).id: record(name).public_key for name in names}


async def test_what_an_account_uses_is_the_sum_of_its_folders(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    (uid, _) = await deliver(store, inbox, other, charge=5)
    assert (await store.recipients([inbox.account]))[inbox.account].used == 10
    await store.remove(inbox, [removal(uid, charge=5)])
    assert (await store.recipients([inbox.account]))[inbox.account].used == 5


async def test_totals_count(store: Store) -> None:
    anna, boris = await account(store, "anna"), await account(store, "boris")
    await deliver(store, anna, boris)
    totals = await store.totals()
    assert (totals.accounts, totals.entries, totals.bodies) == (2, 2, 1)


async def test_a_store_with_room_is_not_full(store: Store) -> None:
    assert not store.is_full


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.create_account(record("anna"))
    with pytest.raises(StoreUnavailable):
        await store.mailbox(MailboxId(account_id("anna")))
    await store.close()  # again, harmless


async def test_the_relays_own_account_is_nobody_and_stays(store: Store) -> None:
    await account(store, "anna")
    own = await account(store, "queue", expires=NEVER)
    await store.prolong_account(own.account, 500)
    for _ in range(120):
        await store.next_day()
    await store.expire()
    assert (await store.totals()).accounts == 0
    assert [record.id for record in await store.mailboxes(own.account)] == [own]
