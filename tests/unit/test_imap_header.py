# SPDX-License-Identifier: AGPL-3.0-or-later
"""Header fields as bytes (RFC 5322 section 2.2)."""

import pytest

from razdar.wire.imap import header

HEADER = b"Subject: one\r\nFrom: a\r\n b\r\nsubject : two\r\nbroken line\r\nX-Empty:\r\n\r\n"


@pytest.mark.parametrize(
    ("message", "offset"),
    [
        (b"A: b\r\n\r\nbody", 8),
        (b"\r\nbody", 2),
        (b"\nbody", 1),
        (b"A: b\n\nbody", 6),
        (b"A: b\n\r\nbody", 7),
        (b"A: b\n\nbody\r\n\r\n", 6),
        (b"A: b\r\n", 6),
        (b"A: b", 4),
        (b"", 0),
    ],
)
def test_where_the_body_begins(message: bytes, offset: int) -> None:
    assert header.body_offset(message) == offset
    assert header.body_offset(b"xx" + message, 2, 2 + len(message)) == 2 + offset


def test_fields_with_their_folds() -> None:
    assert list(header.fields(HEADER)) == [
        b"Subject: one\r\n",
        b"From: a\r\n b\r\n",
        b"subject : two\r\n",
        b"broken line\r\n",
        b"X-Empty:\r\n",
    ]
    assert list(header.fields(b"")) == []


def test_selected_keeps_order_and_ends_with_an_empty_line() -> None:
    assert header.selected(HEADER, {b"subject", b"x-empty"}) == b"Subject: one\r\nsubject : two\r\nX-Empty:\r\n\r\n"
    assert header.selected(HEADER, {b"none"}) == b"\r\n"
    assert header.selected(HEADER, {b"subject"}, is_inverted=True) == b"From: a\r\n b\r\nbroken line\r\nX-Empty:\r\n\r\n"
    assert header.selected(b"A: b", {b"a"}) == b"A: b\r\n\r\n"


def test_values_are_unfolded_and_the_first_counts() -> None:
    assert header.value(HEADER, b"subject") == b"one"
    assert header.value(HEADER, b"from") == b"a b"
    assert header.value(HEADER, b"x-empty") == b""
    assert header.value(HEADER, b"broken line") is None
    assert header.values(HEADER, {b"subject", b"from"}) == {b"subject": b"one", b"from": b"a b"}


def test_no_line_end_survives_unfolding() -> None:
    assert header.unfolded(b" a\r\n b\rc\n\td\0e\nf ") == b"a b c d e f"


def test_what_lies_too_far_back_is_not_looked_at() -> None:
    """A header of ten megabytes of tiny fields took 1.2 s per prefetch."""
    huge = b"X: a\r\n" * 1_000_000 + b"Subject: far\r\n\r\n"
    assert header.value(huge, b"subject") is None
    assert header.value(b"Subject: near\r\n" + huge, b"subject") == b"near"
