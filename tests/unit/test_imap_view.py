# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a client knows of its mailbox, and when it may hear more (RFC 3501 sections 5.5 and 7.4.1)."""

import sys

import pytest

from razdar.wire.imap import commands as c
from razdar.wire.imap.sequence import parse
from razdar.wire.imap.view import MailboxView, may_expunge


def test_numbers() -> None:
    view = MailboxView([3, 5, 9])
    assert [view.seq(uid) for uid in (3, 5, 9, 4, 10)] == [1, 2, 3, None, None]
    assert view.named(parse(b"2:*"), by_uid=False) == [5, 9]
    assert view.named(parse(b"4:*"), by_uid=True) == [5, 9]
    assert len(view) == 3


def test_expunge_waits_until_it_is_allowed() -> None:
    view = MailboxView([3, 5, 9])
    view.removed([3, 9])
    assert view.updates(may_expunge=False) == []
    assert view.seq(9) == 3
    assert view.is_removed(9)
    assert view.updates(may_expunge=True) == [b"3 EXPUNGE", b"1 EXPUNGE"]
    assert list(view.uids) == [5]
    assert view.updates(may_expunge=True) == []
    assert view.news_of_flags == []


def test_exists_comes_after_expunge_and_counts_what_is_not_yet_expunged() -> None:
    view = MailboxView([3])
    view.removed([3])
    view.added([5, 4])
    assert view.updates(may_expunge=False) == [b"3 EXISTS"]
    view.added([6])
    assert view.updates(may_expunge=True) == [b"1 EXPUNGE", b"3 EXISTS"]
    assert list(view.uids) == [4, 5, 6]


def test_what_came_and_went_is_never_mentioned() -> None:
    view = MailboxView([])
    view.added([1, 2])
    view.removed([1, 2, 77])
    assert view.updates(may_expunge=True) == []
    assert view.news_of_flags == []


def test_old_news_is_no_news() -> None:
    """A delivery that was already counted by SELECT."""
    view = MailboxView([1, 2])
    view.added([2])
    view.reflagged([7])
    assert view.updates(may_expunge=True) == []
    assert view.news_of_flags == []


def test_flags_are_told_when_they_are_known() -> None:
    view = MailboxView([1, 2, 3])
    view.reflagged([3, 1])
    view.removed([1])
    assert view.news_of_flags == [3]
    assert view.updates(may_expunge=False) == []
    assert view.updates(may_expunge=True, flags={3: ["\\Seen"]}) == [b"1 EXPUNGE", b"2 FETCH (UID 3 FLAGS (\\Seen))"]
    assert view.updates(may_expunge=True) == []
    assert view.news_of_flags == []


def test_many_expunges_at_once() -> None:
    view = MailboxView(range(1, 100_001))
    view.removed(range(1, 100_001, 2))
    lines = view.updates(may_expunge=True)
    assert lines[:2] == [b"99999 EXPUNGE", b"99997 EXPUNGE"]
    assert len(lines) == 50_000
    assert list(view.uids[:3]) == [2, 4, 6]


@pytest.mark.parametrize(
    ("command", "is_allowed"),
    [
        (c.Noop("a"), True),
        (c.Idle("a"), True),
        (c.Store("a", parse(b"1"), c.StoreAction.ADD, True, ()), False),
        (c.Store("a", parse(b"1"), c.StoreAction.ADD, True, (), by_uid=True), True),
        (c.Fetch("a", parse(b"1"), ()), False),
        (c.Fetch("a", parse(b"1"), (), by_uid=True), True),
        (c.Copy("a", parse(b"1"), "x"), True),
    ],
)
def test_when_expunge_is_allowed(command: c.Command, is_allowed: bool) -> None:
    assert may_expunge(command) is is_allowed


def test_an_empty_mailbox_costs_next_to_nothing() -> None:
    view = MailboxView([])
    assert sys.getsizeof(view) + sys.getsizeof(view.uids) < 200
    assert sys.getsizeof(MailboxView(range(10_000)).uids) < 82_000 * 1.15
