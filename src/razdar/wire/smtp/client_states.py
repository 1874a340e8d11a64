# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a client of SMTP does with each reply, as a table: which command is answered, by which kind of reply, and what follows.

RFC 5321 sections 4.3.2 and 4.2.1: the first digit alone decides. A 421 ends the dialogue wherever it comes and is not in the table.
"""

from collections.abc import Mapping
from enum import Enum, auto


class Awaited(Enum):
    """Whose reply comes next."""

    GREETING = auto()
    EHLO = auto()
    HELO = auto()
    STARTTLS = auto()
    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    """The end mark of a message."""
    NOTHING = auto()
    """A lone end mark, because DATA was accepted although no recipient was (RFC 2920 section 3.1)."""
    QUIT = auto()


class Act(Enum):
    """What follows from a reply."""

    GREET = auto()
    GREET_SIMPLY = auto()
    LEARN = auto()
    KNOW_NOTHING = auto()
    SHAKE_HANDS = auto()
    GO_ON = auto()
    TAKE = auto()
    REFUSE_ALL = auto()
    REFUSE_ONE = auto()
    REFUSE_TAKEN = auto()
    SEND_CONTENT = auto()
    DELIVERED = auto()
    CLEAR_UP = auto()
    NO_TLS = auto()
    BUSY = auto()
    NONSENSE = auto()
    GONE = auto()


def _row(done: Act, go_on: Act, not_now: Act, no: Act) -> Mapping[int, Act]:
    return {2: done, 3: go_on, 4: not_now, 5: no}


TABLE: Mapping[Awaited, Mapping[int, Act]] = {
    Awaited.GREETING: _row(Act.GREET, Act.NONSENSE, Act.BUSY, Act.BUSY),
    Awaited.EHLO: _row(Act.LEARN, Act.NONSENSE, Act.BUSY, Act.GREET_SIMPLY),
    Awaited.HELO: _row(Act.KNOW_NOTHING, Act.NONSENSE, Act.BUSY, Act.BUSY),
    Awaited.STARTTLS: _row(Act.SHAKE_HANDS, Act.NONSENSE, Act.NO_TLS, Act.NO_TLS),
    Awaited.RSET: _row(Act.GO_ON, Act.NONSENSE, Act.NONSENSE, Act.NONSENSE),
    Awaited.MAIL: _row(Act.GO_ON, Act.NONSENSE, Act.REFUSE_ALL, Act.REFUSE_ALL),
    Awaited.RCPT: _row(Act.TAKE, Act.NONSENSE, Act.REFUSE_ONE, Act.REFUSE_ONE),
    Awaited.DATA: _row(Act.NONSENSE, Act.SEND_CONTENT, Act.REFUSE_TAKEN, Act.REFUSE_TAKEN),
    Awaited.CONTENT: _row(Act.DELIVERED, Act.NONSENSE, Act.REFUSE_TAKEN, Act.REFUSE_TAKEN),
    Awaited.NOTHING: _row(Act.CLEAR_UP, Act.NONSENSE, Act.CLEAR_UP, Act.CLEAR_UP),
    Awaited.QUIT: _row(Act.GONE, Act.GONE, Act.GONE, Act.GONE),
}
