# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the operator allows, in the words of each protocol: the settings become the limits that engines and connections are made with."""

from razdar.servers.admission import AdmissionLimits
from razdar.servers.http import HttpLimits
from razdar.servers.http_head import HeadLimits
from razdar.servers.registry import ConnectionLimits
from razdar.settings import Settings
from razdar.wire.imap.grammar import GrammarLimits
from razdar.wire.imap.session import ImapLimits
from razdar.wire.smtp.session import SmtpLimits


def connection_limits(settings: Settings) -> ConnectionLimits:
    return ConnectionLimits(
        login_s=float(settings.login_seconds),
        idle_s=float(settings.idle_seconds),
        linger_s=float(settings.linger_seconds),
        ahead_bytes=settings.connection_bytes,
    )


def imap_limits(settings: Settings) -> ImapLimits:
    return ImapLimits(
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
