# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a relay with a domain publishes in DNS, and the line that another operator types where there is no DNS.

Pure values, made from the relay's name, addresses and key; checkup/dns_seen.py compares them with what the world sees.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from razdar.adapters.names_file import HTTPS_PORT, SMTP_PORT

SELECTOR = "razdar"
_STRING = 255
"""Longest string of a TXT record (RFC 1035 section 3.3.14)."""
_TTL = 3600


@dataclass(frozen=True, slots=True)
class Record:
    """One record."""

    name: str
    """Without the last dot."""
    kind: str
    value: str
    """As a panel asks for it; a TXT is one string here."""
    is_needed: bool
    """False: other relays do without, large mail providers ask for it."""
    persian: str
    """What it is for, and so what its absence means."""
    english: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the records are made from."""

    domain: str
    addresses: Sequence[str]
    """Where the world reaches the relay."""
    key_record: str
    ports: Mapping[str, int]
    pin: str
    """SHA-256 of the certificate in hexadecimal; empty if an authority vouches for it."""

    @property
    def is_in_dns(self) -> bool:
        """A name for life and a literal are not (RFC 9476)."""
        return not self.domain.startswith("[") and self.domain.rpartition(".")[2] != "alt" and "." in self.domain


def records(facts: Facts) -> Sequence[Record]:
    """The needed ones first. None for a name that is not in DNS."""
    if not facts.is_in_dns:
        return []
    name = facts.domain
    hosts = [
        Record(name, "AAAA" if ipaddress.ip_address(each).version == 6 else "A", each, True, *_WHY_ADDRESS) for each in facts.addresses
    ]
    return [
        *hosts,
        Record(name, "MX", f"10 {name}.", True, *_WHY_MX),
        Record(f"{SELECTOR}._domainkey.{name}", "TXT", facts.key_record, True, *_WHY_DKIM),
        Record(name, "TXT", "v=spf1 a mx -all", False, *_WHY_SPF),
        Record(f"_dmarc.{name}", "TXT", "v=DMARC1; p=reject; adkim=s; aspf=s", False, *_WHY_DMARC),
    ]


def zone_line(record: Record, width: int) -> str:
    """For a zone file (RFC 1035 section 5.1); a long TXT in strings that fit."""
    value = record.value
    if record.kind == "TXT":
        value = " ".join(f'"{value[at : at + _STRING]}"' for at in range(0, len(value), _STRING))
        value = f"( {value} )" if len(record.value) > _STRING else value
    return f"{record.name + '.':<{width}} {_TTL} IN {record.kind:<4} {value}"


def peer_line(facts: Facts) -> str:
    """What another operator types so that his relay finds this one without DNS."""
    words = ["./razdar peer add", facts.domain if facts.domain[0] != "[" else f"'{facts.domain}'", *facts.addresses]
    words += [f"--https-port {facts.ports['https']}"] if facts.ports["https"] != HTTPS_PORT else []
    words += [f"--smtp-port {facts.ports['smtp']}"] if facts.ports["smtp"] != SMTP_PORT else []
    words += [f"--pin {facts.pin}"] if facts.pin else []
    words += [f"--dkim '{SELECTOR}:{facts.key_record.replace(' ', '')}'"] if facts.domain[0] != "[" else []
    return " ".join(words)


def needs_forwarding(facts: Facts) -> bool:
    """DNS carries no ports: other relays come to 443 and 25 and find nobody there."""
    return (facts.ports["https"], facts.ports["smtp"]) != (HTTPS_PORT, SMTP_PORT)


def private_addresses(facts: Facts) -> Sequence[str]:
    """Those that nobody outside can reach."""
    return [each for each in facts.addresses if not ipaddress.ip_address(each).is_global]


_WHY_ADDRESS = (
    "نشانی رله؛ بی آن نه برنامه‌ها رله را می‌یابند و نه رله‌های دیگر",
    "the relay's address; without it neither apps nor relays find it",
)
_WHY_MX = (
    "جایی که پیام‌های این دامنه پذیرفته می‌شود؛ بی آن بیشتر رله‌ها، نه همه، همان نشانی را امتحان می‌کنند",
    "where mail for the domain is taken; without it most relays try the address itself, not all do",
)
_WHY_DKIM = (
    "کلیدی که پیام‌ها با آن امضا می‌شود؛ بی آن رله‌های دیگر هر پیامی از اینجا را پس می‌زنند",
    "the key that signs our mail; without it other relays refuse every message from here",
)
_WHY_SPF = (
    "فراهم‌کننده‌های بزرگ ایمیل می‌پرسند چه کسی به نام این دامنه می‌فرستد؛ رله‌های chatmail نمی‌پرسند",
    "large mail providers ask who sends in the domain's name; chatmail relays do not",
)
_WHY_DMARC = (
    "به فراهم‌کننده‌های بزرگ می‌گوید پیام بی‌امضا به نام این دامنه را نپذیرند",
    "tells large mail providers to refuse unsigned mail in the domain's name",
)
