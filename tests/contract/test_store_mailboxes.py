# SPDX-License-Identifier: AGPL-3.0-or-later
"""ports/store.py, mailboxes: folders with ascending numbers and UIDVALIDITY, sealed names, and an INBOX that stays."""

import asyncio

import pytest
from tests.contract.stores import BODY, account, account_id, deliver, folder, record, removal, used

from razdar.model.ids import BodyId, MailboxId, Uid
from razdar.ports.store import Store

pytestmark = pytest.mark.anyio


async def test_folders_come_in_order_inbox_first(store: Store) -> None:
    inbox = await account(store, "anna")
    made = [await folder(store, inbox) for _ in range(3)]
    await deliver(store, made[1])
    folders = await store.mailboxes(inbox.account)
    assert [folder.id for folder in folders] == [inbox, *made]
    assert [folder.sealed for folder in folders] == [None, b"sealed", b"sealed", b"sealed"]
    assert [folder.messages for folder in folders] == [0, 0, 1, 0]
    assert [await store.mailbox(folder.id) for folder in folders] == list(folders)


async def test_number_and_uid_validity_only_ascend(store: Store) -> None:
    # RFC 3501 section 2.3.1.1: a folder that is deleted and made again must not look like the old one.
    inbox = await account(store, "anna")
    seen = []
    for _ in range(3):
        made = await store.create_mailbox(inbox.account, b"sealed")
        assert made is not None
        seen.append((made.id.folder, made.uid_validity))
        assert await store.delete_mailbox(made.id, [])
    assert [number for number, _ in seen] == [1, 2, 3]
    assert sorted({validity for _, validity in seen}) == [validity for _, validity in seen]


async def test_folders_made_at_once_differ(store: Store) -> None:
    inbox = await account(store, "anna")
    made = await asyncio.gather(*(store.create_mailbox(inbox.account, b"%d" % number) for number in range(5)))
    assert {folder.id.folder for folder in made if folder is not None} == {1, 2, 3, 4, 5}
    assert {folder.sealed for folder in made if folder is not None} == {b"0", b"1", b"2", b"3", b"4"}


async def test_no_folder_for_nobody(store: Store) -> None:
    assert await store.create_mailbox(account_id("nobody"), b"sealed") is None
    assert await store.mailboxes(account_id("nobody")) == []
    assert await store.mailbox(MailboxId(account_id("nobody"))) is None


async def test_a_folder_is_sealed_anew(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    assert await store.reseal_mailbox(other, b"renamed")
    assert await store.reseal_mailbox(inbox, b"keywords")
    assert [folder.sealed for folder in await store.mailboxes(inbox.account)] == [b"keywords", b"renamed"]
    assert not await store.reseal_mailbox(MailboxId(inbox.account, 9), b"renamed")


async def test_deleting_a_folder_releases_what_the_removals_name(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    (kept, gone) = await deliver(store, inbox, other)
    assert await store.delete_mailbox(other, [removal(gone)])
    assert await store.mailbox(other) is None
    assert await store.entries(other) == []
    assert await used(store, inbox) == 2
    assert await store.body(BODY) is not None  # the INBOX still reads it
    await store.remove(inbox, [removal(kept)])
    assert await store.body(BODY) is None


async def test_deleting_a_folder_takes_entries_that_no_removal_names(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    await deliver(store, other)
    assert await store.delete_mailbox(other, [removal(Uid(99))])
    assert (await store.totals()).entries == 0
    assert await used(store, inbox) == 0


async def test_inbox_stays(store: Store) -> None:
    inbox = await account(store, "anna")
    with pytest.raises(ValueError, match="INBOX"):
        await store.delete_mailbox(inbox, [])
    assert await store.mailbox(inbox) is not None


async def test_deleting_a_folder_that_is_not_there(store: Store) -> None:
    inbox = await account(store, "anna")
    assert not await store.delete_mailbox(MailboxId(inbox.account, 4), [])


async def test_one_account_does_not_see_anothers_folders(store: Store) -> None:
    anna, boris = await account(store, "anna"), await account(store, "boris")
    await folder(store, anna)
    assert [folder.id for folder in await store.mailboxes(boris.account)] == [boris]
    assert (await store.account(boris.account)) == record("boris")


@pytest.mark.parametrize("count", [127, 128, 129, 300])
async def test_a_mailbox_is_counted_and_listed_whole_however_large(store: Store, count: int) -> None:
    # The store on disk looks at small ones on the event loop and at large ones in a thread.
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    for number in range(count):
        await deliver(store, inbox, body=BodyId(1 + number))
    await deliver(store, other, body=BodyId(1000))
    found = await store.mailbox(inbox)
    assert found is not None
    assert (found.messages, list(await store.uids(inbox))) == (count, list(range(1, count + 1)))
