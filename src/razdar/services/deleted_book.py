# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which messages carry \\Deleted, so that CLOSE need not open every seal of a mailbox.

A client that keeps its mail on the server closes the mailbox after every deletion. Every change of flags passes through this process and is
noted here; what was marked before it started is known once all seals of the mailbox have been opened (deleted_search.py). In RAM only.
"""

from collections import OrderedDict
from collections.abc import Iterable

from razdar.model.ids import MailboxId, Uid

MAILBOXES_MAX = 50_000


class DeletedBook:
    """For some mailboxes all UIDs with \\Deleted; for the others those that were marked since the relay started."""

    def __init__(self, mailboxes_max: int = MAILBOXES_MAX) -> None:
        self._limit = mailboxes_max
        self._marked: OrderedDict[MailboxId, set[Uid]] = OrderedDict()
        self._incomplete: set[MailboxId] = set()

    def marked(self, mailbox: MailboxId) -> frozenset[Uid] | None:
        """All UIDs with \\Deleted, or None if that is not known."""
        return None if mailbox in self._incomplete or mailbox not in self._marked else self.noted(mailbox)

    def noted(self, mailbox: MailboxId) -> frozenset[Uid]:
        """Those that are known."""
        return frozenset(self._marked.get(mailbox, ()))

    def complete(self, mailbox: MailboxId, found: Iterable[Uid] = ()) -> None:
        """These, together with those that are known already, are all."""
        self._marked.setdefault(mailbox, set()).update(found)
        self._marked.move_to_end(mailbox)
        self._incomplete.discard(mailbox)
        self._bound()

    def unlearn(self, mailbox: MailboxId) -> None:
        """Nothing is known."""
        self._marked.pop(mailbox, None)
        self._incomplete.discard(mailbox)

    def mark(self, mailbox: MailboxId, uid: Uid, is_deleted: bool) -> None:
        """This message carries the flag now, or does not."""
        known = self._marked.get(mailbox)
        if known is not None:
            (known.add if is_deleted else known.discard)(uid)
        elif is_deleted:
            self._marked[mailbox] = {uid}
            self._incomplete.add(mailbox)
            self._bound()

    def forget(self, mailbox: MailboxId, uids: Iterable[Uid]) -> None:
        """These messages are gone."""
        known = self._marked.get(mailbox)
        if known is not None:
            known.difference_update(uids)
            if not known and mailbox in self._incomplete:
                self.unlearn(mailbox)

    def _bound(self) -> None:
        """What is pushed out is on disk, and found when it is searched for."""
        if len(self._marked) > self._limit:
            self.unlearn(next(iter(self._marked)))
