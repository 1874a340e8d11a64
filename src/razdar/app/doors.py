# SPDX-License-Identifier: AGPL-3.0-or-later
"""What answers on which port, and what the pages may ask: parts become protocol factories and a `Site`."""

from dataclasses import replace
from functools import partial

from razdar.app.limits import connection_limits, imap_limits, smtp_limits
from razdar.app.parts import Parts
from razdar.policy.metadata import server_metadata
from razdar.servers.alpn import AlpnRouter
from razdar.servers.http import HttpEdge
from razdar.servers.imap.connection import ImapConnection
from razdar.servers.imap.desk import ImapDesk
from razdar.servers.listening import Door
from razdar.servers.memory import MemoryBudget
from razdar.servers.peer_slots import PeerSlots
from razdar.servers.reach import Reach
from razdar.servers.registry import Registry
from razdar.servers.smtp import SmtpConnection, SmtpDesk
from razdar.servers.smtp_relay import RelayConnection, RelayDesk
from razdar.web.site import Site
from razdar.wire.imap.session import Capabilities

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
    tls, line, patience = parts.ground.tls, (registry, parts.ground.journal), connection_limits(parts.ground.current())
    submission = partial(SmtpConnection, _smtp_desk(parts), *line, tls.smtp, patience)
    relay = partial(RelayConnection, peers, *line, tls.smtp, replace(patience, idle_s=min(patience.idle_s, PEER_IDLE_S)))
    imap = partial(ImapConnection, _imap_desk(parts, reach), *line, tls.imap, patience)
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


def _smtp_desk(parts: Parts) -> SmtpDesk:
    ground, settings = parts.ground, parts.ground.current()
    wait_s = float(settings.memory_wait_seconds)
    return SmtpDesk(parts.people.accounts, parts.mail.submit, ground.identity.domain, smtp_limits(settings), wait_s)


def _imap_desk(parts: Parts, reach: Reach) -> ImapDesk:
    ground, boxes = parts.ground, parts.boxes

    def metadata() -> dict[str, bytes]:
        entries = server_metadata(ground.current(), parts.apps.files(), reach.page())
        return {name: value.encode() for name, value in entries.items()}

    return ImapDesk(
        parts.people.accounts,
        boxes.folders,
        boxes.mailboxes,
        boxes.appender,
        parts.push.tokens,
        ground.clock,
        ground.current,
        metadata,
        imap_limits(ground.current()),
        CAPABILITIES,
    )


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
