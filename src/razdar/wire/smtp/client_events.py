# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the client of SMTP tells whoever holds the connection, and the message that it has in hand.

The fields stay out of `repr`, so that an event that ends up in a log or a traceback names nobody.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from razdar.model.address import Address
from razdar.model.verdict import Refusal

CUT_SHORT = Refusal(421, "4.4.2", "The connection broke before this recipient was served")


class Farewell(Enum):
    """Why a dialogue ended."""

    NO_TLS = auto()
    BUSY = auto()
    """421, or nobody is served at all."""
    NONSENSE = auto()
    """What came was not SMTP, or came when nothing was asked."""
    LOST = auto()
    """The connection is gone."""
    QUIT = auto()
    """As we asked."""


@dataclass(frozen=True, slots=True)
class TlsAgreed:
    """The server's 220 was read and nothing behind it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """TLS and EHLO are done; messages may be sent."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The message was dealt with: the server is responsible for everybody who is not in `refused`."""

    refused: Mapping[Address, Refusal] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more can be sent."""

    farewell: Farewell


ClientEvent = TlsAgreed | Ready | Sent | Ended


@dataclass(slots=True)
class Job:
    """The message in hand. `waiting` have not been named yet, `named` are in this transaction, of them `taken` were accepted."""

    sender: Address | None
    message: bytes
    waiting: deque[Address]
    named: list[Address] = field(default_factory=list)
    taken: list[Address] = field(default_factory=list)
    refused: dict[Address, Refusal] = field(default_factory=dict)
    delivered: int = 0
    is_mail_refused: bool = False

    def name_next(self, most: int) -> None:
        """Another transaction begins, for the first `most` who wait."""
        self.taken = []
        self.named = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]

    def refuse(self, people: Iterable[Address], no: Refusal) -> None:
        """What was said first to somebody stays."""
        for person in people:
            self.refused.setdefault(person, no)

    def cut_short(self) -> Mapping[Address, Refusal]:
        """Who did not get it, now that nobody else will."""
        self.refuse((*self.taken, *self.named, *self.waiting), CUT_SHORT)
        return self.refused
