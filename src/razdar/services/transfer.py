# SPDX-License-Identifier: AGPL-3.0-or-later
"""COPY and MOVE: messages of one mailbox put into another one of the same account.

The body is shared and keeps its day; the copy gets a seal, a charge and a share of its own. Very many messages go in portions, so that
others have their turn in between.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from razdar.model.ids import UID_NEXT_MAX, Uid
from razdar.model.message import EntrySecret, Flag
from razdar.ports.bus import Added, Removed
from razdar.ports.crew import CrewBusy
from razdar.ports.store import Duplicate, Entry, MailboxRecord, Removal, StoreUnavailable
from razdar.services.flags import keywords_in, with_flags
from razdar.services.folders import Folder, FolderRefused, no_such_folder
from razdar.services.randomness import random_share
from razdar.services.seals import Opened, removal

if TYPE_CHECKING:
    from razdar.services.mailbox import OpenMailbox

CHANGED_AT_ONCE = 1024  # copied, moved or removed in one transaction


class OverQuota(Exception):  # noqa: N818 - the account's state
    """The mailbox is full."""


async def copy(mailbox: "OpenMailbox", uids: Iterable[Uid], target: Folder) -> dict[Uid, Uid]:
    """Source UID → UID in `target`. Bodies are shared. Raises `OverQuota`, `FolderRefused`; then nothing was copied."""
    assigned: dict[Uid, Uid] = {}
    copied: list[Removal] = []
    try:
        for some in portions(uids):
            assigned |= await _copy_some(mailbox, some, target, copied)
    except (OverQuota, FolderRefused, StoreUnavailable, CrewBusy):  # RFC 3501 section 6.4.7: all or nothing
        await _take_back(mailbox, target, copied)
        raise
    return assigned


async def _copy_some(mailbox: "OpenMailbox", uids: Sequence[Uid], target: Folder, copied: list[Removal]) -> dict[Uid, Uid]:
    opened = await mailbox.opened(uids)
    charges = await mailbox.shared.charge_for(mailbox.login, [entry.secret.size_bytes for entry in opened.values()])
    secrets = {
        uid: replace(entry.secret, charge=units, share=random_share(mailbox.shared.entropy))
        for (uid, entry), units in zip(opened.items(), charges, strict=True)
    }
    duplicates, entries = await _duplicates(mailbox, secrets, opened, target)
    assigned = dict(await mailbox.shared.store.copy(mailbox.folder.id, target.id, duplicates))
    await _check_arrived(mailbox, target, duplicates, assigned)
    copied += [removal(uid, secrets[source]) for source, uid in assigned.items()]
    _mark_arrived(mailbox, target, opened, assigned)
    _announce(mailbox, target, entries, assigned)
    return assigned


async def _take_back(mailbox: "OpenMailbox", target: Folder, copied: Sequence[Removal]) -> None:
    if copied:
        gone = await mailbox.shared.store.remove(target.id, copied)
        mailbox.shared.deleted.forget(target.id, gone)
        mailbox.shared.bus.publish(target.id, Removed(gone))


async def move(mailbox: "OpenMailbox", uids: Iterable[Uid], target: Folder, moved: dict[Uid, Uid]) -> None:
    """As `copy`, and each message is gone from here in the same transaction. If it fails, `moved` has those that went before."""
    for some in portions(uids):
        moved |= await _move_some(mailbox, some, target)


async def _move_some(mailbox: "OpenMailbox", uids: Sequence[Uid], target: Folder) -> dict[Uid, Uid]:
    async with mailbox.shared.lock(mailbox.folder.id):
        opened = await mailbox.opened(uids)
        duplicates, entries = await _duplicates(mailbox, {uid: entry.secret for uid, entry in opened.items()}, opened, target)
        assigned = dict(await mailbox.shared.store.move(mailbox.folder.id, target.id, duplicates))
    _mark_arrived(mailbox, target, opened, assigned)
    mailbox.shared.deleted.forget(mailbox.folder.id, assigned)
    _announce(mailbox, target, entries, assigned)
    if assigned:
        mailbox.shared.bus.publish(mailbox.folder.id, Removed(sorted(assigned)))
    else:
        await _check_arrived(mailbox, target, duplicates, assigned)
    return assigned


async def _check_arrived(mailbox: "OpenMailbox", target: Folder, duplicates: Sequence[Duplicate], assigned: Mapping[Uid, Uid]) -> None:
    """Another device may have deleted the target since it was found, or all its UIDs are used up. Raises `FolderRefused`."""
    if not duplicates or assigned:
        return
    record = await mailbox.shared.store.mailbox(target.id)
    if record is None or record.uid_next + len(duplicates) > UID_NEXT_MAX:
        raise no_place(record)


async def _duplicates(
    mailbox: "OpenMailbox", secrets: dict[Uid, EntrySecret], opened: dict[Uid, Opened], target: Folder
) -> tuple[list[Duplicate], dict[Uid, tuple[bytes, int]]]:
    """The same messages sealed for `target`, whose keywords may stand in another order."""
    names = {uid: mailbox.flag_names(secret) for uid, secret in secrets.items()}
    wanted = keywords_in({name for group in names.values() for name in group})
    keywords = target.secret.keywords
    if wanted:
        keywords = (await mailbox.shared.folders.add_keywords(mailbox.login, target.id, wanted)).keywords
    resealed = await mailbox.seal_all({uid: with_flags(secret, names[uid], keywords) for uid, secret in secrets.items()})
    duplicates = [Duplicate(uid, secret.body, resealed[uid], secret.charge, secret.share) for uid, secret in secrets.items()]
    return duplicates, {uid: (resealed[uid], opened[uid].expires) for uid in secrets}


def _mark_arrived(mailbox: "OpenMailbox", target: Folder, opened: Mapping[Uid, Opened], assigned: Mapping[Uid, Uid]) -> None:
    for source, uid in assigned.items():
        mailbox.shared.deleted.mark(target.id, uid, bool(opened[source].secret.flags & Flag.DELETED))


def _announce(mailbox: "OpenMailbox", target: Folder, entries: dict[Uid, tuple[bytes, int]], assigned: dict[Uid, Uid]) -> None:
    new = sorted((uid, *entries[source]) for source, uid in assigned.items())
    if new:
        mailbox.shared.bus.publish(target.id, Added([Entry(uid, sealed, expires) for uid, sealed, expires in new]))


def no_place(record: MailboxRecord | None) -> FolderRefused:
    """Why a message could not be put into that folder."""
    if record is None:
        return no_such_folder("TRYCREATE")
    return FolderRefused("That folder takes no more messages, use another one", "LIMIT")


def portions(uids: Iterable[Uid]) -> Iterator[list[Uid]]:
    """Distinct, ascending, so many at once that one transaction stays short."""
    wanted = sorted(set(uids))
    for start in range(0, len(wanted), CHANGED_AT_ONCE):
        yield wanted[start : start + CHANGED_AT_ONCE]
