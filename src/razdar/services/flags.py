# SPDX-License-Identifier: AGPL-3.0-or-later
"""Flags of a message between what a client calls them and the bits inside the seal (RFC 3501 section 2.3.2).

Bit n of the keywords stands for the n-th name in the mailbox's sealed list. Names are compared without case.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from razdar.model.message import EntrySecret, Flag

SYSTEM_FLAGS = {
    "\\Seen": Flag.SEEN,
    "\\Answered": Flag.ANSWERED,
    "\\Flagged": Flag.FLAGGED,
    "\\Deleted": Flag.DELETED,
    "\\Draft": Flag.DRAFT,
}
_BY_FOLDED_NAME = {name.lower(): flag for name, flag in SYSTEM_FLAGS.items()}


def is_storable(name: str) -> bool:
    """Whether a client can set it: system flags but \\Recent, and keywords; nothing else that begins with a backslash."""
    return not name.startswith("\\") or name.lower() in _BY_FOLDED_NAME


def keywords_in(names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that are keywords, in a fixed order."""
    return tuple(sorted(name for name in names if not name.startswith("\\")))


def flag_names(secret: EntrySecret, keywords: Sequence[str]) -> list[str]:
    """What FLAGS shows: system flags, then keywords."""
    names = [name for name, flag in SYSTEM_FLAGS.items() if secret.flags & flag]
    return names + [name for bit, name in enumerate(keywords) if secret.keywords >> bit & 1]


def with_flags(secret: EntrySecret, names: Iterable[str], keywords: Sequence[str]) -> EntrySecret:
    """The secret with exactly these flags and keywords; the invisible FETCHED mark stays. Names that are neither are left out."""
    positions = {keyword.lower(): bit for bit, keyword in enumerate(keywords)}
    flags = secret.flags & Flag.FETCHED
    bits = 0
    for name in names:
        folded = name.lower()
        if folded in _BY_FOLDED_NAME:
            flags |= _BY_FOLDED_NAME[folded]
        elif folded in positions:
            bits |= 1 << positions[folded]
    return replace(secret, flags=flags, keywords=bits)
