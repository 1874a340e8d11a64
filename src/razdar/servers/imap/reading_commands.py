# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handlers of FETCH and SEARCH: the commands that can ask for much.

Whatever a client asks, nobody else waits for it longer than a few milliseconds: messages are answered one after the other, with a pause
where the peer has enough to read or where others have waited, and work that takes long on one message is done by the crew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from razdar.model.ids import Uid
from razdar.servers.imap.desk import Counter, Selection
from razdar.servers.imap.message_commands import named, selected, tell_keywords
from razdar.services.mailbox import OpenMailbox
from razdar.services.seals import Opened
from razdar.wire.imap import commands as c
from razdar.wire.imap import responses as r
from razdar.wire.imap import search
from razdar.wire.imap.fetch_items import FLAGS, FetchItem, FetchKind, Section
from razdar.wire.imap.fetch_response import respond
from razdar.wire.imap.search_keys import SearchKey

AT_ONCE = 256  # messages whose seals are opened before the first of them is answered
READ_AT_ONCE = 32  # messages that are marked as seen in one transaction, just before they are sent
QUEUED_BYTES = 65_536  # answers that are collected before they are sent
LARGE_BYTES = 262_144  # looking through a larger message takes milliseconds
IN_A_ROW_S = 0.005
SEEN = "\\Seen"


class Pace:
    """Lets the other connections have their turn now and then."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()

    async def breathe(self) -> None:
        """Costs nothing as long as there was a pause within `IN_A_ROW_S`."""
        if self._loop.time() - self._since > IN_A_ROW_S:
            await asyncio.sleep(0)
            self._since = self._loop.time()


# FETCH


async def fetch(counter: Counter, command: c.Fetch) -> None:
    selection = selected(counter)
    uids = named(selection, command)
    if uids is None:
        counter.session.bad("There is no such message")
        return
    is_reading = any(item.sets_seen for item in command.items) and not counter.session.selected_read_only
    at_once, pace = READ_AT_ONCE if is_reading else AT_ONCE, Pace()
    for start in range(0, len(uids), at_once):
        opened = await selection.mailbox.opened(uids[start : start + at_once])
        marked = await _mark_seen(selection.mailbox, opened) if is_reading else {}
        tell_keywords(counter.session, selection)
        for uid, entry in (opened | marked).items():
            items = command.items if uid not in marked or FLAGS in command.items else (*command.items, FLAGS)
            await _send(counter, selection, items, uid, entry)
            if counter.session.output_bytes > QUEUED_BYTES or entry.secret.size_bytes > QUEUED_BYTES:
                await counter.drain()  # what is queued may be a view on a large message
                counter.unload()
            await pace.breathe()
    await counter.conclude(command)


async def _mark_seen(mailbox: OpenMailbox, opened: Mapping[Uid, Opened]) -> dict[Uid, Opened]:
    """Those that were not seen before and are now."""
    unseen = [uid for uid, entry in opened.items() if SEEN not in mailbox.flag_names(entry.secret)]
    return await mailbox.set_flags(unseen, lambda before: before | {SEEN}) if unseen else {}


async def _send(counter: Counter, selection: Selection, items: Sequence[FetchItem], uid: Uid, entry: Opened) -> None:
    """One FETCH response; none for a message whose body has expired meanwhile."""
    secret, message = entry.secret, None
    if any(item.needs_message for item in items):
        counter.load(secret.size_bytes)
        message = await selection.mailbox.message(uid, secret, is_fetch=any(map(_is_everything, items)))
        if message is None:
            return
    seq = selection.view.seq(uid)
    if seq is None:
        return
    flags = selection.mailbox.flag_names(secret)

    def work() -> list[r.Part]:
        return respond(seq, items, uid, flags, secret.internal_date, secret.size_bytes, message)

    is_slow = message is not None and len(message) > LARGE_BYTES and any(item.needs_structure for item in items)
    counter.session.untagged_parts(await counter.desk.mailboxes.crew.run(work) if is_slow else work())


def _is_everything(item: FetchItem) -> bool:
    """Whether the device has the message afterwards. Headers are no more than a look: what is left then must not be evicted as fetched."""
    is_whole = item.kind is FetchKind.SECTION and item.section in (None, Section()) and item.partial is None
    return is_whole or item.kind is FetchKind.RFC822


# SEARCH


async def find(counter: Counter, command: c.Search) -> None:
    selection = selected(counter)
    view, key, pace = selection.view, command.key, Pace()
    last_uid = view.uids[-1] if len(view) else 0
    found = []
    uids = [(seq, Uid(uid)) for seq, uid in enumerate(view.uids, 1) if not view.is_removed(uid)]
    needs_seals = search.needs_facts(key) or search.needs_message(key)
    for start in range(0, len(uids), AT_ONCE):
        some = uids[start : start + AT_ONCE]
        opened = await selection.mailbox.opened([uid for _, uid in some]) if needs_seals else {}
        for seq, uid in some:
            facts = search.Facts(seq, uid, len(view), last_uid)
            if not needs_seals or uid in opened:
                if await _matches(counter, selection.mailbox, key, facts, opened.get(uid)):
                    found.append(uid if command.by_uid else seq)
                await pace.breathe()
    if command.returns is None:
        counter.session.untagged(r.search(found))
    else:
        counter.session.untagged(r.extended_search(command.tag, found, command.returns, by_uid=command.by_uid))
    await counter.conclude(command)


async def _matches(counter: Counter, mailbox: OpenMailbox, key: SearchKey, facts: search.Facts, opened: Opened | None) -> bool:
    if opened is None:
        return bool(search.matches(key, facts))
    secret = opened.secret
    facts = replace(facts, flags=mailbox.flag_names(secret), internal_date=secret.internal_date, size=secret.size_bytes)
    verdict = search.matches(key, facts)
    if verdict is not None:
        return verdict
    counter.load(secret.size_bytes)
    message = await mailbox.message(Uid(facts.uid), secret, is_fetch=False)
    try:
        if message is None:
            return False
        if len(message) <= LARGE_BYTES:
            return bool(search.matches(key, facts, message))
        return bool(await counter.desk.mailboxes.crew.run(lambda: search.matches(key, facts, message)))
    finally:
        counter.unload()


HANDLERS: dict[type[c.Command], Callable[..., Awaitable[None]]] = {c.Fetch: fetch, c.Search: find}
