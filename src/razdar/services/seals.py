# SPDX-License-Identifier: AGPL-3.0-or-later
"""The seals of one mailbox, opened for one session: lazily, with the key that its login unlocked, and remembered in RAM within a bound.

Other devices change the same entries while the store is being read, so an answer may be older than the news that came meanwhile; those
entries are read again. It tells nobody anything and changes nothing.
"""

from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from razdar.model.ids import MailboxId, Uid
from razdar.model.message import EntrySecret, Flag
from razdar.ports.crew import Crew
from razdar.ports.store import Entry, Removal, Store
from razdar.services.off_loop import off_loop
from razdar.vault.account_key import PrivateKey
from razdar.vault.seal import SealBroken, unseal

REMEMBERED = 4096  # opened seals per session, about 400 bytes each
INLINE_OPENS = 32  # 50 µs each
LOOKED_UP_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry whose seal was opened."""

    secret: EntrySecret
    expires: int

    def marked(self, flag: Flag) -> "Opened":
        """The same, with this flag as well."""
        return replace(self, secret=self.secret.marked(flag))


def removal(uid: Uid, secret: EntrySecret) -> Removal:
    """What the store must know to let the entry go."""
    return Removal(uid, secret.body, secret.charge, secret.share)


class OpenedSeals:
    """What a session knows of the entries of a mailbox."""

    def __init__(self, store: Store, crew: Crew, mailbox: MailboxId, key: PrivateKey) -> None:
        self._store = store
        self._crew = crew
        self._mailbox = mailbox
        self._key = key
        self._opened: dict[Uid, Opened] = {}
        self._sealed: dict[Uid, Entry] = {}  # heard of over the bus, to be opened when the client asks
        self._looks: list[set[Uid]] = []  # for each look into the store under way, what changed since it began

    def arrived(self, entries: Sequence[Entry]) -> None:
        """These are new; the client will probably ask for them soon."""
        if len(self._sealed) < REMEMBERED:
            self._sealed.update((entry.uid, entry) for entry in entries)
        for look in self._looks:
            look.update(entry.uid for entry in entries)

    def changed(self, uids: Iterable[Uid]) -> None:
        """What is remembered of these does not hold any more, nor what a look under way will find."""
        for uid in uids:
            self._opened.pop(uid, None)
            self._sealed.pop(uid, None)
        for look in self._looks:
            look.update(uids)

    def remember(self, opened: dict[Uid, Opened]) -> dict[Uid, Opened]:
        """`find` knows these without the store, for a while, unless they are too many. Returns them."""
        if len(self._opened) + len(opened) > REMEMBERED:
            self._opened.clear()
        if len(opened) <= REMEMBERED:
            self._opened.update(opened)
        return opened

    async def find(self, uids: Iterable[Uid]) -> dict[Uid, Opened]:
        """Those of `uids` that exist and are whole, by ascending UID. Raises `StoreUnavailable`, `CrewBusy`."""
        wanted = sorted(set(uids))
        result = {uid: self._opened[uid] for uid in wanted if uid in self._opened}
        result |= self.remember(_unsealed(self._key, [self._sealed.pop(uid) for uid in wanted if uid in self._sealed]))
        unknown = [uid for uid in wanted if uid not in result]
        if unknown:
            result |= self.remember(await self._look_up(unknown))
        return dict(sorted(result.items()))

    async def _look_up(self, uids: Sequence[Uid]) -> dict[Uid, Opened]:
        """From the store. What changed or came since it was looked up is looked up again: nothing old is found, nothing new missed."""
        asked = frozenset(uids)
        found: dict[Uid, Opened] = {}
        changed: set[Uid] = set()
        self._looks.append(changed)
        try:
            while uids:
                changed.difference_update(uids)
                for start in range(0, len(uids), LOOKED_UP_AT_ONCE):
                    found |= await self._unseal(await self._store.entries(self._mailbox, uids[start : start + LOOKED_UP_AT_ONCE]))
                uids = sorted(changed.intersection(asked))
                for uid in uids:
                    found.pop(uid, None)
        finally:
            self._looks = [look for look in self._looks if look is not changed]
        return found

    def _unseal(self, entries: Sequence[Entry]) -> Awaitable[dict[Uid, Opened]]:
        return off_loop(self._crew, lambda: _unsealed(self._key, entries), len(entries), INLINE_OPENS)


def _unsealed(key: PrivateKey, entries: Iterable[Entry]) -> dict[Uid, Opened]:
    """Without damaged ones: they must not hide the others."""
    opened = {}
    for entry in entries:
        with suppress(SealBroken):
            opened[entry.uid] = Opened(unseal(key, entry.seal), entry.expires)
    return opened
