# SPDX-License-Identifier: AGPL-3.0-or-later
"""APPEND: a client puts a message of its own into one of its mailboxes. Only what it could have submitted is taken."""

from collections.abc import Iterable

from razdar.model.ids import Uid
from razdar.model.message import EntrySecret, Flag
from razdar.model.verdict import Refusal
from razdar.policy.retention import entry_expiry, message_expiry
from razdar.ports.bus import Added
from razdar.ports.clock import Clock
from razdar.ports.store import Body, Delivery, Entry, NewEntry
from razdar.services.accounts import Login
from razdar.services.calendar import Calendar
from razdar.services.flags import keywords_in, with_flags
from razdar.services.folders import Folder
from razdar.services.mailboxes import Mailboxes
from razdar.services.randomness import random_body_id, random_share
from razdar.services.submit import Submit
from razdar.services.transfer import no_place
from razdar.vault.body import encrypt_body
from razdar.vault.seal import seal


class Appender:
    """Puts single messages into mailboxes."""

    def __init__(self, mailboxes: Mailboxes, submit: Submit, calendar: Calendar, clock: Clock) -> None:
        self._mailboxes = mailboxes
        self._submit = submit
        self._calendar = calendar
        self._clock = clock

    async def __call__(
        self, login: Login, folder: Folder, message: bytes, flags: Iterable[str], internal_date: int | None
    ) -> Uid | Refusal:
        """The UID that the message got. Raises `OverQuota`, `FolderRefused`, `StoreUnavailable`, `CrewBusy`."""
        verdict = await self._submit.check_content(login, message)
        if isinstance(verdict, Refusal):
            return verdict
        shared = self._mailboxes
        [units] = await shared.charge_for(login, [len(message)])
        keywords = keywords_in(flags)
        known = folder.secret.keywords
        if keywords:
            known = (await shared.folders.add_keywords(login, folder.id, keywords)).keywords
        content_key = shared.entropy(32)
        date = self._clock.now() if internal_date is None else internal_date
        body, share = random_body_id(shared.entropy), random_share(shared.entropy)
        secret = with_flags(EntrySecret(body, content_key, len(message), date, charge=units, share=share), flags, known)
        blob = await shared.crew.run(lambda: encrypt_body(content_key, message))
        expires = message_expiry(self._calendar.day, len(message), shared.settings())
        last_day = entry_expiry(self._calendar.day, shared.settings())
        entry = NewEntry(folder.id, seal(login.public_key, secret), units, share)
        [assigned] = await shared.store.deliver([Delivery(Body(body, blob, expires), (entry,), last_day)])
        if folder.id not in assigned:
            raise no_place(await shared.store.mailbox(folder.id))
        uid = assigned[folder.id]
        shared.deleted.mark(folder.id, uid, bool(secret.flags & Flag.DELETED))
        shared.bus.publish(folder.id, Added((Entry(uid, entry.seal, last_day),)))
        return uid
