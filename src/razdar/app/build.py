# SPDX-License-Identifier: AGPL-3.0-or-later
"""Builds every part of the relay, in the order in which they need each other, and says how each is closed again."""

import secrets
from contextlib import AsyncExitStack
from typing import cast

from razdar.adapters.addresses import own_addresses
from razdar.adapters.apps import AppShelf
from razdar.adapters.bus import LocalBus
from razdar.adapters.clock import SystemClock
from razdar.adapters.courier import RelayCourier
from razdar.adapters.crew import ThreadCrew
from razdar.adapters.files import private_folder
from razdar.adapters.identity import open_identity
from razdar.adapters.push import HttpPushGate
from razdar.adapters.ready import remove_ready
from razdar.adapters.sqlite import open_store
from razdar.adapters.tls import open_tls
from razdar.app.desk import open_blocks, open_statistics, woken
from razdar.app.incoming import NotedCourier, open_receive
from razdar.app.names import open_names
from razdar.app.parts import Current, Parts
from razdar.app.queue import open_queue
from razdar.config import RunConfig
from razdar.policy.quota import ShareBook
from razdar.policy.rate import RateBook
from razdar.ports.store import Store
from razdar.servers.journal import Journal
from razdar.services.accounts import Accounts
from razdar.services.append import Appender
from razdar.services.audience import Gatherer
from razdar.services.calendar import Calendar
from razdar.services.confirmations import Sending
from razdar.services.deliver import Deliver
from razdar.services.directory import Directory
from razdar.services.folders import Folders
from razdar.services.guesses import Guesses
from razdar.services.invites import Invites
from razdar.services.leaving import Leaving
from razdar.services.mailboxes import Mailboxes
from razdar.services.newcomers import Newcomers
from razdar.services.parcels import Parcels
from razdar.services.signups import SignUps, Tickets
from razdar.services.submit import Submit
from razdar.services.tokens import Tokens
from razdar.vault.cache import BOOT_KEY_BYTES, AddressCache, LoginCache
from razdar.workers.push import Pusher


async def build(config: RunConfig, stack: AsyncExitStack) -> Parts:
    current, clock, bus, journal = Current(config), SystemClock(), LocalBus(), Journal()
    settings = config.settings
    private_folder(config.data)
    disk = await open_store(
        config.data,
        reserve_bytes=settings.reserve_bytes,
        wal_bytes=settings.wal_bytes,
        waiting_bytes=settings.store_waiting_bytes,
    )
    stack.push_async_callback(disk.close)
    store = cast("Store", Newcomers(disk, bus, settings.newcomers, secrets.token_bytes))
    # Only now, because the store's lock says that no other relay uses these keys.
    identity = open_identity(config.data, settings.domain, secrets.token_bytes, change_name=config.change_name)
    remove_ready(config.data)
    names = [identity.domain, *([settings.advertise] if settings.advertise else []), *own_addresses(settings.bind)]
    tls = open_tls(config.data, names, clock.now(), certificate=settings.certificate, key=settings.certificate_key)
    names_of_others = open_names(config, clock, journal)
    stack.push_async_callback(names_of_others.close)
    doorkeeper = ThreadCrew(settings.argon2_at_once, settings.argon2_waiting)
    desk = ThreadCrew(2, settings.connections)  # whoever is in waits for it: each connection does one thing at a time
    stack.callback(doorkeeper.close)
    stack.callback(desk.close)
    boot_key = secrets.token_bytes(BOOT_KEY_BYTES)
    calendar = Calendar(store, clock, await store.day(), await store.minutes(), lambda: current().days_stand_still)
    directory = Directory(doorkeeper, identity.id_key, AddressCache(boot_key))
    entropy, domain = secrets.token_bytes, identity.domain
    gate = HttpPushGate(settings.push_url)
    stack.push_async_callback(gate.close)
    pusher = Pusher(store, gate, clock)
    guesses = Guesses(settings.account_failures_per_hour, clock)
    signups, tickets = SignUps(current, clock, entropy, journal.count), Tickets(clock, entropy, domain)
    logins, blocks = LoginCache(boot_key), open_blocks(config.data, directory, bus, domain)
    statistics = open_statistics(config.data, clock, journal)
    stack.push_async_callback(statistics.save)
    accounts = Accounts(
        store, doorkeeper, directory, calendar, bus, entropy, logins, current, domain, guesses, signups.first_login, blocks.is_blocked
    )
    shares = ShareBook()
    lookups = Directory(desk, identity.id_key, directory.cache)
    unknowns = RateBook(settings.unknown_per_minute, settings.unknown_per_minute)
    gatherer = Gatherer(store, lookups, clock, shares, unknowns, current, is_blocked=blocks.is_blocked)
    parcels = Parcels(store, bus, desk, clock, entropy, calendar, current)
    sending = Sending(clock, current)
    courier = RelayCourier(names_of_others.resolver, names_of_others.peers, clock, domain, lambda: own_addresses(current().bind))
    queue = await open_queue(
        identity=identity,
        store=store,
        bus=bus,
        clock=clock,
        calendar=calendar,
        parcels=parcels,
        desk=desk,
        journal=journal,
        resolver=names_of_others.resolver,
        peers=names_of_others.peers,
        courier=NotedCourier(courier, sending),
        unknowns=unknowns,
        settings=current,
    )
    wake = woken(pusher, journal)
    deliver = Deliver(store, gatherer, parcels, queue.outbound, clock, entropy, shares, current, domain, wake)
    receive = open_receive(
        stack=stack,
        names=names_of_others,
        queue=queue,
        gatherer=gatherer,
        parcels=parcels,
        desk=desk,
        clock=clock,
        entropy=entropy,
        settings=current,
        domain=domain,
        wake=wake,
    )
    submit = Submit(deliver, RateBook(settings.send_per_minute, settings.send_burst), desk, clock, current)
    folders = Folders(store, bus, current)
    mailboxes = Mailboxes(store, bus, desk, folders, shares, entropy, current, journal.bug)
    stack.push_async_callback(mailboxes.searches.close)
    return Parts(
        current=current,
        identity=identity,
        tls=tls,
        names=names_of_others,
        store=store,
        bus=bus,
        journal=journal,
        calendar=calendar,
        shares=shares,
        statistics=statistics,
        blocks=blocks,
        accounts=accounts,
        invites=Invites(store, accounts, directory, calendar, entropy, current, domain, tickets, signups),
        signups=signups,
        tickets=tickets,
        leaving=Leaving(accounts, signups, entropy),
        apps=AppShelf(config.data),
        folders=folders,
        mailboxes=mailboxes,
        appender=Appender(mailboxes, submit, calendar, clock),
        submit=submit,
        tokens=Tokens(store, calendar, current, pusher.token_added),
        pusher=pusher,
        queue=queue,
        receive=receive,
        sending=sending,
        clock=clock,
        queues={
            "store": lambda: disk.pending,
            "logins": lambda: doorkeeper.pending,
            "desk": lambda: desk.pending,
            "push": lambda: pusher.pending,
            "relays": lambda: queue.outgoing.pending,
        },
    )
