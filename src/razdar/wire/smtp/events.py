# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the session tells the server, one event at a time.

All but `TlsRequested` and `Closed` wait for an answer (`SmtpSession.answer`). The fields stay out of `repr`, so that an event that
ends up in a log or a traceback names nobody.
"""

from dataclasses import dataclass, field

from razdar.model.address import Address
from razdar.model.message import Envelope


@dataclass(frozen=True, slots=True)
class LoginOffered:
    """Somebody wants to log in. Both strings are not empty and hold no NUL, CR or LF; nothing else was checked."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SenderOffered:
    """MAIL. `address` is None for the null sender, `size_bytes` is what the client announced (RFC 1870), within the limit."""

    address: Address | None = field(repr=False)
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class RecipientOffered:
    """RCPT. A recipient `postmaster` without a domain is the one of this host (RFC 5321 section 4.5.1)."""

    address: Address = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContentOffered:
    """DATA: the last moment to refuse before the message is sent."""

    envelope: Envelope = field(repr=False)


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """The whole message, dots unstuffed, every line ending with CRLF. Accepting it makes us responsible for it."""

    envelope: Envelope = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TlsRequested:
    """The 220 is queued. Send it, do the handshake, call `SmtpSession.tls_started`. No answer."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The client said QUIT. No answer; the session is closing."""


Event = LoginOffered | SenderOffered | RecipientOffered | ContentOffered | MessageReceived | TlsRequested | Closed
