# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identifiers that are easily mixed up, each with a type of its own."""

from typing import NamedTuple, NewType

AccountId = NewType("AccountId", bytes)
"""16 bytes: a slow keyed hash of the address (vault/account_key.py). Says nothing without the address."""

Uid = NewType("Uid", int)
"""IMAP unique identifier (RFC 3501 section 2.3.1.1): ascending within a mailbox, never used twice."""

UID_NEXT_MAX = 2**32 - 1
"""UIDNEXT has 32 bits, too (RFC 3501 section 9, nz-number); a mailbox that has come so far takes nothing more."""

BodyId = NewType("BodyId", int)
"""Random, 1 to 2**63 - 1. Stands outside of a seal only as the key of the body's own row."""

INBOX = 0
"""Folder number of the mailbox that deliveries go to; other folders count from 1 and are never renumbered."""


class MailboxId(NamedTuple):
    """One folder of one account (IMAP calls it a mailbox)."""

    account: AccountId
    folder: int = INBOX
