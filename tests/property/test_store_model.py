# SPDX-License-Identifier: AGPL-3.0-or-later
"""Any sequence of changes leaves the store on disk and the one in RAM in the same state, across closing and opening again."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from razdar.adapters.memory import MemoryStore
from razdar.adapters.sqlite import SqliteStore, open_store
from razdar.model.ids import AccountId, BodyId, MailboxId, Uid
from razdar.ports.store import AccountRecord, Body, Delivery, Duplicate, NewEntry, Removal, Store

T = TypeVar("T")
ACCOUNTS = [AccountId(bytes([number]) * 16) for number in range(3)]
MAILBOXES = [MailboxId(account, folder) for account in ACCOUNTS for folder in range(3)]

accounts = st.sampled_from(ACCOUNTS)
mailboxes = st.sampled_from(MAILBOXES)
days = st.integers(1, 12)
uids = st.integers(1, 12).map(Uid)
sizes = st.sampled_from([0, 50, 20_000])
charges = st.integers(0, 5)
shares = st.sampled_from([1, 2**61, 2**62 - 1])


def record(account: AccountId, expires: int) -> AccountRecord:
    return AccountRecord(account, b"salt", b"public", b"locked", expires)


class TwoStores(RuleBasedStateMachine):
    """Does everything twice and compares the answers."""

    bodies = Bundle("bodies")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="store-model-"))
        self.memory = MemoryStore(entropy=bytes)
        self.disk = self.runner.run(self.opened())
        self.made = 0
        self.known: dict[tuple[MailboxId, Uid], tuple[BodyId, int, int]] = {}
        """What a device knows of each entry from its seal: body, charge, share."""

    async def opened(self) -> SqliteStore:
        return await open_store(self.folder, reserve_bytes=0, wal_bytes=200_000, entropy=bytes)

    def teardown(self) -> None:
        self.runner.run(self.disk.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def both(self, ask: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        expected = self.runner.run(ask(self.memory))
        assert self.runner.run(ask(self.disk)) == expected
        return expected

    def removals(self, mailbox: MailboxId, wanted: list[Uid]) -> list[Removal]:
        secrets = {uid: self.known.get((mailbox, uid), (BodyId(1), 0, 1)) for uid in wanted}
        return [Removal(uid, body, charge, share) for uid, (body, charge, share) in secrets.items()]

    @initialize()
    def some_accounts(self) -> None:
        for account in ACCOUNTS[:2]:
            self.both(lambda store, account=account: store.create_account(record(account, 10)))  # type: ignore[misc]
            self.both(lambda store, account=account: store.create_mailbox(account, b"sealed"))  # type: ignore[misc]

    @rule(account=accounts, expires=days)
    def create_account(self, account: AccountId, expires: int) -> None:
        self.both(lambda store: store.create_account(record(account, expires)))

    @rule(account=accounts)
    def delete_account(self, account: AccountId) -> None:
        self.both(lambda store: store.delete_account(account))

    @rule(account=accounts, expires=days)
    def change_account(self, account: AccountId, expires: int) -> None:
        self.both(lambda store: store.replace_login(account, b"new salt", b"new lock"))
        self.both(lambda store: store.prolong_account(account, expires))

    @rule(account=accounts)
    def create_mailbox(self, account: AccountId) -> None:
        self.both(lambda store: store.create_mailbox(account, b"sealed"))

    @rule(mailbox=mailboxes)
    def reseal_mailbox(self, mailbox: MailboxId) -> None:
        self.both(lambda store: store.reseal_mailbox(mailbox, b"renamed"))

    @rule(mailbox=mailboxes.filter(lambda mailbox: mailbox.folder > 0), wanted=st.lists(uids, unique=True))
    def delete_mailbox(self, mailbox: MailboxId, wanted: list[Uid]) -> None:
        self.both(lambda store: store.delete_mailbox(mailbox, self.removals(mailbox, wanted)))

    @rule(
        target=bodies, to=st.lists(st.tuples(mailboxes, charges, shares), max_size=6), expires=days, size=st.sampled_from([0, 50, 20_000])
    )
    def deliver(self, to: list[tuple[MailboxId, int, int]], expires: int, size: int) -> BodyId:
        self.made += 1
        body = BodyId(self.made)
        unique = {mailbox: (charge, share) for mailbox, charge, share in to}
        entries = [NewEntry(mailbox, b"seal %d" % self.made, charge, share) for mailbox, (charge, share) in unique.items()]
        delivery = Delivery(Body(body, bytes([self.made % 256]) * size, expires), entries)
        (assigned,) = self.both(lambda store: store.deliver([delivery]))
        for mailbox, uid in assigned.items():
            self.known[mailbox, uid] = (body, *unique[mailbox])
        return body

    @rule(mailbox=mailboxes, wanted=st.lists(uids, max_size=5, unique=True))
    def remove(self, mailbox: MailboxId, wanted: list[Uid]) -> None:
        self.both(lambda store: store.remove(mailbox, self.removals(mailbox, wanted)))

    @precondition(lambda self: self.known)
    @rule(pick=st.integers(0, 1000), how_many=st.integers(1, 3))
    def everybody_removes(self, pick: int, how_many: int) -> None:
        """The readers of one body, one after the other."""
        bodies = sorted({body for body, _, _ in self.known.values()})
        body = bodies[pick % len(bodies)]
        for mailbox, uid in [place for place, secret in self.known.items() if secret[0] == body][:how_many]:
            self.both(lambda store: store.remove(mailbox, self.removals(mailbox, [uid])))  # noqa: B023 - called at once
            self.both(lambda store: store.body(body))

    @rule(mailbox=mailboxes, wanted=st.lists(uids, max_size=5, unique=True))
    def reseal(self, mailbox: MailboxId, wanted: list[Uid]) -> None:
        self.both(lambda store: store.reseal(mailbox, {uid: b"flags %d" % uid for uid in wanted}))

    @rule(mailbox=mailboxes, to=st.integers(0, 2), wanted=st.lists(uids, max_size=4, unique=True), share=shares, is_move=st.booleans())
    def carry(self, mailbox: MailboxId, to: int, wanted: list[Uid], share: int, is_move: bool) -> None:
        target = MailboxId(mailbox.account, to)
        known = {uid: self.known.get((mailbox, uid), (BodyId(1), 0, 1)) for uid in wanted}
        duplicates = [
            Duplicate(uid, body, b"carried", charge, old_share if is_move else share) for uid, (body, charge, old_share) in known.items()
        ]
        assigned = self.both(lambda store: (store.move if is_move else store.copy)(mailbox, target, duplicates))
        for duplicate in duplicates:
            if duplicate.uid in assigned:
                self.known[target, assigned[duplicate.uid]] = (duplicate.body, duplicate.charge, duplicate.share)

    @rule()
    def a_day_passes(self) -> None:
        self.both(lambda store: store.next_day())
        self.both(lambda store: store.expire())

    @rule(account=accounts, token=st.sampled_from([b"one", b"two"]), expires=days, is_kept=st.booleans())
    def token(self, account: AccountId, token: bytes, expires: int, is_kept: bool) -> None:
        self.both(lambda store: store.put_token(account, token, expires) if is_kept else store.forget_token(account, token))

    @rule(account=accounts, uses=st.integers(0, 2), expires=days)
    def invite(self, account: AccountId, uses: int, expires: int) -> None:
        self.both(lambda store: store.put_invite(b"digest", uses, expires))
        self.both(lambda store: store.claim_invite(b"digest", record(account, 10)))
        self.both(lambda store: store.invite_uses(b"digest"))

    @rule(body=consumes(bodies))
    def look_at_a_body(self, body: BodyId) -> None:
        self.both(lambda store: store.body(body))

    @rule()
    def close_and_open(self) -> None:
        self.runner.run(self.disk.close())
        self.disk = self.runner.run(self.opened())
        assert not self.disk.was_restored

    @invariant()
    def both_look_the_same(self) -> None:
        self.both(lambda store: store.day())
        self.both(lambda store: store.recipients(ACCOUNTS))
        for account in ACCOUNTS:
            self.both(lambda store, account=account: store.account(account))  # type: ignore[misc]
            self.both(lambda store, account=account: store.mailboxes(account))  # type: ignore[misc]
            self.both(lambda store, account=account: store.tokens(account))  # type: ignore[misc]
        for mailbox in MAILBOXES:
            self.both(lambda store, mailbox=mailbox: store.entries(mailbox))  # type: ignore[misc]
        totals = [self.runner.run(store.totals()) for store in (self.memory, self.disk)]
        assert totals[0].accounts == totals[1].accounts
        assert totals[0].entries == totals[1].entries
        assert totals[0].bodies == totals[1].bodies


TwoStores.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
test_both_stores = pytest.mark.slow(TwoStores.TestCase)
