# SPDX-License-Identifier: AGPL-3.0-or-later
"""ports/store.py, messages: delivered once for everybody, read by UID, sealed anew, removed, copied and moved."""

import asyncio
from dataclasses import replace

import pytest
from tests.contract.stores import BODY, SEAL, account, account_id, deliver, delivery, duplicate, folder, removal, used, wear

from razdar.model.ids import UID_NEXT_MAX, BodyId, MailboxId, Uid
from razdar.ports.store import USED_UP, Body, Delivery, Duplicate, Entry, NewEntry, Removal, Store

pytestmark = pytest.mark.anyio


async def test_a_message_for_two(store: Store) -> None:
    anna, boris = await account(store, "anna"), await account(store, "boris")
    (uids,) = await store.deliver([delivery([anna, boris])])
    assert uids == {anna: 1, boris: 1}
    assert await store.entries(anna) == [Entry(Uid(1), SEAL, 10)]
    assert await store.body(BODY) == b"blob 77"
    assert [await used(store, inbox) for inbox in (anna, boris)] == [2, 2]


async def test_uids_ascend_in_the_order_given(store: Store) -> None:
    inbox = await account(store, "anna")
    seals = [bytes([number]) * 120 for number in range(5)]
    deliveries = [Delivery(Body(BodyId(1 + number), b"blob", 10), [NewEntry(inbox, seal, 0)]) for number, seal in enumerate(seals)]
    assert await store.deliver(deliveries) == [{inbox: Uid(1 + number)} for number in range(5)]
    assert [entry.seal for entry in await store.entries(inbox)] == seals
    known = await store.mailbox(inbox)
    assert known is not None
    assert (known.uid_next, known.messages) == (6, 5)


async def test_two_entries_of_one_message_in_one_mailbox(store: Store) -> None:
    inbox = await account(store, "anna")
    (uids,) = await store.deliver([delivery([inbox, inbox])])
    assert uids == {inbox: 2}  # the last one's
    assert await store.uids(inbox) == [1, 2]
    await store.remove(inbox, [removal(Uid(1))])
    assert await store.body(BODY) is not None
    await store.remove(inbox, [removal(Uid(2))])
    assert await store.body(BODY) is None


async def test_deliveries_at_the_same_moment_get_different_uids(store: Store) -> None:
    inbox = await account(store, "anna")
    answers = await asyncio.gather(*(store.deliver([delivery([inbox], BodyId(1 + number))]) for number in range(50)))
    assert sorted(uids[inbox] for (uids,) in answers) == list(range(1, 51))


async def test_a_mailbox_that_is_gone_is_left_out(store: Store) -> None:
    anna = await account(store, "anna")
    gone = MailboxId(account_id("nobody"))
    (uids,) = await store.deliver([delivery([gone, anna, MailboxId(anna.account, 5)])])
    assert uids == {anna: 1}
    await store.remove(anna, [removal(Uid(1))])
    assert await store.body(BODY) is None  # the missing ones hold no share


async def test_a_body_for_nobody_is_not_stored(store: Store) -> None:
    anna = await account(store, "anna")
    answers = await store.deliver([delivery([MailboxId(account_id("nobody"))], BodyId(5)), delivery([anna]), delivery([], BodyId(6))])
    assert answers == [{}, {anna: 1}, {}]
    assert await store.body(BodyId(5)) is None
    assert await store.body(BodyId(6)) is None
    assert (await store.totals()).bodies == 1
    assert await store.deliver([]) == []


async def test_a_large_body_comes_back_whole(store: Store) -> None:
    inbox = await account(store, "anna")
    blob = bytes(range(256)) * 8192
    await store.deliver([Delivery(Body(BODY, blob, 10), [NewEntry(inbox, SEAL, 1)])])
    assert await store.body(BODY) == blob
    await store.remove(inbox, [removal(Uid(1))])
    assert await store.body(BODY) is None


async def test_the_largest_body_id(store: Store) -> None:
    inbox = await account(store, "anna")
    body = BodyId(2**63 - 1)
    await deliver(store, inbox, body=body)
    assert await store.body(body) is not None
    await store.remove(inbox, [removal(Uid(1), body)])
    assert await store.body(body) is None


async def test_entries_by_uid(store: Store) -> None:
    inbox = await account(store, "anna")
    for number in range(5):
        await deliver(store, inbox, body=BodyId(1 + number))
    assert [entry.uid for entry in await store.entries(inbox, [Uid(4), Uid(2), Uid(99), Uid(2)])] == [2, 4]
    assert await store.entries(inbox, []) == []
    assert await store.uids(inbox) == [1, 2, 3, 4, 5]
    assert await store.uids(MailboxId(account_id("nobody"))) == []


async def test_uids_are_never_used_twice(store: Store) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    await store.remove(inbox, [removal(Uid(1))])
    assert await deliver(store, inbox) == [2]
    known = await store.mailbox(inbox)
    assert known is not None
    assert known.uid_next == 3


async def test_flags_change_by_a_new_seal(store: Store) -> None:
    inbox = await account(store, "anna")
    for number in range(3):
        await deliver(store, inbox, body=BodyId(1 + number))
    new = SEAL[::-1]
    assert await store.reseal(inbox, {Uid(3): new, Uid(1): new, Uid(9): new}) == [1, 3]
    assert [entry.seal for entry in await store.entries(inbox)] == [new, SEAL, new]
    assert await store.reseal(MailboxId(account_id("nobody")), {Uid(1): new}) == []
    assert await store.reseal(inbox, {}) == []


async def test_the_body_goes_with_its_last_reader(store: Store) -> None:
    inboxes = [await account(store, name) for name in ("anna", "boris", "clara")]
    await deliver(store, *inboxes)
    for inbox in inboxes:
        assert await store.body(BODY) is not None
        assert await store.remove(inbox, [removal(Uid(1))]) == [1]
    assert await store.body(BODY) is None


async def test_random_shares_count_down_to_nothing(store: Store) -> None:
    # The balance must tell no audience, so shares are random and wrap around.
    inboxes = [await account(store, name) for name in ("anna", "boris", "clara")]
    shares = [2**62 - 1, 2**61 + 12345, 3]
    entries = [NewEntry(inbox, SEAL, 0, share) for inbox, share in zip(inboxes, shares, strict=True)]
    await store.deliver([Delivery(Body(BODY, b"blob", 10), entries)])
    for inbox, share in zip(inboxes[::-1], shares[::-1], strict=True):
        assert await store.body(BODY) == b"blob"
        await store.remove(inbox, [Removal(Uid(1), BODY, 0, share)])
    assert await store.body(BODY) is None


async def test_removing_twice_counts_once(store: Store) -> None:
    anna, boris = await account(store, "anna"), await account(store, "boris")
    await deliver(store, anna, boris)
    # Two devices expunge at once (STYLE section 9).
    answers = await asyncio.gather(store.remove(anna, [removal(Uid(1))]), store.remove(anna, [removal(Uid(1))]))
    assert sorted(len(answer) for answer in answers) == [0, 1]
    assert await store.body(BODY) is not None
    assert await used(store, anna) == 0
    assert await store.remove(anna, [removal(Uid(1)), removal(Uid(7))]) == []


async def test_what_is_removed_is_told_by_ascending_uid(store: Store) -> None:
    inbox = await account(store, "anna")
    for number in range(4):
        await deliver(store, inbox, body=BodyId(1 + number))
    removals = [removal(Uid(uid), BodyId(uid)) for uid in (4, 2, 3, 9)]
    assert await store.remove(inbox, removals) == [2, 3, 4]
    assert await store.uids(inbox) == [1]
    assert [await store.body(BodyId(uid)) is None for uid in (1, 2, 3, 4)] == [False, True, True, True]


async def test_quota_comes_back_and_never_below_nothing(store: Store) -> None:
    inbox = await account(store, "anna")
    for number in range(3):
        await deliver(store, inbox, body=BodyId(1 + number), charge=2)
    await store.remove(inbox, [removal(Uid(1), BodyId(1), charge=1)])
    assert await used(store, inbox) == 5
    await store.remove(inbox, [removal(Uid(2), BodyId(2), charge=50)])
    assert await used(store, inbox) == 0


async def test_an_empty_mailbox_uses_nothing(store: Store) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox, charge=9)
    await store.remove(inbox, [removal(Uid(1), charge=1)])
    assert await used(store, inbox) == 0


async def test_a_copy_shares_the_body(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    await deliver(store, other, body=BodyId(5))
    await deliver(store, inbox)
    assert await store.copy(inbox, other, [duplicate(Uid(1), charge=3), duplicate(Uid(8))]) == {1: 2}
    assert await store.entries(other, [Uid(2)]) == [Entry(Uid(2), SEAL[::-1], 10)]
    assert await used(store, inbox) == 7
    await store.remove(inbox, [removal(Uid(1))])
    assert await store.body(BODY) is not None
    await store.remove(other, [removal(Uid(2), charge=3)])
    assert await store.body(BODY) is None


async def test_a_copy_keeps_its_day(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    await deliver(store, inbox, expires=2)
    await store.copy(inbox, other, [duplicate(Uid(1))])
    await store.next_day()
    assert await store.expire() == 3
    assert await store.entries(other) == []


async def test_a_move_takes_the_message_along(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    for number in range(3):
        await deliver(store, inbox, body=BodyId(1 + number))
    moves = [duplicate(Uid(3), BodyId(3)), duplicate(Uid(1), BodyId(1)), duplicate(Uid(9))]
    assert await store.move(inbox, other, moves) == {3: 1, 1: 2}
    assert await store.uids(inbox) == [2]
    assert await store.uids(other) == [1, 2]
    assert await used(store, inbox) == 6
    await store.remove(other, [removal(Uid(1), BodyId(3))])
    assert [await store.body(BodyId(body)) is None for body in (1, 2, 3)] == [False, False, True]


async def test_random_shares_survive_copy_and_move(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    await store.deliver([Delivery(Body(BODY, b"blob", 10), [NewEntry(inbox, SEAL, 1, 2**62 - 5)])])
    await store.copy(inbox, other, [replace(duplicate(Uid(1)), share=2**61)])
    await store.move(inbox, other, [replace(duplicate(Uid(1)), share=2**62 - 5)])
    await store.remove(other, [Removal(Uid(1), BODY, 1, 2**61)])
    assert await store.body(BODY) is not None
    await store.remove(other, [Removal(Uid(2), BODY, 1, 2**62 - 5)])
    assert await store.body(BODY) is None


async def test_moving_at_the_same_moment_moves_once(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    await deliver(store, inbox)
    answers = await asyncio.gather(*(store.move(inbox, other, [duplicate(Uid(1))]) for _ in range(2)))
    assert sorted(len(answer) for answer in answers) == [0, 1]
    assert await store.uids(other) == [1]


async def test_a_message_can_be_moved_within_its_mailbox(store: Store) -> None:
    # RFC 6851 section 3.1 allows it: the message gets a new UID.
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    assert await store.move(inbox, inbox, [duplicate(Uid(1))]) == {1: 2}
    assert await store.uids(inbox) == [2]
    assert await used(store, inbox) == 2
    assert await store.body(BODY) is not None


async def test_nothing_happens_without_a_target_or_a_source(store: Store) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    nowhere = MailboxId(inbox.account, 7)
    assert await store.move(inbox, nowhere, [duplicate(Uid(1))]) == {}
    assert await store.copy(nowhere, inbox, [duplicate(Uid(1))]) == {}
    assert await store.copy(inbox, inbox, []) == {}
    assert await store.uids(inbox) == [1]


async def test_a_message_stays_in_its_account(store: Store) -> None:
    # VECTORS, cross-account: impossible by construction.
    anna, boris = await account(store, "anna"), await account(store, "boris")
    await deliver(store, anna)
    for carry in (store.copy, store.move):
        with pytest.raises(ValueError, match="account"):
            await carry(anna, boris, [Duplicate(Uid(1), BODY, SEAL, 1)])
    assert await store.uids(boris) == []


async def test_a_copy_of_what_has_lost_its_body(store: Store) -> None:
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    await deliver(store, inbox, inbox)
    await store.remove(inbox, [Removal(Uid(1), BODY, 2, share=2)])  # a wrong share: both readers' at once
    assert await store.body(BODY) is None
    assert await store.copy(inbox, other, [duplicate(Uid(2))]) == {2: 1}
    assert await store.remove(other, [removal(Uid(1))]) == [1]


async def test_an_exchange_takes_and_brings(store: Store) -> None:
    """What cannot go on becomes a report to its sender: at no moment there is neither, and never both."""
    queue, anna = await account(store, "queue"), await account(store, "anna")
    old, report = BodyId(5), BodyId(6)
    await deliver(store, queue, queue, body=old)
    (uids,) = await store.exchange(queue, [removal(Uid(1), old)], [delivery([anna], report)])
    assert uids == {anna: 1}
    assert await store.uids(queue) == [2]
    assert await store.body(old) is not None
    (rest,) = await store.exchange(queue, [removal(Uid(2), old)], [delivery([queue], BodyId(7))])
    assert rest == {queue: 3}
    assert [await store.body(body) is None for body in (old, report, BodyId(7))] == [True, False, False]
    assert await used(store, queue) == 2


async def test_an_exchange_for_nothing_is_a_removal(store: Store) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    assert await store.exchange(inbox, [removal(Uid(1))], []) == []
    assert await store.uids(inbox) == []
    assert await store.body(BODY) is None


async def test_an_exchange_with_somebody_who_is_gone_takes_all_the_same(store: Store) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    assert await store.exchange(inbox, [removal(Uid(1))], [delivery([MailboxId(account_id("nobody"))], BodyId(9))]) == [{}]
    assert await store.uids(inbox) == []
    assert await store.body(BodyId(9)) is None


# the end of the UIDs (RFC 3501 section 9: 32 bits)


async def test_the_last_uid_is_given_out_and_then_the_mailbox_is_full(store: Store) -> None:
    anna, boris = await account(store, "anna"), await account(store, "boris")
    await wear(store, anna, UID_NEXT_MAX - 1)
    assert (await store.recipients([anna.account]))[anna.account].used == 0
    assert await deliver(store, anna, boris, body=BodyId(1)) == [UID_NEXT_MAX - 1, 1]
    known = await store.recipients([anna.account, boris.account])
    assert known[anna.account].used >= USED_UP > known[boris.account].used
    assert await store.deliver([delivery([anna, boris], BodyId(2))]) == [{boris: 2}]
    record = await store.mailbox(anna)
    assert record is not None
    assert (record.uid_next, record.messages) == (UID_NEXT_MAX, 1)
    assert await store.remove(anna, [removal(Uid(UID_NEXT_MAX - 1), BodyId(1))]) == [UID_NEXT_MAX - 1]


async def test_a_worn_folder_takes_no_copies_and_loses_nothing(store: Store) -> None:
    anna = await account(store, "anna")
    other = await folder(store, anna)
    [uid] = await deliver(store, anna)
    await wear(store, other, UID_NEXT_MAX)
    for put in (store.copy, store.move):
        assert await put(anna, other, [duplicate(uid)]) == {}
    assert await store.uids(anna) == [uid]
