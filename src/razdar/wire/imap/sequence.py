# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sets of message numbers: `1:4,7,9:*` (RFC 3501 section 9, "sequence-set").

A set is kept sorted, without overlaps, so that two ways of writing the same set are equal and that using it costs as much as the mailbox is
long, never as much as the numbers it names (`1:4294967295`). It does not know whether its numbers are UIDs or sequence numbers: the caller
resolves it against one or the other.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from razdar.wire.errors import PeerError

NUMBER_MAX = 2**32 - 1  # RFC 3501 section 9, "nz-number"
RANGES_MAX = 20_000
"""Default for the settings' `imap_ranges`."""

Range = tuple[int | None, int | None]
"""(low, high); None is `*`. Either both are numbers and low <= high, or high is None; (None, None) is a lone `*`."""

_RANGE = re.compile(rb"(\*|[1-9][0-9]{0,9})(?::(\*|[1-9][0-9]{0,9}))?")


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Sorted ranges that neither overlap nor touch; at most the last one ends with `*`. Build it with `sequence_set` or `parse`."""

    ranges: tuple[Range, ...]

    def resolve(self, all_ids: Sequence[int]) -> list[int]:
        """Those of `all_ids` (ascending) that are named, ascending. `*` is the last of them; in an empty mailbox nothing is named."""
        found: list[int] = []
        start = 0
        for low, high in self._finite:
            start = bisect_left(all_ids, low, start)
            end = bisect_right(all_ids, high, start)
            found.extend(all_ids[start:end])
            start = end
        if self._is_open and all_ids:
            bottom = max(self._open_from(all_ids[-1]), found[-1] + 1 if found else 0)
            found.extend(all_ids[bisect_left(all_ids, bottom) :])
        return found

    def contains(self, number: int, last: int) -> bool:
        """Whether `number` is named in a mailbox whose last message is `last`."""
        if self._is_open and self._open_from(last) <= number <= last:
            return True
        index = bisect_right(self.ranges, number, hi=len(self.ranges) - self._is_open, key=lambda pair: pair[0] or 0) - 1
        return index >= 0 and number <= (self.ranges[index][1] or 0)

    @property
    def _is_open(self) -> bool:
        return self.ranges[-1][1] is None

    @property
    def _finite(self) -> Sequence[tuple[int, int]]:
        return cast(Sequence[tuple[int, int]], self.ranges[:-1] if self._is_open else self.ranges)

    def _open_from(self, last: int) -> int:
        """Where `9:*` begins: at 9, or at the last message if that comes earlier (RFC 3501 section 6.4.8)."""
        low = self.ranges[-1][0]
        return last if low is None else min(low, last)

    def exceeds(self, count: int) -> bool:
        """Whether a number above `count` is named. A UID may be missing, a sequence number must exist (RFC 3501 section 6.4.8).

        `9:*` never exceeds: it always names the last message.
        """
        finite = self._finite
        return bool(finite) and finite[-1][1] > count

    def __bytes__(self) -> bytes:
        return ",".join(_written(low, high) for low, high in self.ranges).encode("ascii")


def sequence_set(ranges: Iterable[Range]) -> SequenceSet:
    """The set of these ranges in any order, with ends in any order. Raises ValueError if there is none."""
    finite: list[tuple[int, int]] = []
    lowest_open: int | None = None
    has_star = False
    for first, second in ranges:
        if first is None or second is None:
            has_star = True
            numbers = [end for end in (first, second, lowest_open) if end is not None]
            lowest_open = min(numbers) if numbers else None
        else:
            finite.append((min(first, second), max(first, second)))
    merged = _merged(finite)
    if has_star:
        merged = _with_open_end(merged, lowest_open)
    if not merged:
        raise ValueError("a sequence set names at least one number")
    return SequenceSet(tuple(merged))


def of_ids(ids: Iterable[int]) -> SequenceSet:
    """The set of exactly these numbers. Raises ValueError if there is none."""
    return sequence_set((number, number) for number in ids)


def parse(text: bytes, ranges_max: int = RANGES_MAX) -> SequenceSet:
    """The set that `text` writes, in at most so many ranges. Raises PeerError."""
    if text.count(b",") >= ranges_max:
        raise PeerError("Too many ranges in the message set")
    return sequence_set(_range(piece) for piece in text.split(b","))


def _range(piece: bytes) -> Range:
    match = _RANGE.fullmatch(piece)
    if match is None:
        raise PeerError("Not a message set")
    first = _number(match[1])
    return first, _number(match[2]) if match[2] is not None else first


def _number(text: bytes) -> int | None:
    if text == b"*":
        return None
    number = int(text)
    if number > NUMBER_MAX:
        raise PeerError("A message number has 32 bits")
    return number


def _merged(ranges: list[tuple[int, int]]) -> list[Range]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return list(merged)


def _with_open_end(merged: list[Range], lowest: int | None) -> list[Range]:
    """`5:*` swallows what it touches: every existing number from 5 on is in it. A lone `*` stays behind the rest."""
    if lowest is None:
        return [*merged, (None, None)]
    while merged and (merged[-1][1] or 0) >= lowest - 1:
        low = merged.pop()[0]
        lowest = min(lowest, low or lowest)
    return [*merged, (lowest, None)]


def _written(low: int | None, high: int | None) -> str:
    first = "*" if low is None else str(low)
    if low == high:
        return first
    return f"{first}:{'*' if high is None else high}"
