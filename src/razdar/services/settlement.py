# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of a message that waited for another relay: it went, it failed and its sender is told, or a part of it waits on.

Whatever it is happens in one transaction: the entry is gone and the report is there, and at no moment there is neither. Reports go to the
account that sent the message, as long as it is the same one; nobody is told about a report. A report is put into a full mailbox, too: the
message was accepted, so somebody has to learn what became of it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from razdar.model.address import Address
from razdar.model.ids import BodyId, MailboxId, Uid
from razdar.model.message import EntrySecret
from razdar.model.verdict import Refusal
from razdar.policy.queue_room import QueueRoom
from razdar.ports.crew import Crew
from razdar.ports.store import Entry, Removal, Store
from razdar.services.audience import Failure
from razdar.services.calendar import Calendar
from razdar.services.off_loop import off_loop
from razdar.services.outbound import TOLD, queued_day
from razdar.services.parcels import Marks, Parcel, Parcels
from razdar.services.queue_folders import PeerFolder, QueueFolders
from razdar.services.queued import KEY_BYTES, Author, Queued, QueuedBroken, unwrap, wrap
from razdar.services.reporter import Reporter
from razdar.services.seals import removal
from razdar.vault.body import decrypt_body, padded_size
from razdar.vault.seal import SealBroken, seal, unseal
from razdar.wire.report import Kind

_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry of the queue whose seal was opened."""

    uid: Uid
    secret: EntrySecret
    expires: int

    @property
    def queued_day(self) -> int:
        return queued_day(self.expires)

    @property
    def lane(self) -> int:
        return self.secret.keywords

    @property
    def is_told(self) -> bool:
        return bool(self.secret.flags & TOLD)

    @property
    def removal(self) -> Removal:
        return removal(self.uid, self.secret)


class Settlement:
    """Opens entries of the queue and settles them."""

    def __init__(
        self,
        store: Store,
        folders: QueueFolders,
        parcels: Parcels,
        room: QueueRoom,
        crew: Crew,
        reporter: Reporter,
        calendar: Calendar,
        note: Callable[[str], None],
    ) -> None:
        """`note` counts events."""
        self._store = store
        self._folders = folders
        self._parcels = parcels
        self._room = room
        self._crew = crew
        self._reporter = reporter
        self._calendar = calendar
        self._note = note

    # opening

    async def opened(self, folder: PeerFolder, uids: Sequence[Uid]) -> list[Waiting]:
        """Those of `uids` that wait, in order. One that is damaged is gone: nobody can tell whose it was."""
        entries = await self._store.entries(folder.mailbox, uids)
        found = await self._crew.run(lambda: [self._unsealed(entry) for entry in entries]) if entries else []
        for entry, waiting in zip(entries, found, strict=True):
            if waiting is None:
                await self._drop(folder, Removal(entry.uid, BodyId(0), 0, 0))
        return [waiting for waiting in found if waiting is not None]

    def _unsealed(self, entry: Entry) -> Waiting | None:
        try:
            return Waiting(entry.uid, unseal(self._folders.owner, entry.seal), entry.expires)
        except SealBroken:
            return None

    async def content(self, folder: PeerFolder, waiting: Waiting) -> Queued | None:
        """The message with its envelope; None: it is damaged and gone."""
        blob = await self._store.body(waiting.secret.body)
        key = waiting.secret.content_key
        try:
            if blob is not None:
                return unwrap(await off_loop(self._crew, lambda: decrypt_body(key, blob), len(blob)))
        except (SealBroken, QueuedBroken):
            pass
        await self._drop(folder, waiting.removal)
        return None

    async def _drop(self, folder: PeerFolder, removal: Removal) -> None:
        self._note("queue.damaged")
        await self._store.remove(folder.mailbox, [removal])
        self._gone(folder, None, 0)

    # settling

    async def settle(
        self, folder: PeerFolder, waiting: Waiting, queued: Queued, failed: Sequence[Failure], later: Sequence[Address]
    ) -> Uid | None:
        """The entry is gone; its sender knows who will not get it; for `later` it waits on as the returned one.

        Raises `StoreUnavailable`, `CrewBusy`; then nothing of it has happened.
        """
        parcels = await self._report(queued, failed, Kind.FAILED_LATER) if failed else []
        if later:
            parcels.append(await self._rest(folder, waiting, queued, tuple(later)))
        assigned: Sequence[Mapping[MailboxId, Uid]] = ()
        if parcels:
            assigned = await self._parcels.exchange(folder.mailbox, [waiting.removal], parcels)
        else:  # many of these go in one statement
            await self._store.remove(folder.mailbox, [waiting.removal])
        size_bytes = padded_size(waiting.secret.size_bytes)
        self._gone(folder, queued.author, size_bytes)
        if later and queued.author is not None:
            self._room.add(queued.author.account, 1, size_bytes)
        return assigned[-1].get(folder.mailbox) if later else None

    def _gone(self, folder: PeerFolder, author: Author | None, size_bytes: int) -> None:
        folder.waiting = max(0, folder.waiting - 1)
        self._room.release(author.account if author is not None else None, size_bytes)

    def recount(self, folder: PeerFolder, messages: int) -> None:
        """So many wait for it, as was found in the store."""
        self._room.came(messages - folder.waiting)
        folder.waiting = messages

    async def _rest(self, folder: PeerFolder, waiting: Waiting, queued: Queued, later: tuple[Address, ...]) -> Parcel:
        """As old as the whole was, and its sender as well informed."""
        secret = waiting.secret
        days = waiting.expires - 1 - self._calendar.day
        members = [(None, folder.mailbox, self._folders.public_key)]
        rest = wrap(replace(queued, recipients={folder.domain: later}))
        return await self._parcels.seal(members, rest, days, Marks(secret.flags, secret.keywords, secret.internal_date))

    async def tell_delay(self, folder: PeerFolder, waiting: Waiting, queued: Queued, why: Refusal) -> None:
        """The sender knows that it takes long, and the entry says so. A crash in between tells it again. Raises `StoreUnavailable`."""
        report = await self._report(queued, [(address, why) for address in queued.to(folder.domain)], Kind.DELAYED)
        await self._parcels.commit(report)
        told = waiting.secret.marked(TOLD)
        await self._store.reseal(folder.mailbox, {waiting.uid: seal(self._folders.public_key, told)})
        self._note("queue.delay-told")

    async def _report(self, queued: Queued, failed: Sequence[Failure], kind: Kind) -> list[Parcel]:
        """For the sender, if it is the one who sent it; nothing about what has none (RFC 5321 section 6.1)."""
        author = queued.author
        known = (await self._store.recipients([author.account])).get(author.account) if author is not None and failed else None
        if author is None or known is None or known.public_key[:KEY_BYTES] != author.key:
            return []
        report = self._reporter(author.address, [(address, _plain(refusal)) for address, refusal in failed], queued.message, kind)
        return [await self._parcels.seal([(None, MailboxId(author.account), known.public_key)], report)]


def _plain(refusal: Refusal) -> Refusal:
    """The other relay's words as they can stand in a report, whatever they were."""
    text = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in refusal.text)[:_WORDS_MAX]
    enhanced = refusal.enhanced if _ENHANCED.fullmatch(refusal.enhanced) else f"{4 if refusal.is_temporary else 5}.0.0"
    return Refusal(refusal.code, enhanced, text)
