# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bus inside one process: a dictionary of listeners."""

from collections.abc import Callable

from razdar.model.ids import AccountId, MailboxId
from razdar.ports.bus import AccountClosed, Change, Listener


class LocalBus:
    """`ports.bus.Bus` for one process. Costs nothing for mailboxes nobody listens to."""

    def __init__(self) -> None:
        self._listeners: dict[AccountId, dict[MailboxId, list[Listener]]] = {}

    def publish(self, mailbox: MailboxId, change: Change) -> None:
        for listener in tuple(self._listeners.get(mailbox.account, {}).get(mailbox, ())):
            listener(mailbox, change)

    def subscribe(self, mailbox: MailboxId, listener: Listener) -> Callable[[], None]:
        self._listeners.setdefault(mailbox.account, {}).setdefault(mailbox, []).append(listener)

        def stop() -> None:
            mailboxes = self._listeners.get(mailbox.account, {})
            listeners = mailboxes.get(mailbox, [])
            if listener in listeners:
                listeners.remove(listener)
            if not listeners:
                mailboxes.pop(mailbox, None)
            if not mailboxes:
                self._listeners.pop(mailbox.account, None)

        return stop

    def close_account(self, account: AccountId) -> None:
        for mailbox, listeners in tuple(self._listeners.get(account, {}).items()):
            for listener in tuple(listeners):
                listener(mailbox, AccountClosed())

    def is_watched(self, account: AccountId) -> bool:
        return account in self._listeners

    def watched_accounts(self) -> tuple[AccountId, ...]:
        """Accounts with at least one device connected."""
        return tuple(self._listeners)
