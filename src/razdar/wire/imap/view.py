# SPDX-License-Identifier: AGPL-3.0-or-later
"""What one session's client believes is in its selected mailbox, and the news it has not heard yet.

Sequence numbers exist only here. A client counts messages by what it was told, so a change made by another device waits until an untagged
line may tell it: EXISTS and FETCH at the end of any command and in IDLE, EXPUNGE not while a FETCH, STORE or SEARCH without UID is answered
(RFC 3501 section 7.4.1). Until then the numbers stay what the client thinks they are.

It keeps UIDs and nothing else: no flags, no dates. An empty mailbox without news costs a few dozen bytes.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from . import commands as c
from .fetch_response import flags_only
from .responses import exists, expunge
from .sequence import SequenceSet

DELETE_ONE_BY_ONE = 8


def may_expunge(command: c.Command) -> bool:
    """Whether EXPUNGE may be sent while this command is answered (RFC 3501 section 7.4.1)."""
    return not (isinstance(command, c.Fetch | c.Store | c.Search) and not command.by_uid)


class MailboxView:
    """`uids[n - 1]` is the UID of message n, as the client knows it."""

    __slots__ = ("_added", "_reflagged", "_removed", "uids")

    def __init__(self, uids: Iterable[int]) -> None:
        """As of SELECT, ascending."""
        self.uids = array("L", uids)
        self._added: set[int] | None = None
        self._removed: set[int] | None = None
        self._reflagged: set[int] | None = None

    def __len__(self) -> int:
        return len(self.uids)

    def seq(self, uid: int) -> int | None:
        """The client's number for it, None if it does not know this UID."""
        index = bisect_left(self.uids, uid)
        return index + 1 if index < len(self.uids) and self.uids[index] == uid else None

    def named(self, ids: SequenceSet, *, by_uid: bool) -> list[int]:
        """UIDs of the messages that a command names, ascending; those another device has removed are still among them."""
        if by_uid:
            return ids.resolve(self.uids)
        return [self.uids[seq - 1] for seq in ids.resolve(range(1, len(self.uids) + 1))]

    # news

    def added(self, uids: Iterable[int]) -> None:
        """These are new. Those at or below the last known UID are old news: sequence numbers cannot be squeezed in."""
        last = self.uids[-1] if self.uids else 0
        fresh = {uid for uid in uids if uid > last}
        if fresh:
            self._added = (self._added or set()) | fresh

    def removed(self, uids: Iterable[int]) -> None:
        """These are gone."""
        for uid in uids:
            if self._added is not None and uid in self._added:
                self._added.discard(uid)
            elif self.seq(uid) is not None:
                self._removed = self._removed or set()
                self._removed.add(uid)

    def reflagged(self, uids: Iterable[int]) -> None:
        """These have other flags than the client was told."""
        known = [uid for uid in uids if self.seq(uid) is not None]
        if known:
            self._reflagged = (self._reflagged or set()).union(known)

    def is_removed(self, uid: int) -> bool:
        """Whether it is gone although the client still counts it."""
        return self._removed is not None and uid in self._removed

    @property
    def has_removed(self) -> bool:
        """Whether the client counts messages that are gone."""
        return bool(self._removed)

    @property
    def news_of_flags(self) -> list[int]:
        """UIDs whose flags `updates` wants to know, ascending."""
        return sorted((self._reflagged or set()) - (self._removed or set()))

    def updates(self, *, may_expunge: bool, flags: Mapping[int, Sequence[str]] | None = None) -> list[bytes]:
        """The untagged lines that bring the client up to date, as far as allowed; from now on it knows.

        `flags` are the present flags of `news_of_flags`; one that is missing there is not told now.
        """
        lines: list[bytes] = []
        if may_expunge and self._removed:
            lines += self._forget(self._removed)
            self._reflagged = (self._reflagged or set()) - self._removed or None
            self._removed = None
        if self._added:
            self.uids.extend(sorted(self._added))
            self._added = None
            lines.append(exists(len(self.uids)))
        told = [uid for uid in self.news_of_flags if uid in flags] if flags else []
        lines += [flags_only(self.seq(uid) or 0, uid, flags[uid]) for uid in told if flags]
        self._reflagged = (self._reflagged or set()).difference(told) or None
        return lines

    def _forget(self, gone: set[int]) -> list[bytes]:
        """Highest first, so that no number changes before it was said."""
        numbers = sorted((bisect_left(self.uids, uid) for uid in gone), reverse=True)
        if len(numbers) <= DELETE_ONE_BY_ONE:
            for index in numbers:
                del self.uids[index]
        else:
            self.uids = array("L", (uid for uid in self.uids if uid not in gone))
        return [expunge(index + 1) for index in numbers]
