# SPDX-License-Identifier: AGPL-3.0-or-later
"""A relay of one account in a hundred lines: what stands behind the IMAP session in dialogues, fuzzing and property tests.

It keeps messages in lists and answers every command with the pure pieces of `wire/imap`, the way the real handlers do, so that a dialogue
shows what a client sees. "Another device" acts through the methods `deliver`, `remove`, `flag`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from razdar.wire.imap import commands as c
from razdar.wire.imap import responses as r
from razdar.wire.imap.fetch_response import flags_only, respond
from razdar.wire.imap.list_match import matches as name_matches
from razdar.wire.imap.search import Facts, matches
from razdar.wire.imap.session import Capabilities, ImapLimits, ImapSession
from razdar.wire.imap.view import MailboxView, may_expunge

USER, PASSWORD = "alice@chat.example", "correct-horse"
SYSTEM = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


def imap_unit(output: bytes) -> int:
    """A line with its literals is one thing (RFC 3501 section 4.3)."""
    position = 0
    while (end := output.find(b"\r\n", position)) >= 0:
        announced = _LITERAL.search(output, max(position, end - 12), end + 2)
        if announced is None:
            return end + 2
        position = announced.end() + int(announced[1])
    return 0


@dataclass
class Mail:
    uid: int
    message: bytes
    flags: set[str] = field(default_factory=set)
    date: int = 1_700_000_000


@dataclass
class Folder:
    mails: dict[int, Mail] = field(default_factory=dict)
    next_uid: int = 1
    validity: int = 7

    def add(self, message: bytes, flags: set[str]) -> Mail:
        mail = self.mails[self.next_uid] = Mail(self.next_uid, message, flags)
        self.next_uid += 1
        return mail


class ImapDriver:
    """`receive` and `take_output` as the player wants them."""

    def __init__(self, *, is_tls: bool = True, limits: ImapLimits | None = None, capabilities: Capabilities | None = None) -> None:
        self.session = ImapSession(limits=limits, capabilities=capabilities, is_tls=is_tls, greeting="hello")
        self.folders: dict[str, Folder] = {"INBOX": Folder()}
        self.selected = ""
        self.view = MailboxView(())
        self.metadata: dict[tuple[str, str], bytes | None] = {("", "/shared/comment"): b"Hi"}
        self.handled: list[c.Command | c.IdleEnded] = []
        self.directives: dict[str, Callable[[str], None]] = {
            "tls": lambda _: self.session.tls_started(),
            "deliver": lambda text: self.deliver(text.encode() or b"Subject: [...]\r\n\r\nhello\r\n"),
            "remove": lambda text: self.remove(int(text)),
            "flag": lambda text: self.flag(*text.split()),
            "tick": lambda _: self.session.still_here(),
            "timeout": lambda _: self.session.shut_down("Nothing heard for too long"),
            "closing": lambda _: self._check(self.session.is_closing),
            "open": lambda _: self._check(not self.session.is_closing),
            "dropped": lambda _: self._check(self.session.buffered_bytes == 0),
        }

    def receive(self, data: bytes) -> None:
        self.session.receive(data)
        self.run()

    def run(self) -> None:
        while (event := self.session.next_event()) is not None:
            self.handled.append(event)
            if not isinstance(event, c.StartTls):
                self._handlers[type(event)](self, event)
        if self.session.is_idling:
            self._tell(is_allowed=True)

    def take_output(self) -> bytes:
        return self.session.take_output()

    def _check(self, is_so: bool) -> None:
        assert is_so

    # another device

    @property
    def folder(self) -> Folder:
        return self.folders.get(self.selected) or self.folders["INBOX"]

    def deliver(self, message: bytes) -> None:
        self.view.added([self.folder.add(message, set()).uid])
        self.run()

    def remove(self, uid: int) -> None:
        del self.folder.mails[uid]
        self.view.removed([uid])
        self.run()

    def flag(self, uid: str, *flags: str) -> None:
        self.folder.mails[int(uid)].flags = set(flags)
        self.view.reflagged([int(uid)])
        self.run()

    # handlers

    def _tell(self, *, is_allowed: bool) -> None:
        flags = {uid: sorted(self.folder.mails[uid].flags) for uid in self.view.news_of_flags}
        for line in self.view.updates(may_expunge=is_allowed, flags=flags):
            self.session.untagged(line)

    def _done(self, command: c.Command, code: str | None = None) -> None:
        self._tell(is_allowed=may_expunge(command))
        self.session.ok(code=code)

    def _login(self, command: c.Login) -> None:
        if (command.user, command.password) == (USER, PASSWORD):
            self.session.ok("Logged in")
        else:
            self.session.no("Wrong user name or password", "AUTHENTICATIONFAILED")

    def _select(self, command: c.Select) -> None:
        self.view = MailboxView(())
        self.selected = command.mailbox
        if command.mailbox not in self.folders:
            self.selected = ""
            self.session.no("No such folder", "NONEXISTENT")
            return
        folder = self.folder
        self.view = MailboxView(folder.mails)
        permanent = r.permanent_flags((), takes_new=False) if command.is_read_only else r.permanent_flags(SYSTEM, takes_new=True)
        for line in (r.flags(SYSTEM), permanent, r.exists(len(folder.mails)), r.recent(0)):
            self.session.untagged(line)
        self.session.untagged(r.uid_validity(folder.validity))
        self.session.untagged(r.uid_next(folder.next_uid))
        self.session.ok()

    def _list(self, command: c.List) -> None:
        for name in self.folders:
            if any(name_matches(command.reference + pattern, name) for pattern in command.patterns):
                self.session.untagged(r.listed(name, (), is_lsub=command.is_lsub))
        self.session.ok()

    def _status(self, command: c.Status) -> None:
        folder = self.folders.get(command.mailbox)
        if folder is None:
            self.session.no("No such folder", "NONEXISTENT")
            return
        known = {"MESSAGES": len(folder.mails), "UIDNEXT": folder.next_uid, "UIDVALIDITY": folder.validity}
        self.session.untagged(r.status(command.mailbox, {item: known.get(item, 0) for item in command.items}))
        self.session.ok()

    def _create(self, command: c.Create) -> None:
        self.folders[command.mailbox] = Folder()
        self.session.ok()

    def _append(self, command: c.Append) -> None:
        if command.mailbox not in self.folders:
            self.session.no("No such folder", "TRYCREATE")
            return
        folder = self.folders[command.mailbox]
        mail = folder.add(command.message, set(command.flags))
        mail.date = command.internal_date or mail.date
        if command.mailbox == self.selected:
            self.view.added([mail.uid])
        self._done(command, r.append_uid(folder.validity, mail.uid))

    def _fetch(self, command: c.Fetch) -> None:
        if not command.by_uid and command.ids.exceeds(len(self.view)):
            self.session.bad("No such message")
            return
        for uid in self.view.named(command.ids, by_uid=command.by_uid):
            mail = self.folder.mails.get(uid)
            if mail is None:
                continue
            if any(item.sets_seen for item in command.items):
                mail.flags.add("\\Seen")
            seq = self.view.seq(uid) or 0
            parts = respond(seq, command.items, uid, sorted(mail.flags), mail.date, len(mail.message), mail.message)
            self.session.untagged_parts(parts)
        self._done(command)

    def _store(self, command: c.Store) -> None:
        for uid in self.view.named(command.ids, by_uid=command.by_uid):
            mail = self.folder.mails.get(uid)
            if mail is None:
                continue
            mail.flags = _changed(mail.flags, command.action, set(command.flags))
            if not command.is_silent:
                self.session.untagged(flags_only(self.view.seq(uid) or 0, uid, sorted(mail.flags)))
        self._done(command)

    def _search(self, command: c.Search) -> None:
        found = []
        last_uid = self.view.uids[-1] if self.view.uids else 0
        for seq, uid in enumerate(self.view.uids, 1):
            if (mail := self.folder.mails.get(uid)) is None:
                continue
            facts = Facts(seq, uid, len(self.view), last_uid, mail.flags, mail.date, len(mail.message))
            if matches(command.key, facts, mail.message):
                found.append(uid if command.by_uid else seq)
        self.session.untagged(r.search(found))
        self._done(command)

    def _transfer(self, command: c.Copy | c.Move) -> None:
        if command.mailbox not in self.folders:
            self.session.no("No such folder", "TRYCREATE")
            return
        target = self.folders[command.mailbox]
        moved: dict[int, int] = {}
        for uid in self.view.named(command.ids, by_uid=command.by_uid):
            if (mail := self.folder.mails.get(uid)) is not None:
                moved[uid] = target.add(mail.message, set(mail.flags)).uid
        code = r.copy_uid(target.validity, moved)
        if isinstance(command, c.Copy):
            self._done(command, code)
            return
        self.session.untagged(f"OK [{code}] Moved".encode())
        self._drop(moved)
        self._done(command)

    def _drop(self, uids: Any) -> None:
        for uid in uids:
            del self.folder.mails[uid]
        self.view.removed(uids)

    def _expunge(self, command: c.Expunge) -> None:
        gone = {uid for uid, mail in self.folder.mails.items() if "\\Deleted" in mail.flags}
        if command.uids is not None:
            gone &= set(self.view.named(command.uids, by_uid=True))
        self._drop(sorted(gone))
        self._done(command)

    def _close(self, _: c.Close) -> None:
        if not self.session.selected_read_only:
            self._drop(sorted(uid for uid, mail in self.folder.mails.items() if "\\Deleted" in mail.flags))
        self._unselect(_)

    def _unselect(self, _: c.Command) -> None:
        self.view, self.selected = MailboxView(()), ""
        self.session.ok()

    def _get_metadata(self, command: c.GetMetadata) -> None:
        values = {entry: self.metadata[command.mailbox, entry] for entry in command.entries if (command.mailbox, entry) in self.metadata}
        if values:
            self.session.untagged(r.metadata(command.mailbox, values))
        self.session.ok()

    def _set_metadata(self, command: c.SetMetadata) -> None:
        self.metadata |= {(command.mailbox, entry): value for entry, value in command.values}
        self.session.ok()

    def _quota_root(self, command: c.GetQuotaRoot) -> None:
        self.session.untagged(r.quota_root(command.mailbox, ""))
        self.session.untagged(r.quota("", {"STORAGE": (12, 512_000)}))
        self.session.ok()

    def _plain_ok(self, command: c.Command) -> None:
        self._done(command)

    def _idle(self, _: c.Idle) -> None:
        self.session.idle_started()

    def _refuse(self, _: c.Command) -> None:
        self.session.no("Not here", "CANNOT")

    _handlers: ClassVar[dict[type[Any], Callable[["ImapDriver", Any], None]]] = {
        c.Login: _login,
        c.Noop: _plain_ok,
        c.Check: _plain_ok,
        c.Select: _select,
        c.List: _list,
        c.Status: _status,
        c.Create: _create,
        c.Append: _append,
        c.Fetch: _fetch,
        c.Store: _store,
        c.Search: _search,
        c.Copy: _transfer,
        c.Move: _transfer,
        c.Expunge: _expunge,
        c.Close: _close,
        c.Unselect: _unselect,
        c.GetMetadata: _get_metadata,
        c.SetMetadata: _set_metadata,
        c.GetQuotaRoot: _quota_root,
        c.Idle: _idle,
        c.IdleEnded: lambda self, _: self.session.ok("IDLE completed"),
        **dict.fromkeys((c.Delete, c.Rename, c.Subscribe, c.Unsubscribe, c.GetQuota, c.SetQuota, c.Compress), _refuse),
    }


def _changed(flags: set[str], action: c.StoreAction, named: set[str]) -> set[str]:
    if action is c.StoreAction.REPLACE:
        return named
    return flags | named if action is c.StoreAction.ADD else flags - named
