# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ways of a message, put together: from people and other relays, to mailboxes here and other relays; and the folders it is read in."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from razdar.adapters.addresses import own_addresses
from razdar.adapters.courier import RelayCourier
from razdar.app.ground import Ground
from razdar.app.incoming import NotedCourier, open_receive
from razdar.app.people import People
from razdar.app.push import Push
from razdar.app.queue import Queue, open_queue
from razdar.policy.quota import ShareBook
from razdar.policy.rate import RateBook
from razdar.services.append import Appender
from razdar.services.audience import Gatherer
from razdar.services.confirmations import Sending
from razdar.services.deliver import Deliver
from razdar.services.folders import Folders
from razdar.services.mailboxes import Mailboxes
from razdar.services.parcels import Parcels
from razdar.services.receive import Receive
from razdar.services.reporter import Reporter
from razdar.services.submit import Submit


@dataclass(frozen=True, slots=True)
class Mail:
    shares: ShareBook
    sending: Sending
    """What is on its way to others, for those who ask back."""
    queue: Queue
    submit: Submit
    receive: Receive | None
    """The way in for other relays; None: there is none."""


async def open_mail(ground: Ground, people: People, push: Push, stack: AsyncExitStack) -> Mail:
    """Mail that waits for other relays is known; nothing is sent yet."""
    store, bus, desk, clock, entropy, current = ground.store, ground.bus, ground.desk, ground.clock, ground.entropy, ground.current
    settings, domain = current(), ground.identity.domain
    shares, sending = ShareBook(), Sending(clock, current)
    unknowns = RateBook(settings.unknown_per_minute, settings.unknown_per_minute)
    gatherer = Gatherer(store, people.lookups, clock, shares, unknowns, current, is_blocked=people.blocks.is_blocked)
    reporter = Reporter(domain, clock, entropy)
    parcels = Parcels(store, bus, desk, clock, entropy, ground.calendar, current)
    queue = await open_queue(ground, parcels, unknowns, NotedCourier(_courier(ground), sending), reporter)
    deliver = Deliver(store, gatherer, parcels, queue.outbound, reporter, shares, current, domain, push.wake)
    submit = Submit(deliver, RateBook(settings.send_per_minute, settings.send_burst), desk, clock, current)
    return Mail(shares, sending, queue, submit, open_receive(ground, gatherer, parcels, queue, reporter, push.wake, stack))


def _courier(ground: Ground) -> RelayCourier:
    names, current = ground.names, ground.current
    return RelayCourier(names.resolver, names.peers, ground.clock, ground.identity.domain, lambda: own_addresses(current().bind))


@dataclass(frozen=True, slots=True)
class Boxes:
    folders: Folders
    mailboxes: Mailboxes
    appender: Appender


def open_boxes(ground: Ground, mail: Mail, stack: AsyncExitStack) -> Boxes:
    store, bus, current = ground.store, ground.bus, ground.current
    folders = Folders(store, bus, current)
    mailboxes = Mailboxes(store, bus, ground.desk, folders, mail.shares, ground.entropy, current, ground.journal.bug)
    stack.push_async_callback(mailboxes.searches.close)
    return Boxes(folders, mailboxes, Appender(mailboxes, mail.submit, ground.calendar, ground.clock))
