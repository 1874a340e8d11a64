# SPDX-License-Identifier: AGPL-3.0-or-later
"""An address is a local part and a domain, folded to lower case once, where it enters."""

import re
from dataclasses import dataclass

LOCAL_PART_MAX = 64  # RFC 5321 section 4.5.3.1.1
DOMAIN_MAX = 255  # RFC 5321 section 4.5.3.1.2

# The dot-atom of RFC 5321 section 4.1.2, without "%" and "!" (source routing, VECTORS "sender") and without quoted strings,
# which no chat client makes.
_LOCAL = re.compile(r"[a-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[a-z0-9#$&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_LITERAL = re.compile(r"\[(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|ipv6:[0-9a-f:.]+)\]")


@dataclass(frozen=True, slots=True)
class Address:
    """`local@domain` in lower case; `domain` keeps its brackets if it is an IP literal. See `undeliverable` for the one exception."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def parse_address(text: str) -> Address | None:
    """The address in `text` (without angle brackets), or None if it is none that a chat client would use.

    ASCII only: look-alike letters of other scripts are not folded, they are refused.
    """
    local, at, domain = text.rpartition("@")
    if not at or len(local) > LOCAL_PART_MAX or len(domain) > DOMAIN_MAX or not text.isascii():
        return None
    local, domain = local.lower(), domain.lower()
    if _LOCAL.fullmatch(local) is None:
        return None
    if _DOMAIN.fullmatch(domain) is None and _LITERAL.fullmatch(domain) is None:
        return None
    return Address(local, domain)


def undeliverable(text: str) -> Address | None:
    """What stands where a recipient's address should, kept so that a report can name it; None if it cannot be printed.

    Nobody has such an address: none of it passes `parse_address`, and names of accounts do. It may hold letters of any script.
    """
    if not text or len(text) > LOCAL_PART_MAX + 1 + DOMAIN_MAX or not text.isprintable():
        return None
    local, at, domain = text.rpartition("@")
    return Address(local, domain.lower()) if at else Address(text, "")
