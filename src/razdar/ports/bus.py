# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells the devices of a mailbox that something changed in it. Loss is harmless: a session can always ask the store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from razdar.model.ids import AccountId, MailboxId, Uid
from razdar.ports.store import Entry


@dataclass(frozen=True, slots=True)
class Added:
    """New entries, by ascending UID, also from one change of a mailbox to the next.

    The store answers deliveries, copies and moves in the order of their UIDs; whoever publishes does so before waiting for anything else.
    """

    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Removed:
    """These UIDs are gone."""

    uids: Sequence[Uid]


@dataclass(frozen=True, slots=True)
class Resealed:
    """Flags changed: new seals by UID."""

    seals: Mapping[Uid, bytes]
    is_shown: bool = True
    """Whether a client could see the difference; what only the relay marks must not wake up anybody's phone."""


@dataclass(frozen=True, slots=True)
class AccountClosed:
    """The account was deleted or denied: every session of it ends at once."""


Change = Added | Removed | Resealed | AccountClosed
Listener = Callable[[MailboxId, Change], None]


class Bus(Protocol):
    """In-process today."""

    def publish(self, mailbox: MailboxId, change: Change) -> None:
        """Every listener of the mailbox has been called with the change, in the order of subscription, before this returns."""

    def subscribe(self, mailbox: MailboxId, listener: Listener) -> Callable[[], None]:
        """The listener hears of every change from now on; call the result to stop. A listener must not block or raise."""

    def close_account(self, account: AccountId) -> None:
        """Every listener of every mailbox of the account hears `AccountClosed`."""

    def is_watched(self, account: AccountId) -> bool:
        """Whether anybody listens to any mailbox of the account (then no push is needed)."""
