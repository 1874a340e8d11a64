# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the doors, the chores and the pages are made of: one value that is built once and handed around in here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from razdar.adapters.apps import AppShelf
from razdar.adapters.bus import LocalBus
from razdar.adapters.clock import SystemClock
from razdar.adapters.identity import Identity
from razdar.adapters.tls import TlsMaterial
from razdar.app.names import Names
from razdar.app.queue import Queue
from razdar.config import RunConfig
from razdar.policy.quota import ShareBook
from razdar.ports.store import Store
from razdar.servers.journal import Journal
from razdar.services.accounts import Accounts
from razdar.services.append import Appender
from razdar.services.blocks import Blocks
from razdar.services.calendar import Calendar
from razdar.services.confirmations import Sending
from razdar.services.folders import Folders
from razdar.services.invites import Invites
from razdar.services.leaving import Leaving
from razdar.services.mailboxes import Mailboxes
from razdar.services.receive import Receive
from razdar.services.signups import SignUps, Tickets
from razdar.services.statistics import Statistics
from razdar.services.submit import Submit
from razdar.services.tokens import Tokens
from razdar.settings import Settings
from razdar.workers.push import Pusher


class Current:
    """The configuration in force; a reload puts another one here."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config

    def __call__(self) -> Settings:
        return self.config.settings


@dataclass(frozen=True, slots=True)
class Parts:
    """What the doors and the chores are made of."""

    current: Current
    identity: Identity
    tls: TlsMaterial
    names: Names
    store: Store
    bus: LocalBus
    journal: Journal
    calendar: Calendar
    shares: ShareBook
    statistics: Statistics
    blocks: Blocks
    accounts: Accounts
    invites: Invites
    signups: SignUps
    tickets: Tickets
    leaving: Leaving
    apps: AppShelf
    folders: Folders
    mailboxes: Mailboxes
    appender: Appender
    submit: Submit
    tokens: Tokens
    pusher: Pusher
    queue: Queue
    receive: Receive | None
    """The way in for other relays; None: there is none."""
    sending: Sending
    clock: SystemClock
    queues: Mapping[str, Callable[[], int]]
    """How many jobs wait, by the queue's name."""
