"""Handlers of commands about the selected mailbox and the messages in it."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from razdar.model.ids import Uid
from razdar.ports.bus import Added, Change, Removed, Resealed
from razdar.servers.imap.desk import Counter, Selection
from razdar.servers.imap.folder_commands import NO_SUCH_FOLDER, required
from razdar.services.flags import SYSTEM_FLAGS
from razdar.services.folders import FolderRefused
from razdar.services.mailbox import OpenMailbox, OverQuota
from razdar.services.seals import Opened
from razdar.wire.imap import commands as c
from razdar.wire.imap import responses as r
from razdar.wire.imap import search
from razdar.wire.imap.fetch_items import FLAGS, FetchItem, FetchKind, Section
from razdar.wire.imap.fetch_response import flags_only, respond
from razdar.wire.imap.search_keys import SearchKey
from razdar.wire.imap.view import MailboxView

AT_ONCE = 256  # messages whose seals are opened before the first of them is answered
SEEN = "\\Seen"


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


# opening and closing


async def select(counter: Counter, command: c.Select) -> None:
    await counter.deselect()
    mailbox = await counter.desk.mailboxes.open(required(counter.login), command.mailbox, counter.listen)
    if mailbox is None:
        counter.session.no(*NO_SUCH_FOLDER)
        return
    counter.selection = Selection(mailbox, MailboxView(mailbox.uids))
    mailbox.start()
    record, keywords = mailbox.folder.record, mailbox.folder.secret.keywords
    flags = [*SYSTEM_FLAGS, *keywords]
    permanent = r.permanent_flags([], takes_new=False) if command.is_read_only else r.permanent_flags(flags, takes_new=True)
    view = counter.selection.view
    for line in (r.flags(flags), r.exists(len(view)), r.recent(0), permanent):
        counter.session.untagged(line)
    counter.session.untagged(r.uid_validity(record.uid_validity))
    counter.session.untagged(r.uid_next(max(record.uid_next, *(uid + 1 for uid in mailbox.uids[-1:]), 0)))  # one may just have come
    counter.session.ok()


async def close(counter: Counter, _: c.Close) -> None:
    if not counter.session.selected_read_only:
        selection = selected(counter)
        await selection.mailbox.expunge(map(Uid, selection.view.uids))
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


# reading


async def fetch(counter: Counter, command: c.Fetch) -> None:
    selection = selected(counter)
    uids = named(selection, command)
    if uids is None:
        counter.session.bad("There is no such message")
        return
    for start in range(0, len(uids), AT_ONCE):
        opened = await selection.mailbox.opened(uids[start : start + AT_ONCE])
        for uid, entry in opened.items():
            await _send(counter, selection, command.items, uid, entry)
            await counter.drain()
    await counter.conclude(command)


async def _send(counter: Counter, selection: Selection, items: Sequence[FetchItem], uid: Uid, entry: Opened) -> None:
    """One FETCH response; none for a message whose body has expired meanwhile."""
    mailbox, message = selection.mailbox, None
    if any(item.needs_message for item in items):
        message = await mailbox.message(uid, entry.secret, is_fetch=any(map(_is_everything, items)))
        if message is None:
            return
    secret = entry.secret
    flags = mailbox.flag_names(secret)
    if any(item.sets_seen for item in items) and SEEN not in flags and not counter.session.selected_read_only:
        changed = await mailbox.set_flags((uid,), lambda before: before | {SEEN})
        secret = changed[uid].secret if uid in changed else secret
        flags = mailbox.flag_names(secret)
        items = items if FLAGS in items else (*items, FLAGS)
    seq = selection.view.seq(uid)
    if seq is not None:
        counter.session.untagged_parts(respond(seq, items, uid, flags, secret.internal_date, secret.size_bytes, message))


def _is_everything(item: FetchItem) -> bool:
    """Whether the device has the message afterwards. Headers are no more than a look: what is left then must not be evicted as fetched."""
    is_whole = item.kind is FetchKind.SECTION and item.section in (None, Section()) and item.partial is None
    return is_whole or item.kind is FetchKind.RFC822


async def find(counter: Counter, command: c.Search) -> None:
    selection = selected(counter)
    view, key = selection.view, command.key
    last_uid = view.uids[-1] if len(view) else 0
    found = []
    uids = [Uid(uid) for uid in view.uids if not view.is_removed(uid)]
    for start in range(0, len(uids), AT_ONCE):
        some = uids[start : start + AT_ONCE]
        opened = await selection.mailbox.opened(some) if search.needs_facts(key) or search.needs_message(key) else {}
        for uid in some:
            facts = _facts(selection, uid, last_uid, opened.get(uid))
            if await _matches(selection, key, facts, opened.get(uid)):
                found.append(uid if command.by_uid else facts.seq)
    counter.session.untagged(r.search(found))
    await counter.conclude(command)


def _facts(selection: Selection, uid: Uid, last_uid: int, opened: Opened | None) -> search.Facts:
    view = selection.view
    seq = view.seq(uid) or 0
    if opened is None:
        return search.Facts(seq, uid, len(view), last_uid)
    secret = opened.secret
    flags = selection.mailbox.flag_names(secret)
    return search.Facts(seq, uid, len(view), last_uid, flags, secret.internal_date, secret.size_bytes)


async def _matches(selection: Selection, key: SearchKey, facts: search.Facts, opened: Opened | None) -> bool:
    verdict = search.matches(key, facts)
    if verdict is None and opened is not None:
        message = await selection.mailbox.message(Uid(facts.uid), opened.secret, is_fetch=False)
        verdict = False if message is None else search.matches(key, facts, message)
    return bool(verdict)


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
    for uid, entry in after.items():
        seq = selection.view.seq(uid)
        if seq is not None:
            counter.session.untagged(flags_only(seq, uid, selection.mailbox.flag_names(entry.secret)))


async def copy(counter: Counter, command: c.Copy) -> None:
    await _transfer(counter, command, OpenMailbox.copy)


async def move(counter: Counter, command: c.Move) -> None:
    await _transfer(counter, command, OpenMailbox.move)


async def _transfer(counter: Counter, command: c.Copy | c.Move, work: Callable[..., Awaitable[dict[Uid, Uid]]]) -> None:
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
        assigned = await work(selection.mailbox, uids, target)
    except OverQuota:
        counter.session.no("The mailbox is full", "OVERQUOTA")
        return
    except FolderRefused as refused:
        counter.session.no(refused.text, refused.code)
        return
    code = r.copy_uid(target.record.uid_validity, {int(source): int(uid) for source, uid in assigned.items()})
    if isinstance(command, c.Move):
        if code is not None:
            counter.session.untagged(f"OK [{code}] Moved".encode())
        code = None
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
    c.Fetch: fetch,
    c.Search: find,
    c.Store: store,
    c.Copy: copy,
    c.Move: move,
}
