# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the contract tests of the store are made of: records, deliveries and removals in one line each."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from razdar.adapters.sqlite import SqliteStore
from razdar.model.ids import AccountId, BodyId, MailboxId, Uid
from razdar.ports.store import AccountRecord, Body, Delivery, Duplicate, NewEntry, Removal, Store
from razdar.services.newcomers import Newcomers

BODY = BodyId(77)
SEAL = bytes(range(120))


def account_id(name: str) -> AccountId:
    return AccountId(blake2b(name.encode(), digest_size=16).digest())


def record(name: str, expires: int = 100) -> AccountRecord:
    return AccountRecord(account_id(name), b"salt of " + name.encode(), name.encode().ljust(32, b"."), b"locked", expires)


async def wear(store: Store, mailbox: MailboxId, uid_next: int) -> None:
    """So many UIDs of the mailbox are given out."""
    inner: Any = store
    if isinstance(inner, Newcomers):
        await inner.keep_account(mailbox.account)
        inner = inner._store
    if isinstance(inner, SqliteStore):
        statement = "UPDATE mailbox SET uid_next = ? WHERE account = ? AND folder = ?"
        await inner._writer.run(lambda connection: connection.execute(statement, (uid_next, *mailbox)))
    else:
        inner._state.folder(mailbox).uid_next = uid_next


async def account(store: Store, name: str, expires: int = 100) -> MailboxId:
    """The INBOX of a new account."""
    return MailboxId((await store.create_account(record(name, expires))).id)


async def folder(store: Store, inbox: MailboxId) -> MailboxId:
    made = await store.create_mailbox(inbox.account, b"sealed")
    assert made is not None
    return made.id


def delivery(mailboxes: Sequence[MailboxId], body: BodyId = BODY, expires: int = 10, charge: int = 2) -> Delivery:
    return Delivery(Body(body, b"blob %d" % body, expires), [NewEntry(mailbox, SEAL, charge) for mailbox in mailboxes])


async def deliver(store: Store, *mailboxes: MailboxId, body: BodyId = BODY, expires: int = 10, charge: int = 2) -> list[Uid]:
    """UIDs of one message for these mailboxes, which must exist."""
    (uids,) = await store.deliver([delivery(mailboxes, body, expires, charge)])
    return [uids[mailbox] for mailbox in mailboxes]


def removal(uid: Uid, body: BodyId = BODY, charge: int = 2) -> Removal:
    return Removal(uid, body, charge)


def duplicate(uid: Uid, body: BodyId = BODY, charge: int = 2) -> Duplicate:
    return Duplicate(uid, body, SEAL[::-1], charge)


async def used(store: Store, mailbox: MailboxId) -> int:
    return (await store.recipients([mailbox.account]))[mailbox.account].used
