# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every setting of a relay: its type, its default, the values it may have and why the default is what it is.

This table is the single source: the TOML file, `--set`, `./razdar config`, the pages and docs/configuration.md are made from it. Times
are in days or seconds and sizes in bytes, as the name says. Reading files and the command line happens in config.py; the reasons
in Persian stand in settings_fa.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict


def _setting(
    default: Any,
    reason: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
    is_limit: bool = False,
) -> Any:
    """`live`: a reload (SIGHUP) puts it in force."""
    known = {"reason": reason, "low": low, "high": high, "choices": choices, "is_live": live, "is_limit": is_limit}
    return field(default=default, metadata=known)


def _limit(default: Any, reason: str, *, low: float, high: float | None = None, live: bool = False) -> Any:
    """A setting that bounds what a peer may do: docs/limits.md says what it hears then, and a test hits it."""
    return _setting(default, reason, low=low, high=high, live=live, is_limit=True)


class HeaderBounds(TypedDict):
    """How much of a header is read, as everything that reads one takes it."""

    header_bytes: int
    header_fields: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An immutable set of values; a reload makes a new one."""

    # who we are
    domain: str = _setting(
        "", "empty: a name for life made from the relay's own key, <8 characters>.razdar.alt, which needs no DNS (RFC 9476)"
    )
    operator: str = _setting("", "who runs this relay, shown to people; empty: not told", live=True)
    contact: str = _setting("", "how to reach the operator: a mailto: or https: link shown to people; empty: not told", live=True)

    # where we listen
    bind: tuple[str, ...] = _setting(("::", "0.0.0.0"), "every address of the machine, IPv6 and IPv4, so that a phone in the room finds it")  # noqa: S104
    ports: str = _setting(
        "high", "unprivileged ports, so that no root is needed; `standard` is 25 80 143 443 465 587 993, a number moves the high layout"
    )
    certificate: str = _setting("", "PEM file with the certificate chain; empty: a self-signed one is made in the data folder")
    certificate_key: str = _setting("", "PEM file with the certificate's private key")
    advertise: str = _setting(
        "",
        "host name or address that links and codes carry; empty: the domain if a certificate is given for it, else this machine's address",
        live=True,
    )

    # accounts
    registration: str = _setting(
        "open",
        "`open`: the first login makes the account, as the apps expect; `invite`: only a claimed invite does; `closed`: nobody",
        choices=("open", "invite", "closed"),
        live=True,
    )
    local_part_min: int = _setting(9, "characters; shorter names could be tried out one after the other", low=1, high=64, live=True)
    local_part_max: int = _setting(64, "characters, RFC 5321 section 4.5.3.1.1", low=1, high=64, live=True)
    password_min: int = _setting(9, "characters; the apps make 22 of them", low=1, high=256, live=True)
    account_days: int = _setting(
        90, "relay days without a login after which an account goes, as on other chatmail relays", low=1, high=36_500, live=True
    )

    signups_per_hour: int = _limit(
        3_000, "people who join without an invitation, so many at once too: a school on its first morning, three times", low=1, live=True
    )
    signup_pause_minutes: int = _limit(
        30,
        "when more come, so long only invitations make accounts; a flood costs its sender more than waiting costs people",
        low=1,
        high=1_440,
        live=True,
    )

    # messages
    message_bytes: int = _limit(31_457_280, "30 MiB, the limit of other chatmail relays", low=1_024, high=1_073_741_824)
    recipients: int = _limit(1000, "per message; a client that knows no better number splits at 50", low=1, high=100_000)
    keep_days: int = _setting(20, "relay days that a waiting message is kept, as on other chatmail relays", low=1, high=3_650, live=True)
    keep_large_days: int = _setting(7, "relay days for a large message; disk space is what runs out first", low=1, high=3_650, live=True)
    days_stand_still: bool = _setting(
        False,
        "true during a cut: nothing gets older, whatever waits stays until people can fetch it again; takes effect at a reload",
        live=True,
    )
    large_bytes: int = _setting(200_000, "from this size on a message counts as large", low=1, live=True)
    quota_bytes: int = _limit(500_000_000, "per account, as on other chatmail relays", low=1_024, live=True)
    sender_share: float = _limit(
        0.2, "part of a mailbox that one sender may fill, so that nobody can stuff another person's mailbox", low=0.001, high=1, live=True
    )
    peer_share: float = _limit(
        0.5,
        "part of a mailbox that all senders of one other relay may fill together; addresses cost nothing there",
        low=0.001,
        high=1,
        live=True,
    )

    # other relays
    federation: bool = _setting(True, "mail goes to other relays and comes from them; false: this relay speaks to no other")
    dns: bool = _setting(True, "names of other relays are looked up; false: only what `./razdar peer add` wrote down or is remembered")
    dns_servers: tuple[str, ...] = _setting((), "whom to ask, addresses with a port if need be; empty: those of this machine")
    queue_known_days: int = _setting(
        60,
        "relay days that mail waits for a relay we have exchanged mail with: the longest cuts lasted weeks",
        low=1,
        high=3_000,
        live=True,
    )
    queue_days: int = _setting(
        5,
        "relay days for one that nobody has heard of yet (RFC 5321 section 4.5.4.1); it may be a slip of the pen",
        low=1,
        high=3_000,
        live=True,
    )
    queue_messages: int = _limit(200_000, "messages that wait for other relays, in all; each takes 5 kB of disk at least", low=1, live=True)
    queue_bytes: int = _limit(4_000_000_000, "their size, in all: the rest of the disk is for people's mailboxes", low=1_048_576, live=True)
    queue_share: float = _limit(
        0.25, "part of both that one account may fill, so that nobody fills the queue alone", low=0.001, high=1, live=True
    )
    queue_relays: int = _limit(10_000, "other relays that are remembered at the same time, each takes 2 kB of disk", low=1, live=True)
    queue_lines: int = _limit(
        200, "connections to other relays at the same time; those that did not answer last time get half of them", low=4, high=10_000
    )

    # limits
    send_per_minute: int = _limit(60, "messages that one account may send a minute, as on other chatmail relays", low=1)
    send_burst: int = _limit(10, "messages that one account may send at once before the rate counts", low=1)
    unknown_per_minute: int = _limit(
        30, "unknown recipient addresses that one account may try a minute; each costs 4 ms of the processor", low=1
    )
    peer_connections: int = _limit(
        20, "of other relays at the same time, from one network: as many as Postfix opens to one destination", low=1, high=10_000
    )
    peer_connections_all: int = _limit(
        1_000, "of other relays in all; one half is kept for networks that have brought good mail before", low=2, high=100_000
    )
    peer_memory_bytes: int = _limit(
        134_217_728,
        "messages of other relays on their way in, in all, beside `memory_bytes`: no place is taken from our people",
        low=1_048_576,
    )
    peer_messages_per_minute: int = _limit(
        3_000, "from one relay, and from one network: 50 a second, a part of what a small machine can take", low=1
    )
    peer_bytes_per_minute: int = _limit(
        314_572_800, "from one relay, and from one network: 40 Mbit/s, after which the relay is asked to come again", low=1_048_576
    )
    peer_unknown_per_minute: int = _limit(
        120, "addresses nobody has that one relay may try a minute; each costs 4 ms of the processor, and so names are tried out", low=1
    )
    peer_unproven_per_minute: int = _limit(
        60, "messages from one network that did not prove where they are from; each may cost a look-up or a call-back", low=1
    )
    argon2_at_once: int = _limit(2, "passwords checked at the same time: one per core of a small machine", low=1, high=256)
    argon2_waiting: int = _limit(
        200, "logins that may wait for that; networks take turns, and one too many of the busiest is asked to come again", low=1
    )
    login_failures: int = _limit(10, "wrong passwords on one connection before it is closed", low=1)
    account_failures_per_hour: int = _limit(
        60, "wrong passwords for one account from one network; a device that was here before is never slowed", low=1
    )
    newcomers: int = _limit(
        10_000, "accounts kept in memory until their first use, 1 kB each, so that a flood of log-ins leaves nothing on disk", low=1
    )
    connections: int = _limit(20_000, "in all; a small machine's memory holds so many", low=1)
    stranger_share: float = _limit(
        0.25, "part of all connections on which nobody has logged in yet; the rest is kept for those who have", low=0.001, high=1
    )
    strangers_per_network: int = _limit(
        256, "connections of one network before login; a school behind one address logs in 100 phones a second", low=1
    )
    connections_per_account: int = _limit(64, "when there are more the oldest goes; five devices on three networks have 30", low=2)
    http_connections: int = _limit(1_000, "visits of the pages at the same time; a browser opens up to 6 connections", low=1)
    http_per_network: int = _limit(100, "of them from one network: a class that scans the code at the same moment", low=1)
    memory_bytes: int = _limit(
        268_435_456,
        "messages on their way in, in all; for a moment each takes up to four times as much. Large ones get three quarters of it. "
        "Sending to other relays takes half as much besides",
        low=1_048_576,
    )
    idle_seconds: int = _limit(
        1_800, "a connection that says nothing for so long is closed (RFC 9051 section 5.4 asks for 30 minutes)", low=1
    )
    login_seconds: int = _limit(60, "time to log in, half a TLS handshake included", low=1)
    outgoing_bytes: int = _limit(
        268_435_456,
        "large messages on their way out, in all; a phone on a slow line takes an hour for one. The account that holds most gives way",
        low=1_048_576,
    )
    imap_line_bytes: int = _limit(65_536, "longest IMAP command without its literals; RFC 7162 section 4 asks for 8192", low=8_192)
    smtp_line_bytes: int = _limit(4_096, "longest SMTP command; RFC 5321 section 4.5.3.1.4 asks for 512, SASL for more", low=512)
    imap_literal_bytes: int = _limit(65_536, "all literals of one IMAP command, but for the message of an APPEND", low=4_096)
    header_bytes: int = _limit(131_072, "all header fields of one message", low=4_096)
    header_fields: int = _limit(1_000, "fields in the header of one message; one that crossed ten servers has 100", low=20)
    discard_bytes: int = _limit(
        31_457_280, "what is read of a message above the limit, so that its sender hears why; then the connection is closed", low=0
    )
    errors: int = _limit(20, "commands on one connection that no honest client sends, before it is closed", low=1)
    commands_before_login: int = _limit(50, "on one connection; the apps need five", low=5)
    smtp_idle_commands: int = _limit(200, "SMTP commands that bring no message nearer, since the last message", low=10)
    connection_bytes: int = _limit(
        262_144, "what waits for one connection in each direction; more commands wait with the peer until it has read", low=65_536
    )
    linger_seconds: int = _limit(
        5, "until a last word has left, then the line is cut; 1 kB in a second is what a throttled line carries", low=1, high=60
    )
    rate_wait_seconds: int = _limit(
        40,
        "whoever sends too fast waits so long before a refusal, which costs an app one of six tries; apps wait 60 s",
        low=0,
        high=3_600,
        live=True,
    )
    memory_wait_seconds: int = _limit(
        15, "a message waits so long for memory; together with the wait for the rate it is below the 60 s that apps wait", low=0, high=3_600
    )
    store_waiting_bytes: int = _limit(
        67_108_864,
        "messages that wait for the disk, in all; a second's work of a slow disk. Then senders are asked to come again",
        low=1_048_576,
    )
    imap_nesting: int = _limit(20, "levels of brackets in one SEARCH and of parts in one FETCH; mail programs use three", low=3, high=50)
    imap_search_keys: int = _limit(500, "keys of one SEARCH; each may be tried on every message", low=10)
    imap_search_texts: int = _limit(8, "texts that one SEARCH looks for inside messages: 30 ms each in a message of 30 MB", low=1)
    imap_fetch_items: int = _limit(40, "different things asked for in one FETCH; each may stand for the whole message", low=10)
    imap_ranges: int = _limit(20_000, "ranges in one set of messages; a line of 64 KiB cannot usefully hold more", low=100)
    folders: int = _limit(100, "in one account, INBOX included; their sealed names cost 50 µs each at every LIST", low=2, live=True)
    devices: int = _limit(
        20, "of one account that are woken up; the one set longest ago gives way. Each costs a wake-up per message", low=1, live=True
    )
    http_head_bytes: int = _limit(16_384, "head of one request; browsers send about 1 kB", low=2_048)
    http_body_bytes: int = _limit(65_536, "largest form; ours hold an address and a password", low=4_096)
    http_request_seconds: int = _limit(20, "until a request is here as a whole: its head takes 1 s at 1 kB/s", low=1)
    http_idle_seconds: int = _limit(15, "a browser's connection waits so long for the next request", low=1)
    http_linger_seconds: int = _limit(45, "an answer may take so long to leave: the font has 23 kB, a throttled line carries 1 kB/s", low=1)

    # store
    reserve_bytes: int = _setting(16_777_216, "disk space held back, so that deleting works when the disk is full", low=0)
    wal_bytes: int = _setting(
        8_388_608, "size of the write-ahead log at which it is emptied at once; it is emptied anyway when the relay pauses", low=65_536
    )

    # other
    push: bool = _setting(True, "sends opaque wake-up tokens to notifications.delta.chat; harmless when that cannot be reached")
    push_url: str = _setting("https://notifications.delta.chat/notify", "where the official apps expect wake-ups from")
    turn: str = _setting("", "metadata for calls (host:port:expiry:password), handed to clients as it stands; empty: none", live=True)
    iroh_relay: str = _setting("", "URL of an iroh relay for apps in chats; empty: none", live=True)
    metrics_port: int = _setting(
        0,
        "totals for Prometheus, on this machine's loopback address only; 0: off, because they are a diary of the relay",
        low=0,
        high=65_535,
    )
    log_level: str = _setting(
        "info", "debug, info, warning or error; no level names a person", choices=("debug", "info", "warning", "error")
    )

    @property
    def header_bounds(self) -> HeaderBounds:
        return {"header_bytes": self.header_bytes, "header_fields": self.header_fields}


NEEDS_RESTART = frozenset(each.name for each in fields(Settings) if not each.metadata["is_live"])
"""What a reload (SIGHUP) does not change: addresses end in the first, the others are built into parts that live as long as the relay."""

_HIGH = {"smtp": 8025, "http": 8080, "imap": 8143, "https": 8443, "submissions": 8465, "submission": 8587, "imaps": 8993}
_STANDARD = {"smtp": 25, "http": 80, "imap": 143, "https": 443, "submissions": 465, "submission": 587, "imaps": 993}


def port_layout(ports: str) -> dict[str, int]:
    """The port of each listener, by name. `high`, `standard`, or a number: the high layout moved so that HTTPS is that number.

    ValueError for anything else, and for a number that moves a port out of 1 to 65535.
    """
    if ports in ("high", "standard"):
        return dict(_HIGH if ports == "high" else _STANDARD)
    distance = int(ports) - _HIGH["https"]
    layout = {name: port + distance for name, port in _HIGH.items()}
    if min(layout.values()) < 1 or max(layout.values()) > 65_535:
        raise ValueError(ports)
    return layout


def limits() -> tuple[str, ...]:
    """The names of the settings that bound what a peer may do."""
    return tuple(each.name for each in fields(Settings) if each.metadata["is_limit"])


def default_reasons() -> Mapping[str, str]:
    """The reason of each default, in English, by the setting's name."""
    return {each.name: each.metadata["reason"] for each in fields(Settings)}
