"""The composition root: the only file that sees every part. It builds them, opens the doors, and closes everything in order at the end."""

import asyncio
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from razdar import __version__
from razdar.adapters.addresses import own_addresses
from razdar.adapters.bus import LocalBus
from razdar.adapters.clock import SystemClock
from razdar.adapters.crew import ThreadCrew
from razdar.adapters.files import private_folder
from razdar.adapters.identity import Identity, open_identity
from razdar.adapters.log import start_logging
from razdar.adapters.process import allow_many_files, keep_memory_private, memory_bytes
from razdar.adapters.push import HttpPushGate
from razdar.adapters.ready import Ready, remove_ready, write_ready
from razdar.adapters.sqlite import StoreInUse, StoreTooNew, open_store
from razdar.adapters.supervisor import Supervisor
from razdar.adapters.tls import TlsMaterial, open_tls
from razdar.config import RunConfig
from razdar.model.trouble import Trouble, data_in_use, data_newer, disk_full
from razdar.policy.metadata import server_metadata
from razdar.policy.quota import ShareBook
from razdar.policy.rate import RateBook
from razdar.ports.store import Store, StoreUnavailable
from razdar.servers.admission import Admission, AdmissionLimits
from razdar.servers.alpn import AlpnRouter
from razdar.servers.connection import Registry
from razdar.servers.control import ControlServer, control_path
from razdar.servers.http import HttpEdge, HttpLimits
from razdar.servers.imap.connection import ImapConnection
from razdar.servers.imap.desk import ImapDesk
from razdar.servers.journal import Journal
from razdar.servers.listening import HANDSHAKE_S, Door, OpenDoor, listen
from razdar.servers.memory import MemoryBudget, Transfers
from razdar.servers.metrics import MetricsServer, Readings
from razdar.servers.operations import Operations
from razdar.servers.reach import Reach
from razdar.servers.smtp import SmtpConnection, SmtpDesk
from razdar.services.accounts import Accounts
from razdar.services.append import Appender
from razdar.services.calendar import Calendar
from razdar.services.deliver import Deliver
from razdar.services.directory import Directory
from razdar.services.folders import Folders
from razdar.services.guesses import Guesses
from razdar.services.invites import Invites
from razdar.services.mailboxes import Mailboxes
from razdar.services.newcomers import Newcomers
from razdar.services.submit import Submit
from razdar.services.tokens import Tokens
from razdar.settings import Settings, port_layout
from razdar.vault.cache import BOOT_KEY_BYTES, AddressCache, LoginCache
from razdar.web.app import make_app
from razdar.web.site import Site
from razdar.wire.imap.session import Capabilities, ImapLimits
from razdar.wire.smtp.session import Role, SmtpLimits
from razdar.workers.keeper import Keeper
from razdar.workers.push import Pusher

CAPABILITIES = Capabilities(
    after_login=(
        *("IMAP4rev1", "LITERAL-", "SASL-IR", "ID", "ENABLE", "NAMESPACE", "IDLE", "MOVE", "UIDPLUS", "UNSELECT", "CHILDREN"),
        *("QUOTA", "QUOTA=RES-STORAGE", "METADATA", "LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE", "SPECIAL-USE", "ESEARCH"),
        *("XCHATMAIL", "XDELTAPUSH"),
    )
)
"""COMPRESS=DEFLATE is left out: clients switch it on whenever it is announced, and it would double the memory of an idle connection."""
GOODBYE_S = 2.0
FILES_FOR_OTHERS = 1_200
"""Open files that are not people's connections: visits of pages (servers/http.py), ports, the store, handshakes under way."""
SPACE_TO_START_BYTES = 1_048_576
"""A failure to start with less than this is the full disk's."""


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
    store: Store
    bus: LocalBus
    journal: Journal
    calendar: Calendar
    shares: ShareBook
    accounts: Accounts
    invites: Invites
    folders: Folders
    mailboxes: Mailboxes
    appender: Appender
    submit: Submit
    tokens: Tokens
    pusher: Pusher
    clock: SystemClock
    queues: Mapping[str, Callable[[], int]]
    """How many jobs wait, by the queue's name."""


async def serve(config: RunConfig, on_ready: Callable[[Ready], None]) -> None:
    """Runs until SIGTERM or SIGINT. Raises `Trouble` if it cannot start; then nothing is left open."""
    keep_memory_private()
    start_logging(config.settings.log_level)
    with _in_words(config.data):
        async with AsyncExitStack() as stack:
            parts = await _build(config, stack)
            await _run(parts, stack, on_ready)


@contextmanager
def _in_words(data: Path) -> Iterator[None]:
    """What the state of the data folder or its disk stopped becomes a sentence that says what to do."""
    try:
        yield
    except StoreInUse as error:
        raise data_in_use(data) from error
    except StoreTooNew as error:
        raise data_newer(data) from error
    except (OSError, StoreUnavailable) as error:
        room = shutil.disk_usage(data).free
        if room >= SPACE_TO_START_BYTES:
            raise
        raise disk_full(data) from error


# building


async def _build(config: RunConfig, stack: AsyncExitStack) -> Parts:
    current, clock, bus, journal = Current(config), SystemClock(), LocalBus(), Journal()
    settings = config.settings
    private_folder(config.data)
    disk = await open_store(config.data, reserve_bytes=settings.reserve_bytes, wal_bytes=settings.wal_bytes)
    stack.push_async_callback(disk.close)
    store = cast("Store", Newcomers(disk, bus, settings.newcomers, secrets.token_bytes))
    # Only now, because the store's lock says that no other relay uses these keys.
    identity = open_identity(config.data, settings.domain, secrets.token_bytes, change_name=config.change_name)
    remove_ready(config.data)
    names = [identity.domain, *([settings.advertise] if settings.advertise else []), *own_addresses(settings.bind)]
    tls = open_tls(config.data, names, clock.now(), certificate=settings.certificate, key=settings.certificate_key)
    doorkeeper = ThreadCrew(settings.argon2_at_once, settings.argon2_waiting)
    desk = ThreadCrew(2, settings.argon2_waiting)
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
    accounts = Accounts(store, doorkeeper, directory, calendar, bus, entropy, LoginCache(boot_key), current, domain, guesses)
    shares = ShareBook()
    lookups = Directory(desk, identity.id_key, directory.cache)
    unknowns = RateBook(settings.unknown_per_minute, settings.unknown_per_minute)
    deliver = Deliver(store, lookups, calendar, bus, desk, clock, entropy, shares, unknowns, current, domain, pusher.wake)
    submit = Submit(deliver, RateBook(settings.send_per_minute, settings.send_burst), desk, clock, current)
    folders = Folders(store, bus)
    mailboxes = Mailboxes(store, bus, desk, folders, shares, entropy, current)
    return Parts(
        current=current,
        identity=identity,
        tls=tls,
        store=store,
        bus=bus,
        journal=journal,
        calendar=calendar,
        shares=shares,
        accounts=accounts,
        invites=Invites(store, accounts, directory, calendar, entropy, current, domain),
        folders=folders,
        mailboxes=mailboxes,
        appender=Appender(mailboxes, submit, calendar, clock),
        submit=submit,
        tokens=Tokens(store, calendar, pusher.token_added),
        pusher=pusher,
        clock=clock,
        queues={
            "store": lambda: disk.pending,
            "logins": lambda: doorkeeper.pending,
            "desk": lambda: desk.pending,
            "push": lambda: pusher.pending,
        },
    )


# opening, running, closing


async def _run(parts: Parts, stack: AsyncExitStack, on_ready: Callable[[Ready], None]) -> None:
    settings = parts.current()
    ports = port_layout(settings.ports)
    files = allow_many_files()
    registry = Registry(
        min(settings.connections, files - min(FILES_FOR_OTHERS, files // 2)),
        MemoryBudget(settings.memory_bytes),
        Transfers(settings.outgoing_bytes),
    )
    admission = Admission(
        _admission_limits(settings, registry.limit), secrets.token_bytes(BOOT_KEY_BYTES), parts.clock.monotonic, parts.journal.count
    )
    reach = Reach(parts.identity.domain, ports, parts.current, lambda: parts.tls.self_signed, own_addresses)
    edge = HttpEdge(make_app(_site(parts, reach)), HttpLimits(connections=settings.http_connections), parts.journal)
    handshake_s = min(HANDSHAKE_S, float(settings.login_seconds))
    servers, listeners = await listen(_doors(parts, registry, edge), ports, settings.bind, handshake_s, admission)
    stack.callback(edge.close)
    stack.push_async_callback(_close, servers, registry)
    reload_all = partial(_reload_all, parts)
    operations = Operations(reach, parts.invites, parts.store, parts.calendar, registry, parts.journal, reload_all)
    private_folder(control_path(parts.current.config.data).parent)
    control = ControlServer(control_path(parts.current.config.data), operations.handlers(), parts.journal)
    await control.start()
    stack.push_async_callback(control.close)
    if settings.metrics_port:
        metrics = MetricsServer(partial(_readings, parts, registry), parts.journal)
        await metrics.start(settings.metrics_port)
        stack.callback(metrics.close)
    ready = Ready(
        pid=os.getpid(),
        domain=parts.identity.domain,
        version=__version__,
        listeners=listeners,
        page=reach.page(),
        fingerprint=parts.tls.fingerprint if parts.tls.self_signed else "",
        data=parts.current.config.data,
    )
    stopped = _listen_to_signals(parts)  # before anybody can read that the relay is ready
    write_ready(ready)
    stack.callback(remove_ready, parts.current.config.data)
    on_ready(ready)
    supervisor = Supervisor(os.environ)
    supervisor.ready()
    parts.journal.detail("relay.ready", listeners=len(listeners), relay_day=parts.calendar.day)
    await _work_until(stopped, parts, supervisor)
    supervisor.stopping()
    parts.journal.detail("relay.stopping", connections=len(registry.live))


def _admission_limits(settings: Settings, connections: int) -> AdmissionLimits:
    return AdmissionLimits(
        connections=connections,
        strangers=max(1, int(connections * settings.stranger_share)),
        strangers_per_network=settings.strangers_per_network,
        visitors=settings.http_connections,
        visitors_per_network=settings.http_per_network,
        per_account=settings.connections_per_account,
    )


def _listen_to_signals(parts: Parts) -> asyncio.Event:
    """SIGTERM and SIGINT set the event, SIGHUP reloads."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, parts)
    return stopped


async def _work_until(stopped: asyncio.Event, parts: Parts, supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    keeper = Keeper(_chores(parts), parts.journal)
    owned = [loop.create_task(keeper.run()), loop.create_task(supervisor.keep_alive())]
    if parts.current().push:
        owned.append(loop.create_task(parts.pusher.run()))
    await stopped.wait()
    for task in owned:
        task.cancel()
    await asyncio.gather(*owned, return_exceptions=True)


async def _close(servers: list[OpenDoor], registry: Registry) -> None:
    """No new connections; those that live hear a word of farewell and have a moment to go."""
    for server in servers:
        server.close()
    for connection in tuple(registry.live):
        connection.say_goodbye()
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_S):
            await registry.empty()
    for connection in tuple(registry.live):
        connection.abort()


async def _readings(parts: Parts, registry: Registry) -> Readings:
    totals = await parts.store.totals()
    return Readings(
        version=__version__,
        relay_day=parts.calendar.day,
        certificate_days=(int(parts.tls.expires.timestamp()) - parts.clock.now()) // 86_400,
        disk_free_bytes=shutil.disk_usage(parts.current.config.data).free,
        is_disk_full=parts.store.is_full,
        memory_bytes=memory_bytes(),
        store_bytes=totals.disk_bytes,
        accounts=totals.accounts,
        waiting_messages=totals.entries,
        stored_bodies=totals.bodies,
        connections=len(registry.live),
        queues={name: length() for name, length in parts.queues.items()},
        events=dict(parts.journal.counts),
    )


def _reload(parts: Parts) -> None:
    """SIGHUP: configuration and certificate are read again; a mistake in them leaves the old ones in force."""
    try:
        _reload_all(parts)
    except Trouble as trouble:
        parts.journal.note("reload.refused")
        print(trouble.english, file=sys.stderr)  # noqa: T201 - the operator's terminal; names files and settings only
    else:
        parts.journal.note("reload.done")


def _reload_all(parts: Parts) -> None:
    config = parts.current.config.reload()
    parts.tls.reload()  # both or none: a mistake in either leaves both as they are
    parts.current.config = config


def _chores(parts: Parts) -> list[Callable[[], Awaitable[None]]]:
    async def pass_day() -> None:
        if await parts.calendar.tick():
            parts.shares.pass_day(parts.current().keep_days)
            await parts.accounts.prolong_all(parts.bus.watched_accounts())

    async def certificate() -> None:
        if parts.tls.reload_if_changed():
            parts.journal.note("certificate.reloaded")

    return [pass_day, certificate]


# doors


def _doors(parts: Parts, registry: Registry, edge: HttpEdge) -> dict[str, Door]:
    """What answers on which port; names as in `settings.port_layout`."""
    settings, tls = parts.current(), parts.tls
    line = (registry, parts.journal)
    smtp_desk = SmtpDesk(
        parts.accounts,
        parts.submit,
        parts.identity.domain,
        SmtpLimits(
            line_bytes=settings.smtp_line_bytes,
            message_bytes=settings.message_bytes,
            recipients=settings.recipients,
            login_failures=settings.login_failures,
            errors=settings.errors,
            discard_bytes=settings.discard_bytes,
            commands_before_login=settings.commands_before_login,
            idle_commands=settings.smtp_idle_commands,
        ),
    )
    imap_limits = ImapLimits(
        line_bytes=settings.imap_line_bytes,
        literal_bytes=settings.imap_literal_bytes,
        message_bytes=settings.message_bytes,
        login_failures=settings.login_failures,
        errors=settings.errors,
        commands_before_login=settings.commands_before_login,
    )
    imap_desk = ImapDesk(
        parts.accounts,
        parts.folders,
        parts.mailboxes,
        parts.appender,
        parts.tokens,
        parts.clock,
        parts.current,
        lambda: {name: value.encode() for name, value in server_metadata(parts.current()).items()},
        imap_limits,
        CAPABILITIES,
    )
    patience = (float(settings.login_seconds), float(settings.idle_seconds))
    submission = partial(SmtpConnection, smtp_desk, Role.SUBMISSION, *line, tls.smtp, *patience)
    relay = partial(SmtpConnection, smtp_desk, Role.RELAY, *line, tls.smtp, *patience)
    imap = partial(ImapConnection, imap_desk, *line, tls.imap, *patience)
    shared = partial(AlpnRouter, {"imap": imap, "smtp": submission, "http/1.1": edge.protocol_factory})
    return {
        "smtp": Door(relay),
        "http": Door(edge.protocol_factory),
        "imap": Door(imap),
        "https": Door(shared, tls.shared),
        "submissions": Door(submission, tls.smtp),
        "submission": Door(submission),
        "imaps": Door(imap, tls.imap),
    }


# what the pages ask


def _site(parts: Parts, reach: Reach) -> Site:
    return Site(
        settings=parts.current,
        domain=reach.domain,
        ports=reach.ports,
        is_self_signed=reach.is_self_signed,
        fingerprint=lambda: parts.tls.fingerprint,
        server_for=lambda address: reach.server(reach.host_at(address)),
        new_credentials=parts.invites.offer,
        invite_uses=parts.invites.uses,
        claim_invite=parts.invites.claim,
        report=parts.journal.bug,
        now=parts.clock.now,
    )
