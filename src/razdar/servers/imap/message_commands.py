# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handlers of commands that open a mailbox, close it and change what is in it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from razdar.model.ids import Uid
from razdar.ports.bus import Added, Change, Removed, Resealed
from razdar.servers.imap.desk import Counter, Selection
from razdar.servers.imap.folder_commands import NO_SUCH_FOLDER, required
from razdar.services.flags import SYSTEM_FLAGS
from razdar.services.folders import KEYWORDS_MAX, Folder, FolderRefused
from razdar.services.mailbox import OpenMailbox
from razdar.services.seals import Opened
from razdar.services.transfer import OverQuota
from razdar.wire.imap import commands as c
from razdar.wire.imap import responses as r
from razdar.wire.imap.fetch_response import flags_only
from razdar.wire.imap.session import ImapSession
from razdar.wire.imap.view import MailboxView

AT_ONCE = 256  # messages whose flags change in one transaction


def selected(counter: Counter) -> Selection:
    """The engine lets no such command through without a selected mailbox."""
    if counter.selection is None:
        raise RuntimeError("a command that needs a mailbox came without one")
    return counter.selection


def take_change(selection: Selection, change: Change) -> None:
    """The view knows of it; the client will hear when the protocol allows."""
    if isinstance(change, Added):
        selection.view.added(entry.uid for entry in change.entries)
    elif isinstance(change, Removed):
        selection.view.removed(change.uids)
    elif isinstance(change, Resealed):
        selection.view.reflagged(change.seals)


def tell_keywords(session: ImapSession, selection: Selection) -> None:
    """FLAGS, and PERMANENTFLAGS where there are any, name every keyword before a message is said to carry it (RFC 3501 section 7.2.6)."""
    keywords = selection.mailbox.folder.secret.keywords
    if keywords != selection.told_keywords:
        _send_flags(session, keywords)
        selection.told_keywords = keywords


def _send_flags(session: ImapSession, keywords: Sequence[str], is_read_only: bool | None = None) -> None:
    flags = [*SYSTEM_FLAGS, *keywords]
    session.untagged(r.flags(flags))
    may_change = not (session.selected_read_only if is_read_only is None else is_read_only)
    takes_new = may_change and len(keywords) < KEYWORDS_MAX
    session.untagged(r.permanent_flags(flags if may_change else (), takes_new=takes_new))


# opening and closing


async def select(counter: Counter, command: c.Select) -> None:
    await counter.deselect()
    mailbox = await counter.desk.mailboxes.open(required(counter.login), command.mailbox, counter.listen)
    if mailbox is None:
        counter.session.no(*NO_SUCH_FOLDER)
        return
    record, keywords = mailbox.folder.record, mailbox.folder.secret.keywords
    counter.selection = Selection(mailbox, MailboxView(mailbox.uids), keywords)
    mailbox.start()
    _send_flags(counter.session, keywords, command.is_read_only)
    counter.session.untagged(r.exists(len(mailbox.uids)))
    counter.session.untagged(r.recent(0))
    counter.session.untagged(r.uid_validity(record.uid_validity))
    counter.session.untagged(r.uid_next(max(record.uid_next, *(uid + 1 for uid in mailbox.uids[-1:]), 0)))  # one may just have come
    counter.session.ok()


async def close(counter: Counter, _: c.Close) -> None:
    if not counter.session.selected_read_only:
        selection = selected(counter)
        await selection.mailbox.expunge(map(Uid, selection.view.uids), is_closing=True)
    await counter.deselect()
    counter.session.ok()


async def unselect(counter: Counter, _: c.Unselect) -> None:
    await counter.deselect()
    counter.session.ok()


async def check(counter: Counter, command: c.Check) -> None:
    await counter.conclude(command)


async def idle(counter: Counter, _: c.Idle) -> None:
    if counter.selection is not None:
        await counter.selection.mailbox.settle()
    counter.session.idle_started()
    counter.tell_while_idle()


async def expunge(counter: Counter, command: c.Expunge) -> None:
    selection = selected(counter)
    uids: Iterable[int] = selection.view.uids
    if command.uids is not None:
        uids = selection.view.named(command.uids, by_uid=True)
    await selection.mailbox.expunge(map(Uid, uids))
    await counter.conclude(command)


# changing


async def store(counter: Counter, command: c.Store) -> None:
    selection = selected(counter)
    uids = named(selection, command)
    if uids is None:
        counter.session.bad("There is no such message")
        return
    names = selection.mailbox.canonical(command.flags)
    changes: dict[c.StoreAction, Callable[[frozenset[str]], frozenset[str]]] = {
        c.StoreAction.ADD: lambda before: before | names,
        c.StoreAction.REMOVE: lambda before: before - names,
        c.StoreAction.REPLACE: lambda _: names,
    }
    for start in range(0, len(uids), AT_ONCE):
        try:
            after = await selection.mailbox.set_flags(uids[start : start + AT_ONCE], changes[command.action])
        except FolderRefused as refused:
            counter.session.no(refused.text, refused.code)
            return
        if not command.is_silent:
            _tell_flags(counter, selection, after)
            await counter.drain()
    await counter.conclude(command)


def _tell_flags(counter: Counter, selection: Selection, after: dict[Uid, Opened]) -> None:
    tell_keywords(counter.session, selection)
    for uid, entry in after.items():
        seq = selection.view.seq(uid)
        if seq is not None:
            counter.session.untagged(flags_only(seq, uid, selection.mailbox.flag_names(entry.secret)))


async def copy(counter: Counter, command: c.Copy) -> None:
    await _transfer(counter, command, _copy)


async def move(counter: Counter, command: c.Move) -> None:
    await _transfer(counter, command, _move)


async def _copy(_: Counter, mailbox: OpenMailbox, uids: Sequence[Uid], target: Folder) -> str | None:
    return _copy_uid(target, await mailbox.copy(uids, target))


async def _move(counter: Counter, mailbox: OpenMailbox, uids: Sequence[Uid], target: Folder) -> None:
    """Where each message went is told before it is said to be gone (RFC 6851 section 4.3), also when not all could be moved."""
    moved: dict[Uid, Uid] = {}
    try:
        await mailbox.move(uids, target, moved)
    finally:
        code = _copy_uid(target, moved)
        if code is not None:
            counter.session.untagged(f"OK [{code}] Moved".encode())


def _copy_uid(target: Folder, assigned: Mapping[Uid, Uid]) -> str | None:
    return r.copy_uid(target.record.uid_validity, {int(source): int(uid) for source, uid in assigned.items()})


async def _transfer(counter: Counter, command: c.Copy | c.Move, work: Callable[..., Awaitable[str | None]]) -> None:
    selection = selected(counter)
    uids = named(selection, command)
    if uids is None:
        counter.session.bad("There is no such message")
        return
    target = await counter.desk.folders.find(required(counter.login), command.mailbox)
    if target is None:
        counter.session.no("There is no folder of that name", "TRYCREATE")
        return
    try:
        code = await work(counter, selection.mailbox, uids, target)
    except OverQuota:
        counter.session.no("The mailbox is full", "OVERQUOTA")
        return
    except FolderRefused as refused:
        counter.session.no(refused.text, refused.code)
        return
    await counter.conclude(command, code=code)


def named(selection: Selection, command: c.Fetch | c.Store | c.Copy | c.Move) -> list[Uid] | None:
    """UIDs of the messages that the command means and that are still there; None if a sequence number does not exist."""
    view = selection.view
    if not command.by_uid and command.ids.exceeds(len(view)):
        return None
    return [Uid(uid) for uid in view.named(command.ids, by_uid=command.by_uid) if not view.is_removed(uid)]


HANDLERS: dict[type[c.Command], Callable[..., Awaitable[None]]] = {
    c.Select: select,
    c.Close: close,
    c.Unselect: unselect,
    c.Check: check,
    c.Idle: idle,
    c.Expunge: expunge,
    c.Store: store,
    c.Copy: copy,
    c.Move: move,
}
