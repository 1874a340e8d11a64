# SPDX-License-Identifier: AGPL-3.0-or-later
"""What answers on which port, and what the pages may ask: parts become protocol factories and a `Site`."""

from dataclasses import replace
from functools import partial

from razdar.app.parts import Parts
from razdar.policy.metadata import server_metadata
from razdar.servers.admission import AdmissionLimits
from razdar.servers.alpn import AlpnRouter
from razdar.servers.http import HttpEdge, HttpLimits
from razdar.servers.http_head import HeadLimits
from razdar.servers.imap.connection import ImapConnection
from razdar.servers.imap.desk import ImapDesk
from razdar.servers.listening import Door
from razdar.servers.memory import MemoryBudget
from razdar.servers.peer_slots import PeerSlots
from razdar.servers.reach import Reach
from razdar.servers.registry import ConnectionLimits, Registry
from razdar.servers.smtp import SmtpConnection, SmtpDesk
from razdar.servers.smtp_relay import RelayConnection, RelayDesk
from razdar.settings import Settings
from razdar.web.site import Site
from razdar.wire.imap.grammar import GrammarLimits
from razdar.wire.imap.session import Capabilities, ImapLimits
from razdar.wire.smtp.session import SmtpLimits

CAPABILITIES = Capabilities(
    after_login=(
        *("IMAP4rev1", "LITERAL-", "SASL-IR", "ID", "ENABLE", "NAMESPACE", "IDLE", "MOVE", "UIDPLUS", "UNSELECT", "CHILDREN"),
        *("QUOTA", "QUOTA=RES-STORAGE", "METADATA", "LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE", "SPECIAL-USE", "ESEARCH"),
        *("XCHATMAIL", "XDELTAPUSH"),
    )
)
"""COMPRESS=DEFLATE is left out: clients switch it on whenever it is announced, and it would double the memory of an idle connection."""


PEER_IDLE_S = 300.0
"""RFC 5321 section 4.5.3.2.7: a server waits five minutes for the next command of another relay."""


def doors(parts: Parts, registry: Registry, edge: HttpEdge, reach: Reach, peers: RelayDesk) -> dict[str, Door]:
    """What answers on which port; names as in `settings.port_layout`."""
    ground, people = parts.ground, parts.people
    settings, tls = ground.current(), ground.tls
    line = (registry, ground.journal)
    smtp_desk = SmtpDesk(
        people.accounts,
        parts.mail.submit,
        ground.identity.domain,
        smtp_limits(settings),
        float(settings.memory_wait_seconds),
    )
    imap_limits = ImapLimits(
        line_bytes=settings.imap_line_bytes,
        literal_bytes=settings.imap_literal_bytes,
        message_bytes=settings.message_bytes,
        login_failures=settings.login_failures,
        errors=settings.errors,
        commands_before_login=settings.commands_before_login,
        grammar=GrammarLimits(
            nesting=settings.imap_nesting,
            search_keys=settings.imap_search_keys,
            search_texts=settings.imap_search_texts,
            fetch_items=settings.imap_fetch_items,
            ranges=settings.imap_ranges,
        ),
    )
    imap_desk = ImapDesk(
        people.accounts,
        parts.boxes.folders,
        parts.boxes.mailboxes,
        parts.boxes.appender,
        parts.push.tokens,
        ground.clock,
        ground.current,
        lambda: {name: value.encode() for name, value in server_metadata(ground.current(), parts.apps.files(), reach.page()).items()},
        imap_limits,
        CAPABILITIES,
    )
    patience = ConnectionLimits(
        login_s=float(settings.login_seconds),
        idle_s=float(settings.idle_seconds),
        linger_s=float(settings.linger_seconds),
        ahead_bytes=settings.connection_bytes,
    )
    submission = partial(SmtpConnection, smtp_desk, *line, tls.smtp, patience)
    relay = partial(RelayConnection, peers, *line, tls.smtp, replace(patience, idle_s=min(patience.idle_s, PEER_IDLE_S)))
    imap = partial(ImapConnection, imap_desk, *line, tls.imap, patience)
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


def relay_desk(parts: Parts) -> RelayDesk:
    """What both doors for other relays share."""
    ground = parts.ground
    settings = ground.current()
    return RelayDesk(
        parts.mail.receive,
        PeerSlots(settings.peer_connections, settings.peer_connections_all, ground.journal.count),
        MemoryBudget(settings.peer_memory_bytes),
        ground.identity.domain,
        smtp_limits(settings),
        float(settings.memory_wait_seconds),
    )


def smtp_limits(settings: Settings) -> SmtpLimits:
    return SmtpLimits(
        line_bytes=settings.smtp_line_bytes,
        message_bytes=settings.message_bytes,
        recipients=settings.recipients,
        login_failures=settings.login_failures,
        errors=settings.errors,
        discard_bytes=settings.discard_bytes,
        commands_before_login=settings.commands_before_login,
        idle_commands=settings.smtp_idle_commands,
    )


def http_limits(settings: Settings) -> HttpLimits:
    return HttpLimits(
        head=HeadLimits(head_bytes=settings.http_head_bytes),
        body_bytes=settings.http_body_bytes,
        request_s=settings.http_request_seconds,
        keep_alive_s=settings.http_idle_seconds,
        linger_s=settings.http_linger_seconds,
        connections=settings.http_connections,
    )


def admission_limits(settings: Settings, connections: int) -> AdmissionLimits:
    return AdmissionLimits(
        connections=connections,
        strangers=max(1, int(connections * settings.stranger_share)),
        strangers_per_network=settings.strangers_per_network,
        visitors=settings.http_connections,
        visitors_per_network=settings.http_per_network,
        per_account=settings.connections_per_account,
    )


def site(parts: Parts, reach: Reach) -> Site:
    ground, people = parts.ground, parts.people
    return Site(
        settings=ground.current,
        domain=reach.domain,
        ports=reach.ports,
        is_self_signed=reach.is_self_signed,
        fingerprint=lambda: ground.tls.fingerprint,
        server_for=lambda address: reach.server(reach.host_at(address)),
        new_credentials=people.invites.offer,
        fresh_ticket=people.tickets.fresh,
        credentials_for=people.invites.offer_again,
        may_join=people.signups.is_open,
        invite_uses=people.invites.uses,
        claim_invite=people.invites.claim,
        new_password=people.leaving.take_new_password,
        leave=people.leaving.leave,
        apps=parts.apps.files,
        app_path=parts.apps.path,
        report=ground.journal.bug,
        now=ground.clock.now,
    )
