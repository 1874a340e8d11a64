# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sequence sets (RFC 3501 section 9)."""

import time
from collections.abc import Sequence

import pytest

from razdar.wire.errors import PeerError
from razdar.wire.imap.sequence import RANGES_MAX, of_ids, parse, sequence_set


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (b"1", b"1"),
        (b"3:1", b"1:3"),
        (b"1,2,3,5", b"1:3,5"),
        (b"5:7,6:9,1", b"1,5:9"),
        (b"*", b"*"),
        (b"*:5", b"5:*"),
        (b"*,5:*,9", b"5:*"),
        (b"1:3,4:*", b"1:*"),
        (b"1,*", b"1,*"),
        (b"*:*", b"*"),
        (b"4294967295", b"4294967295"),
    ],
)
def test_one_way_of_writing_each_set(text: bytes, written: bytes) -> None:
    assert bytes(parse(text)) == written
    assert parse(written) == parse(text)


@pytest.mark.parametrize("text", [b"", b"0", b"1:", b":1", b"1,,2", b"a", b"1:2:3", b"4294967296", b"99999999999", b"-1", b"01", b"**"])
def test_what_is_no_set(text: bytes) -> None:
    with pytest.raises(PeerError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "ids", "named"),
    [
        (b"1:*", [], []),
        (b"*", [2, 9], [9]),
        (b"20:*", [2, 9], [9]),  # RFC 3501 section 6.4.8: the last one, even if the range begins behind it
        (b"3:8", [2, 9], []),
        (b"1:2,9", [1, 2, 3, 9, 10], [1, 2, 9]),
        (b"1,*", [1, 2, 3], [1, 3]),
        (b"1:4294967295", range(1, 6), [1, 2, 3, 4, 5]),
    ],
)
def test_resolve(text: bytes, ids: Sequence[int], named: list[int]) -> None:
    assert parse(text).resolve(ids) == named


def test_exceeds_looks_at_numbers_not_at_stars() -> None:
    assert parse(b"4").exceeds(3)
    assert parse(b"1:4").exceeds(3)
    assert parse(b"9,*").exceeds(3)
    assert not parse(b"1:3").exceeds(3)
    assert not parse(b"9:*").exceeds(3)
    assert not parse(b"*").exceeds(0)


def test_a_set_of_ids() -> None:
    assert bytes(of_ids([5, 1, 2])) == b"1:2,5"
    with pytest.raises(ValueError, match="at least one"):
        sequence_set([])


def test_huge_sets_cost_as_much_as_the_mailbox() -> None:
    """VECTORS "1:* on 10^5 messages", "sequence sets of 10^5 ranges"."""
    ids = range(1, 100_001)
    began = time.perf_counter()
    assert len(parse(b"1:4294967295").resolve(ids)) == 100_000
    many = b",".join(b"%d" % number for number in range(2, 2 * RANGES_MAX + 1, 2))
    assert len(parse(many).resolve(ids)) == RANGES_MAX
    with pytest.raises(PeerError):
        parse(many + b",1")
    assert time.perf_counter() - began < 1.0
