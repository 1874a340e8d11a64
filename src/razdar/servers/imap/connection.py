"""One IMAP client: commands come out of the engine, handlers answer them, changes by other devices go out when the protocol allows."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from razdar.model.ids import AccountId, MailboxId
from razdar.ports.bus import AccountClosed, Change
from razdar.ports.crew import CrewBusy
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.servers.connection import Connection
from razdar.servers.imap import account_commands, folder_commands, message_commands
from razdar.servers.imap.desk import ImapDesk, Selection
from razdar.services.accounts import Login
from razdar.wire.imap import commands as c
from razdar.wire.imap.session import ImapSession

HANDLERS: dict[type[Any], Callable[..., Awaitable[None]]] = {
    **account_commands.HANDLERS,
    **folder_commands.HANDLERS,
    **message_commands.HANDLERS,
}


class ImapConnection(Connection):
    """Where handlers keep what they know of the client: `login` and `selection`."""

    engine: ImapSession

    def __init__(self, desk: ImapDesk, *shared: Any) -> None:  # noqa: ANN401 - passed through to Connection
        super().__init__(*shared)
        self.desk = desk
        self.login: Login | None = None
        self.selection: Selection | None = None
        self._unwatch: Callable[[], None] | None = None

    @property
    def session(self) -> ImapSession:
        return self.engine

    def make_engine(self, is_tls: bool) -> ImapSession:
        return ImapSession(limits=self.desk.limits, capabilities=self.desk.capabilities, is_tls=is_tls)

    @property
    def is_logged_in(self) -> bool:
        return self.login is not None

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

    def fail(self) -> None:
        if self.engine.command_in_progress is not None:
            self.engine.no("Something went wrong here, try again later", "SERVERBUG")

    def end(self, is_timeout: bool) -> None:
        self.engine.shut_down("Nothing heard for too long" if is_timeout else "The relay is shutting down, try again soon")

    def tick(self) -> None:
        self.engine.still_here()

    def closed(self) -> None:
        self.deselect()
        if self._unwatch is not None:
            self._unwatch()

    # what handlers use

    def deselect(self) -> None:
        """No mailbox is selected."""
        if self.selection is not None:
            self.selection.mailbox.close()
            self.selection = None

    def watch(self, account: AccountId) -> None:
        """Hear of the account's end even while nothing is selected."""
        self._unwatch = self.desk.mailboxes.bus.subscribe(MailboxId(account), self._account_heard)

    def count(self, event: str) -> None:
        self._journal.count(event)

    def _account_heard(self, _: MailboxId, change: Change) -> None:
        if isinstance(change, AccountClosed):
            self.engine.shut_down("The account is closed")
            self.pump()

    def listen(self, change: Change) -> None:
        """A change by another device or a delivery: into the view, and out at once if the client is in IDLE."""
        if self.selection is None:
            return
        message_commands.take_change(self.selection, change)
        if self.engine.is_idling:
            message_commands.tell_changes(self)
            self.flush()
