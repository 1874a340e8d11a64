# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every IMAP connection needs, and what a handler sees of its connection."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from razdar.ports.bus import Change
from razdar.ports.clock import Clock
from razdar.services.accounts import Accounts, Login
from razdar.services.append import Appender
from razdar.services.folders import Folders
from razdar.services.mailbox import OpenMailbox
from razdar.services.mailboxes import Mailboxes
from razdar.services.tokens import Tokens
from razdar.settings import Settings
from razdar.wire.imap import commands as c
from razdar.wire.imap.session import Capabilities, ImapLimits, ImapSession
from razdar.wire.imap.view import MailboxView


@dataclass(frozen=True, slots=True)
class ImapDesk:
    """Shared by all connections."""

    accounts: Accounts
    folders: Folders
    mailboxes: Mailboxes
    appender: Appender
    tokens: Tokens
    clock: Clock
    settings: Callable[[], Settings]
    server_metadata: Callable[[], Mapping[str, bytes]]
    limits: ImapLimits
    capabilities: Capabilities


@dataclass(slots=True)
class Selection:
    """The mailbox that is selected."""

    mailbox: OpenMailbox
    view: MailboxView
    told_keywords: tuple[str, ...] = ()
    """Those that the client heard of in FLAGS."""


class Counter(Protocol):
    """Where a connection's handlers look and what they change."""

    desk: ImapDesk

    @property
    def session(self) -> ImapSession: ...
    @property
    def origin(self) -> bytes: ...

    login: Login | None
    selection: Selection | None

    async def drain(self) -> None: ...
    def load(self, size_bytes: int) -> None:
        """There is memory for a message of that size, until `unload`. Raises `CrewBusy`."""

    def unload(self) -> None:
        """What was loaded has left."""

    async def deselect(self) -> None: ...
    async def conclude(self, command: c.Command, text: str | None = None, code: str | None = None) -> None: ...
    def listen(self, change: Change) -> None: ...
    def tell_while_idle(self) -> None: ...
    def count(self, event: str) -> None: ...
    def watch(self, login: Login) -> None: ...
