# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is said to another relay for one message, and whether it may be said at all: by what the server knows and the message needs.

Nothing but an address that is read again as what it is gets between angle brackets, so that no address can say a command of its own.
"""

from collections.abc import Iterator

from razdar.model.address import Address, parse_address
from razdar.model.verdict import Refusal
from razdar.wire.smtp import replies
from razdar.wire.smtp.client_events import Job
from razdar.wire.smtp.client_replies import Extensions
from razdar.wire.smtp.client_states import Awaited
from razdar.wire.smtp.stuffing import has_eight_bit, has_utf8_header, is_strict

RECIPIENTS_MAX = 1_000
"""Of one transaction where the server says nothing; what is too much for it, it answers with 452 (RFC 5321 section 4.5.3.1.10)."""
NEEDS_EIGHT_BIT = Refusal(554, "5.6.3", "The other relay takes no 8-bit messages")
TOO_BIG_THERE = Refusal(552, "5.3.4", "The message is too big for the other relay")


def fault(sender: Address | None, message: bytes, known: Extensions) -> Refusal | None:
    """Why nobody can get this message from this server."""
    if not is_strict(message):
        return replies.MALFORMED_MESSAGE
    if sender is not None and not is_sendable(sender):
        return replies.BAD_SENDER_ADDRESS
    if known.size_bytes and len(message) > known.size_bytes:
        return TOO_BIG_THERE
    return NEEDS_EIGHT_BIT if has_eight_bit(message) and not known.eight_bit else None


def is_sendable(address: Address) -> bool:
    """Whether it is what it would be read as again: nothing in it can leave its angle brackets."""
    return parse_address(str(address)) == address


def recipients_at_once(known: Extensions) -> int:
    return min(known.recipients_max or RECIPIENTS_MAX, RECIPIENTS_MAX)


def transaction(job: Job, known: Extensions) -> Iterator[tuple[Awaited, bytes]]:
    """The commands for those who are named, each with what it is answered as."""
    yield Awaited.MAIL, _mail(job, known)
    for each in job.named:
        yield Awaited.RCPT, b"RCPT TO:<%s>" % str(each).encode("ascii")
    yield Awaited.DATA, b"DATA"


def _mail(job: Job, known: Extensions) -> bytes:
    """RFC 1870, RFC 6152 and RFC 6531 parameters, as far as the server knows them and the message needs them."""
    words = [b"MAIL FROM:<%s>" % str(job.sender or "").encode("ascii")]
    words += [b"SIZE=%d" % len(job.message)] if known.has_size else []
    words += [b"BODY=8BITMIME"] if has_eight_bit(job.message) else []
    words += [b"SMTPUTF8"] if known.utf8 and has_utf8_header(job.message) else []
    return b" ".join(words)
