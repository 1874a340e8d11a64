"""Every setting of a relay: its type, its default and why the default is what it is.

This table is the single source: the TOML file, `--set`, `./razdar config`, the pages and the documents are made from it. Times are in days
or seconds and sizes in bytes, as the name says. Reading files and the command line happens in config.py.
"""

from dataclasses import dataclass, field
from typing import Any


def _setting(default: Any, reason: str) -> Any:  # noqa: ANN401 - dataclass.field is typed the same way
    return field(default=default, metadata={"reason": reason})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An immutable set of values; a reload makes a new one."""

    # who we are
    domain: str = _setting("", "empty: a name for life made from the relay's own key, <8 characters>.razdar.alt, which needs no DNS (RFC 9476)")
    operator: str = _setting("", "who runs this relay, shown to people; empty: not told")
    contact: str = _setting("", "how to reach the operator: a mailto: or https: link shown to people; empty: not told")

    # where we listen
    bind: tuple[str, ...] = _setting(("::", "0.0.0.0"), "every address of the machine, IPv6 and IPv4, so that a phone in the room finds it")  # noqa: S104
    ports: str = _setting("high", "unprivileged ports, so that no root is needed; `standard` is 25 80 143 443 465 587 993, a number moves the high layout")
    certificate: str = _setting("", "PEM file with the certificate chain; empty: a self-signed one is made in the data folder")
    certificate_key: str = _setting("", "PEM file with the certificate's private key")
    advertise: str = _setting("", "host name or address that links and codes carry; empty: the domain if it has a certificate of its own, else this machine's address")

    # accounts
    registration: str = _setting("open", "`open`: the first login makes the account, as the apps expect; `invite`: only a claimed invite does; `closed`: nobody")
    local_part_min: int = _setting(9, "characters; shorter names could be tried out one after the other")
    local_part_max: int = _setting(64, "characters, RFC 5321 section 4.5.3.1.1")
    password_min: int = _setting(9, "characters; the apps make 22 of them")
    account_days: int = _setting(90, "relay days without a login after which an account goes, as on other chatmail relays")

    # messages
    message_bytes: int = _setting(31_457_280, "30 MiB, the limit of other chatmail relays")
    recipients: int = _setting(1000, "per message; a client that knows no better number splits at 50")
    keep_days: int = _setting(20, "relay days that a waiting message is kept, as on other chatmail relays")
    keep_large_days: int = _setting(7, "relay days for a large message; disk space is what runs out first")
    large_bytes: int = _setting(200_000, "from this size on a message counts as large")
    quota_bytes: int = _setting(500_000_000, "per account, as on other chatmail relays")
    sender_share: float = _setting(0.2, "part of a mailbox that one sender may fill, so that nobody can stuff another person's mailbox")

    # limits
    send_per_minute: int = _setting(60, "messages that one account may send a minute, as on other chatmail relays")
    send_burst: int = _setting(10, "messages that one account may send at once before the rate counts")
    unknown_per_minute: int = _setting(30, "unknown recipient addresses that one account may try a minute; each costs 4 ms of the processor")
    argon2_at_once: int = _setting(2, "passwords checked at the same time: one per core of a small machine")
    argon2_waiting: int = _setting(200, "logins that may wait for that; more are asked to come again")
    login_failures: int = _setting(10, "wrong passwords on one connection before it is closed")
    connections: int = _setting(20_000, "in all; a small machine's memory holds so many")
    idle_seconds: int = _setting(1_800, "a connection that says nothing for so long is closed (RFC 9051 section 5.4 asks for 30 minutes)")
    login_seconds: int = _setting(60, "time to log in, half a TLS handshake included")
    imap_line_bytes: int = _setting(65_536, "longest IMAP command without its literals; RFC 7162 section 4 asks for 8192")
    smtp_line_bytes: int = _setting(4_096, "longest SMTP command; RFC 5321 section 4.5.3.1.4 asks for 512, SASL for more")
    header_bytes: int = _setting(131_072, "all header fields of one message")

    # store
    reserve_bytes: int = _setting(16_777_216, "disk space held back, so that deleting works when the disk is full")
    wal_bytes: int = _setting(8_388_608, "size of the write-ahead log at which it is emptied at once; it is emptied anyway when the relay pauses")

    # other
    push: bool = _setting(True, "sends opaque wake-up tokens to notifications.delta.chat; harmless when that cannot be reached")
    push_url: str = _setting("https://notifications.delta.chat/notify", "where the official apps expect wake-ups from")
    turn: str = _setting("", "metadata for calls (host:port:expiry:password), handed to clients as it stands; empty: none")
    iroh_relay: str = _setting("", "URL of an iroh relay for apps in chats; empty: none")
    log_level: str = _setting("info", "debug, info, warning or error; no level names a person")
