# SPDX-License-Identifier: AGPL-3.0-or-later
"""A message on its way: the envelope and the bytes, and what the store keeps of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntFlag

from .address import Address
from .ids import BodyId


@dataclass(frozen=True, slots=True)
class Envelope:
    """SMTP envelope (RFC 5321 section 2.3.1). `sender` is None for the null sender `<>`."""

    sender: Address | None
    recipients: Sequence[Address]


class Flag(IntFlag):
    """System flags of IMAP (RFC 3501 section 2.3.2) and one of ours, as bits inside the seal."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16
    FETCHED = 1 << 8
    """Never shown to a client: some device has the body. What carries it may be evicted when the mailbox fills up."""


NO_FLAGS = Flag(0)


@dataclass(frozen=True, slots=True)
class EntrySecret:
    """What stands inside the seal of one entry, readable by the account's key alone (DESIGN section 4)."""

    body: BodyId
    content_key: bytes
    """32 bytes, AES-256-GCM."""
    size_bytes: int
    """Exact RFC822.SIZE."""
    internal_date: int
    """Unix seconds, UTC."""
    flags: Flag = NO_FLAGS
    keywords: int = 0
    """Bit n stands for the n-th keyword of the mailbox's sealed list (at most 32)."""
    charge: int = 0
    """Quota units that this entry was charged with (policy/quota.py); given back when it goes."""
    share: int = 1
    """This entry's part of its body's balance (ports/store.py): random, 1 to 2**62 - 1, so that the balance tells no audience."""

    def marked(self, flag: Flag) -> "EntrySecret":
        """The same, with this flag as well."""
        return replace(self, flags=self.flags | flag)
