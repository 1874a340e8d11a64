# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much may wait for other relays: in all, and from one account, so that nobody fills the queue alone.

What each account has waiting is counted in RAM only: on disk it would be a record of who writes how much. A restart forgets it, to the
account's favour; the sum of all is known again. Delivery reports to people of other relays have no account; all of them together have
the part of one, because whoever has a domain can make us write them.
"""

from collections import Counter

from razdar.model.ids import AccountId
from razdar.settings import Settings

REPORTS = AccountId(b"reports")
"""Stands for the account that reports do not have."""


class QueueRoom:
    """Counts; a message for three relays counts three times."""

    def __init__(self) -> None:
        self.messages = 0
        self.size_bytes = 0
        self._messages: Counter[AccountId] = Counter()
        self._bytes: Counter[AccountId] = Counter()

    def has_room(self, account: AccountId | None, messages: int, size_bytes: int, settings: Settings) -> bool:
        """Whether `messages` more may wait, of `size_bytes` in all. None: a report, which has no account."""
        account = REPORTS if account is None else account
        if self.messages + messages > settings.queue_messages or self.size_bytes + size_bytes > settings.queue_bytes:
            return False
        return (
            self._messages[account] + messages <= settings.queue_messages * settings.queue_share
            and self._bytes[account] + size_bytes <= settings.queue_bytes * settings.queue_share
        )

    def came(self, messages: int = 1) -> None:
        """So many more wait now."""
        self.messages += messages

    def add(self, account: AccountId | None, messages: int, size_bytes: int) -> None:
        """So many of those that wait, of this size in all, are this account's. None: reports, or nobody knows whose."""
        account = REPORTS if account is None else account
        self.size_bytes += size_bytes
        if messages:
            self._messages[account] += messages
            self._bytes[account] += size_bytes

    def release(self, account: AccountId | None, size_bytes: int) -> None:
        """One message waits no more. Never below zero: of what waited before a restart nobody knows whose it was."""
        self.messages = max(0, self.messages - 1)
        self.size_bytes = max(0, self.size_bytes - size_bytes) if self.messages else 0
        account = REPORTS if account is None else account
        for book, amount in ((self._messages, 1), (self._bytes, size_bytes)):
            book[account] -= amount
            if book[account] <= 0:
                del book[account]
