# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two devices watch one mailbox: whatever happens in whatever order, each client's own count agrees with the truth once it heard all.

The client here is the plainest reading of RFC 3501: it keeps a list, appends unknown messages on EXISTS, deletes on EXPUNGE, and learns
UIDs and flags from FETCH. If a sequence number were ever wrong, it would end up with a different list.
"""

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from razdar.wire.imap.sequence import parse
from razdar.wire.imap.view import MailboxView


class Client:
    """What one client was told."""

    def __init__(self, truth: dict[int, str]) -> None:
        self.view = MailboxView(sorted(truth))
        self.messages: list[int | None] = list(self.view.uids)
        self.flags = dict(truth)

    def hear(self, lines: list[bytes], *, may_expunge: bool) -> None:
        for line in lines:
            if found := re.fullmatch(rb"(\d+) EXISTS", line):
                assert int(found[1]) > len(self.messages)
                self.messages += [None] * (int(found[1]) - len(self.messages))
            elif found := re.fullmatch(rb"(\d+) EXPUNGE", line):
                assert may_expunge
                gone = self.messages.pop(int(found[1]) - 1)
                self.flags.pop(gone or 0, None)
            else:
                found = re.fullmatch(rb"(\d+) FETCH \(UID (\d+) FLAGS \((.*)\)\)", line)
                assert found
                known = self.messages[int(found[1]) - 1]
                assert known in (None, int(found[2]))
                self.messages[int(found[1]) - 1] = int(found[2])
                self.flags[int(found[2])] = found[3].decode()

    def ask(self, truth: dict[int, str]) -> None:
        """UID FETCH 1:* (FLAGS): the numbers it is answered with must fit what it counted."""
        for uid in self.view.named(parse(b"1:*"), by_uid=True):
            number = self.view.seq(uid)
            assert number is not None
            known = self.messages[number - 1]
            assert known in (None, uid)
            self.messages[number - 1] = uid
            if uid in truth:
                self.flags[uid] = truth[uid]


class TwoDevices(RuleBasedStateMachine):
    uids = Bundle("uids")

    def __init__(self) -> None:
        super().__init__()
        self.truth: dict[int, str] = {}
        self.next_uid = 1
        self.clients = [Client({}), Client({})]

    @rule(target=uids, gap=st.integers(0, 3))
    def deliver(self, gap: int) -> int:
        uid = self.next_uid + gap
        self.next_uid = uid + 1
        self.truth[uid] = ""
        for client in self.clients:
            client.view.added([uid])
        return uid

    @rule(gone=st.lists(uids, max_size=12))
    def remove(self, gone: list[int]) -> None:
        existing = [uid for uid in set(gone) if self.truth.pop(uid, None) is not None]
        for client in self.clients:
            client.view.removed(existing)

    @rule(uid=uids, flag=st.sampled_from(["", "\\Seen", "$x"]))
    def flag(self, uid: int, flag: str) -> None:
        if uid in self.truth:
            self.truth[uid] = flag
            for client in self.clients:
                client.view.reflagged([uid])

    @rule(index=st.integers(0, 1), may_expunge=st.booleans(), knows_flags=st.booleans())
    def tell(self, index: int, may_expunge: bool, knows_flags: bool) -> None:
        client = self.clients[index]
        known = {uid: self.truth[uid].split() for uid in client.view.news_of_flags if uid in self.truth} if knows_flags else None
        client.hear(client.view.updates(may_expunge=may_expunge, flags=known), may_expunge=may_expunge)

    @rule(index=st.integers(0, 1))
    def ask(self, index: int) -> None:
        self.clients[index].ask(self.truth)

    @rule(index=st.integers(0, 1))
    def select_again(self, index: int) -> None:
        self.clients[index] = Client(self.truth)

    @invariant()
    def counts_agree(self) -> None:
        for client in self.clients:
            assert len(client.messages) == len(client.view)
            assert all(known in (None, uid) for known, uid in zip(client.messages, client.view.uids, strict=True))

    def teardown(self) -> None:
        for index, client in enumerate(self.clients):
            self.tell(index, may_expunge=True, knows_flags=True)
            assert client.view.updates(may_expunge=True) == []
            assert client.view.news_of_flags == []
            assert all(self.truth[uid] == flags for uid, flags in client.flags.items())  # of the others it was never told any
            client.ask(self.truth)
            assert client.messages == sorted(self.truth)
            assert client.flags == self.truth


TwoDevices.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_two_devices = TwoDevices.TestCase
