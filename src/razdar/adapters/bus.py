"""The bus inside one process: a dictionary of listeners."""

from collections.abc import Callable

from razdar.model.ids import AccountId, MailboxId
from razdar.ports.bus import AccountClosed, Change, Listener


class LocalBus:
    """`ports.bus.Bus` for one process. Costs nothing for mailboxes nobody listens to."""

    def __init__(self) -> None:
        self._listeners: dict[AccountId, list[tuple[MailboxId, Listener]]] = {}

    def publish(self, mailbox: MailboxId, change: Change) -> None:
        for watched, listener in tuple(self._listeners.get(mailbox.account, ())):
            if watched == mailbox:
                listener(mailbox, change)

    def subscribe(self, mailbox: MailboxId, listener: Listener) -> Callable[[], None]:
        entry = (mailbox, listener)
        self._listeners.setdefault(mailbox.account, []).append(entry)

        def stop() -> None:
            listeners = self._listeners.get(mailbox.account, [])
            if entry in listeners:
                listeners.remove(entry)
            if not listeners:
                self._listeners.pop(mailbox.account, None)

        return stop

    def close_account(self, account: AccountId) -> None:
        for watched, listener in tuple(self._listeners.get(account, ())):
            listener(watched, AccountClosed())

    def is_watched(self, account: AccountId) -> bool:
        return account in self._listeners

    def watched_accounts(self) -> tuple[AccountId, ...]:
        """Accounts with at least one device connected."""
        return tuple(self._listeners)
