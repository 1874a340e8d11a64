# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handlers of commands about folders."""

from collections.abc import Awaitable, Callable, Iterable

from razdar.model.verdict import Refusal
from razdar.servers.imap.desk import Counter
from razdar.services.accounts import Login
from razdar.services.folders import Folder, FolderRefused
from razdar.services.transfer import OverQuota
from razdar.wire.imap import commands as c
from razdar.wire.imap import responses as r
from razdar.wire.imap.listing import Name, listing

NO_SUCH_FOLDER = ("There is no folder of that name", "NONEXISTENT")


def required(login: Login | None) -> Login:
    """The engine lets no such command through before login."""
    if login is None:
        raise RuntimeError("a command that needs a login came without one")
    return login


async def create(counter: Counter, command: c.Create) -> None:
    await _change(counter, command, counter.desk.folders.create(required(counter.login), command.mailbox))


async def delete(counter: Counter, command: c.Delete) -> None:
    await _change(counter, command, counter.desk.folders.delete(required(counter.login), command.mailbox))


async def rename(counter: Counter, command: c.Rename) -> None:
    await _change(counter, command, counter.desk.mailboxes.rename(required(counter.login), command.source, command.target))


async def subscribe(counter: Counter, command: c.Subscribe) -> None:
    await _change(counter, command, counter.desk.folders.subscribe(required(counter.login), command.mailbox, is_subscribed=True))


async def unsubscribe(counter: Counter, command: c.Unsubscribe) -> None:
    await _change(counter, command, counter.desk.folders.subscribe(required(counter.login), command.mailbox, is_subscribed=False))


async def _change(counter: Counter, command: c.Command, change: Awaitable[object]) -> None:
    try:
        await change
    except FolderRefused as refused:
        counter.session.no(refused.text, refused.code)
    else:
        await counter.conclude(command)


async def list_folders(counter: Counter, command: c.List) -> None:
    if command.patterns == ("",) and not command.is_lsub:  # asks for the delimiter (RFC 3501 section 6.3.8)
        counter.session.untagged(r.listed("", ("\\Noselect",)))
        await counter.conclude(command)
        return
    folders = await counter.desk.folders.names(required(counter.login))
    by_name = {folder.secret.name: folder for folder in folders if not folder.secret.is_name_only}
    names = [Name(each.secret.name, not each.secret.is_name_only, each.secret.is_subscribed) for each in folders]
    for row in listing(command, names):
        counter.session.untagged(r.listed(row.name, row.attributes, is_lsub=command.is_lsub, child_info=row.child_info))
        if command.status_items and row.exists:
            await _send_status(counter, by_name[row.name], command.status_items)
    await counter.conclude(command)


async def status(counter: Counter, command: c.Status) -> None:
    folder = await counter.desk.folders.find(required(counter.login), command.mailbox)
    if folder is None:
        counter.session.no(*NO_SUCH_FOLDER)
        return
    await _send_status(counter, folder, command.items)
    await counter.conclude(command)


async def _send_status(counter: Counter, folder: Folder, items: Iterable[str]) -> None:
    """MESSAGES, UIDNEXT and UIDVALIDITY open no seal; the others open all of them."""
    record = folder.record
    known = {"MESSAGES": record.messages, "UIDNEXT": record.uid_next, "UIDVALIDITY": record.uid_validity, "RECENT": 0}
    wanted = [item for item in items if item in known or item in _OPENING]
    if any(item in _OPENING for item in wanted):
        tally = await counter.desk.mailboxes.tally(required(counter.login), folder)
        known |= {"UNSEEN": tally.unseen, "DELETED": tally.deleted, "SIZE": tally.size_bytes}
    counter.session.untagged(r.status(folder.secret.name, {item: known[item] for item in wanted}))


_OPENING = ("UNSEEN", "DELETED", "SIZE")


async def append(counter: Counter, command: c.Append) -> None:
    login = required(counter.login)
    folder = await counter.desk.folders.find(login, command.mailbox)
    if folder is None:
        counter.session.no("There is no folder of that name", "TRYCREATE")
        return
    try:
        answer = await counter.desk.appender(login, folder, command.message, command.flags, command.internal_date)
    except FolderRefused as refused:
        counter.session.no(refused.text, refused.code)
    except OverQuota:
        counter.session.no("The mailbox is full", "OVERQUOTA")
    else:
        if isinstance(answer, Refusal):
            counter.session.no(answer.text, "CANNOT")
        else:
            await counter.conclude(command, code=r.append_uid(folder.record.uid_validity, answer))


HANDLERS: dict[type[c.Command], Callable[..., Awaitable[None]]] = {
    c.Create: create,
    c.Delete: delete,
    c.Rename: rename,
    c.Subscribe: subscribe,
    c.Unsubscribe: unsubscribe,
    c.List: list_folders,
    c.Status: status,
    c.Append: append,
}
