# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the benchmark lays into mailboxes beforehand is mail like any other: it counts, can be read, and stays out of other mailboxes."""

import imaplib
import re

import pytest
from bench.peer import PeerTarget
from bench.plan import play
from bench.target import RazdarTarget, Target
from tests.lab.chatmail_peer import Unavailable, require
from tests.lab.peer import context

pytestmark = pytest.mark.slow


def test_razdar_is_filled() -> None:
    check(RazdarTarget("this"))


@pytest.mark.namespace
def test_postfix_and_dovecot_are_filled() -> None:
    try:
        require()
    except Unavailable as reason:
        pytest.skip(str(reason))
    check(PeerTarget())


def check(target: Target) -> None:
    with target:
        target.start()
        people = target.people(3)
        play(target, "visit", people)
        play(target, "welcome", people)
        target.stop()
        target.fill(5)
        target.start()
        newcomer = target.people(4)[3]
        assert [waiting(target, *person) for person in (*people, newcomer)] == [6, 6, 6, 0]
        target.stop()


def waiting(target: Target, address: str, password: str) -> int:
    """How many messages there are; each of them can be fetched and has the size it is said to have."""
    server = target.server()
    with imaplib.IMAP4_SSL(server.host, server.imaps, ssl_context=context(), timeout=20) as link:
        link.login(address, password)
        count = int(link.select()[1][0] or b"0")
        if count:
            for found in link.fetch(f"1:{count}", "(RFC822.SIZE BODY.PEEK[])")[1]:
                if isinstance(found, tuple):
                    size = re.search(rb"RFC822\.SIZE (\d+)", found[0])
                    assert size
                    assert len(found[1]) == int(size[1])
    return count
