# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a mailbox name matches a LIST pattern (RFC 3501 section 6.3.8): `*` any characters, `%` any but the delimiter.

All places in the name that the pattern can have reached are carried along as the bits of one integer, so there is nothing to backtrack and
`*a*a*a*…` costs as much as any other pattern (VECTORS "LIST wildcards").
"""

import re

from .mailbox_name import INBOX
from .responses import DELIMITER

_WILDCARDS = re.compile(r"[*%]+")


def matches(pattern: str, name: str) -> bool:
    """INBOX is compared without case, other names with it."""
    if name == INBOX:
        return _matches(pattern.upper(), name)
    return _matches(pattern, name)


def _matches(pattern: str, name: str) -> bool:
    if len(_WILDCARDS.sub("", pattern)) > len(name):
        return False
    pattern = _WILDCARDS.sub(lambda run: "*" if "*" in run[0] else "%", pattern)  # a row of them means what one does
    places: dict[str, int] = {}
    for index, char in enumerate(name):
        places[char] = places.get(char, 0) | 1 << index
    full = (1 << len(name) + 1) - 1
    walls = places.get(DELIMITER, 0)
    reached = 1
    for char in pattern:
        if char == "*":
            reached = full & -(reached & -reached)  # everything from the lowest place on
        elif char == "%":
            reached = _flood(reached, walls, full)
        else:
            reached = (reached & places.get(char, 0)) << 1
        if not reached:
            return False
    return bool(reached >> len(name))


def _flood(reached: int, walls: int, full: int) -> int:
    """From each place on up to the next delimiter, in steps that double (a Kogge-Stone fill)."""
    free = full & ~(walls << 1)  # the step to place n crosses character n - 1
    shift = 1
    while shift < full.bit_length():
        reached |= (reached << shift) & free
        free &= free << shift
        shift <<= 1
    return reached
