# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a message from another relay must be before anybody is asked whether it is from there. No bytes make these functions raise.

It names one author, who is not of this relay; it has not gone round in a loop; and it is encrypted, or one of the two other kinds of mail
that may pass (policy/encryption.py).
"""

from dataclasses import dataclass, field

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.policy.encryption import require_encryption
from razdar.policy.ip import literal_of
from razdar.policy.proof import is_same
from razdar.wire import shapes
from razdar.wire.address_field import only_address
from razdar.wire.mime import FIELDS_MAX, HEADER_BYTES_MAX, MimeError, header_values, read_header
from razdar.wire.report import LOCAL_PART
from razdar.wire.smtp import replies

HOPS_MAX = 25
"""`Received` fields; honest mail between relays has up to ten. A loop that runs through us ends sooner, at the rule on our own domain."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as its header shows it; nothing is proven yet."""

    author: Address = field(repr=False)
    is_report: bool
    """A delivery report: nobody is ever told anything about it (RFC 5321 section 6.1)."""


def read_letter(
    message: bytes, own_domain: str, *, header_bytes: int = HEADER_BYTES_MAX, header_fields: int = FIELDS_MAX
) -> Letter | Refusal:
    """What was sent, or why it cannot be taken whoever sent it."""
    try:
        fields, _ = read_header(message, limit_bytes=header_bytes, fields_max=header_fields)
    except MimeError:
        return replies.MALFORMED_MESSAGE
    author = only_address(fields, "from")
    is_report = False
    if shapes.is_report(fields):
        daemon = only_address(fields, "from", skip_comment=True)
        if daemon is not None and daemon.local == LOCAL_PART:
            author, is_report = daemon, True
    if author is None:
        return replies.INVALID_FROM
    if is_own(author.domain, own_domain):
        return replies.OWN_DOMAIN
    if len(header_values(fields, "received")) > HOPS_MAX:
        return replies.LOOP
    verdict = require_encryption(message, is_incoming=True, header_bytes=header_bytes, header_fields=header_fields)
    return verdict if isinstance(verdict, Refusal) else Letter(author, is_report)


def is_own(domain: str, own_domain: str) -> bool:
    """Whether `domain` is this relay's, also when its address literal is spelled in another way."""
    literal, own = literal_of(domain), literal_of(own_domain)
    return domain == own_domain or (literal is not None and own is not None and is_same(literal, own))
