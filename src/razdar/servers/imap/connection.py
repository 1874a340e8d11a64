# SPDX-License-Identifier: AGPL-3.0-or-later
"""One IMAP client: commands come out of the engine, handlers answer them, changes by other devices go out when the protocol allows."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

from razdar.model.ids import Uid
from razdar.ports.bus import Change
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.servers.connection import Connection
from razdar.servers.imap import account_commands, folder_commands, message_commands, reading_commands
from razdar.servers.imap.desk import ImapDesk, Selection
from razdar.servers.imap.message_commands import take_change, tell_keywords
from razdar.servers.memory import SMALL_BYTES
from razdar.services.accounts import Login
from razdar.wire.imap import commands as c
from razdar.wire.imap.session import ImapSession
from razdar.wire.imap.view import may_expunge

HANDLERS: dict[type[Any], Callable[..., Awaitable[None]]] = {
    **account_commands.HANDLERS,
    **folder_commands.HANDLERS,
    **message_commands.HANDLERS,
    **reading_commands.HANDLERS,
}


class ImapConnection(Connection):
    """Where handlers keep what they know of the client: `login` and `selection`."""

    engine: ImapSession

    def __init__(self, desk: ImapDesk, *shared: Any) -> None:
        super().__init__(*shared)
        self.desk = desk
        self.login: Login | None = None
        self.selection: Selection | None = None
        self._unwatch: Callable[[], None] | None = None
        self._farewell: asyncio.Task[None] | None = None
        self._news: asyncio.Task[None] | None = None
        self._is_loaded = False

    @property
    def session(self) -> ImapSession:
        return self.engine

    def make_engine(self, is_tls: bool) -> ImapSession:
        return ImapSession(limits=self.desk.limits, capabilities=self.desk.capabilities, is_tls=is_tls)

    @property
    def account(self) -> bytes | None:
        return self.login.account if self.login is not None else None

    def next_step(self) -> Coroutine[Any, Any, None] | None:
        event = self.engine.next_event()
        return None if event is None else self._answer(event)

    async def _answer(self, event: c.Command | c.IdleEnded) -> None:
        try:
            if isinstance(event, c.StartTls):
                await self.start_tls()
            elif isinstance(event, c.IdleEnded):
                self.engine.ok("IDLE completed")
            else:
                await HANDLERS[type(event)](self, event)
        except StoreFull:
            self.engine.no("The disk is full, try again later", "UNAVAILABLE")
        except (StoreUnavailable, CrewBusy):
            self.engine.no("Not possible at this moment, try again soon", "UNAVAILABLE")
        finally:
            self.unload()

    def take_output(self) -> bytes:
        return self.engine.take_output(self.limits.ahead_bytes)

    def fail(self) -> None:
        if self.engine.command_in_progress is not None:
            self.engine.no("Something went wrong here, try again later", "SERVERBUG")

    def end(self, is_timeout: bool) -> None:
        self.engine.shut_down("Nothing heard for too long" if is_timeout else "The relay is shutting down, try again soon")

    def tick(self) -> None:
        self.engine.still_here()

    def closed(self) -> None:
        if self.engine.was_abused:
            self._journal.count("protocol.refused")
        if self._unwatch is not None:
            self._unwatch()
        if self.selection is not None:
            self._farewell = asyncio.get_running_loop().create_task(self._leave_mailbox())

    async def _leave_mailbox(self) -> None:
        try:
            await self.deselect()
        except StoreUnavailable:
            self._journal.count("settle.failed")
        except Exception as error:
            self._journal.bug(error)

    # what handlers use

    def load(self, size_bytes: int) -> None:
        if size_bytes <= SMALL_BYTES or self.login is None:
            return
        self._is_loaded = True
        if not self._registry.transfers.begin(self.login.account, size_bytes, self.abort):
            self._journal.count("transfer.refused")
            raise CrewBusy

    def unload(self) -> None:
        if self._is_loaded and self.login is not None:
            self._is_loaded = False
            self._registry.transfers.end(self.login.account, self.abort)

    async def deselect(self) -> None:
        """No mailbox is selected; what this device fetched and left is marked."""
        selection, self.selection = self.selection, None
        if selection is not None:
            try:
                await selection.mailbox.settle()  # while it still hears what other devices change
            finally:
                selection.mailbox.close()

    async def conclude(self, command: c.Command, text: str | None = None, code: str | None = None) -> None:
        """The command succeeded; the client is brought up to date as far as this command allows."""
        if self.selection is not None:
            await self._tell_changes(self.selection, may_expunge(command))
            if code is None and self.selection.view.has_removed:
                code = "EXPUNGEISSUED"  # RFC 5530: the client may want to say NOOP
        self.engine.ok(text, code)

    async def _tell_changes(self, selection: Selection, may_expunge: bool) -> None:
        """Untagged lines for all news; flags wait for a later command if the store has no time, because this one has succeeded."""
        flags: dict[int, list[str]] = {}
        with suppress(StoreUnavailable, CrewBusy):
            flags = await self._flags_in_the_news(selection)
        self._send_updates(selection, may_expunge, flags)

    async def _flags_in_the_news(self, selection: Selection) -> dict[int, list[str]]:
        uids = [Uid(uid) for uid in selection.view.news_of_flags]
        if not uids:
            return {}
        opened = await selection.mailbox.opened(uids)
        return {uid: selection.mailbox.flag_names(entry.secret) for uid, entry in opened.items()}

    def watch(self, login: Login) -> None:
        """Hear of the account's end even while nothing is selected."""
        self._unwatch = self.desk.accounts.when_closed(login, self.account_closed)

    def count(self, event: str) -> None:
        self._journal.count(event)

    def listen(self, change: Change) -> None:
        """A change by another device or a delivery: into the view, and out at once if the client is in IDLE."""
        if self.selection is None:
            return
        try:
            take_change(self.selection, change)
            self.tell_while_idle()
        except Exception as error:  # our bug: whoever made the change, and the other devices, must not suffer from it
            self._journal.bug(error)
            self.abort()

    def tell_while_idle(self) -> None:
        """What can be told at once is told; changed flags need opened seals and follow."""
        if self.selection is None or not self.engine.is_idling:
            return
        self._send_updates(self.selection, may_expunge=True, flags={})
        self.flush()
        if self.selection.view.news_of_flags and self._news is None:
            self._news = asyncio.get_running_loop().create_task(self._tell_flags())

    async def _tell_flags(self) -> None:
        try:
            while (selection := self.selection) is not None and self.engine.is_idling and selection.view.news_of_flags:
                flags = await self._flags_in_the_news(selection)
                if selection is self.selection and self.engine.is_idling:
                    self._send_updates(selection, may_expunge=True, flags=flags)
                    self.flush()
        except (StoreUnavailable, CrewBusy):
            self._journal.count("flags.later")  # the client hears of them with its next command
        except Exception as error:
            self._journal.bug(error)
        finally:
            self._news = None

    def _send_updates(self, selection: Selection, may_expunge: bool, flags: Mapping[int, Sequence[str]]) -> None:
        if flags:
            tell_keywords(self.engine, selection)
        for line in selection.view.updates(may_expunge=may_expunge, flags=flags):
            self.engine.untagged(line)

    def account_closed(self) -> None:
        self.engine.shut_down("The account is closed")
        self.pump()
