# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which messages carry \\Deleted, so that CLOSE need not open every seal of a mailbox.

A client that keeps its mail on the server closes the mailbox after every deletion. The first EXPUNGE or CLOSE of a mailbox since the relay
started opens all of its seals; from then on every change passes through this process and is noted here. In RAM only.
"""

from collections import OrderedDict
from collections.abc import Iterable

from razdar.model.ids import MailboxId, Uid

MAILBOXES_MAX = 50_000


class DeletedBook:
    """For some mailboxes the complete set of UIDs with \\Deleted; for the others nothing."""

    def __init__(self, mailboxes_max: int = MAILBOXES_MAX) -> None:
        self._limit = mailboxes_max
        self._marked: OrderedDict[MailboxId, set[Uid]] = OrderedDict()

    def marked(self, mailbox: MailboxId) -> frozenset[Uid] | None:
        """All UIDs with \\Deleted, or None if that is not known."""
        known = self._marked.get(mailbox)
        return None if known is None else frozenset(known)

    def learn(self, mailbox: MailboxId, uids: Iterable[Uid]) -> None:
        """These are all."""
        self._marked[mailbox] = set(uids)
        self._marked.move_to_end(mailbox)
        if len(self._marked) > self._limit:
            self._marked.popitem(last=False)

    def unlearn(self, mailbox: MailboxId) -> None:
        """Nothing is known."""
        self._marked.pop(mailbox, None)

    def mark(self, mailbox: MailboxId, uid: Uid, is_deleted: bool) -> None:
        """This message carries the flag now, or does not."""
        known = self._marked.get(mailbox)
        if known is not None:
            (known.add if is_deleted else known.discard)(uid)

    def forget(self, mailbox: MailboxId, uids: Iterable[Uid]) -> None:
        """These messages are gone."""
        known = self._marked.get(mailbox)
        if known is not None:
            known.difference_update(uids)
