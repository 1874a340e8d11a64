# SPDX-License-Identifier: AGPL-3.0-or-later
"""Dates of RFC 3501 section 9."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.wire.errors import PeerError
from razdar.wire.imap.dates import day_of, format_date_time, parse_date, parse_date_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (b"17-Jul-1996 02:44:25 -0700", datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)),
        (b" 1-feb-2024 00:00:00 +0330", datetime(2024, 1, 31, 20, 30, tzinfo=UTC)),
    ],
)
def test_date_time(text: bytes, moment: datetime) -> None:
    assert parse_date_time(text) == moment.timestamp()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1-Feb-2024 00:00:00 +0000",
        b"31-Feb-2024 00:00:00 +0000",
        b"01-Foo-2024 00:00:00 +0000",
        b"01-Feb-2024 24:00:00 +0000",
        b"01-Feb-2024 00:00:00 +9900",
        b"01-Jan-0001 00:00:00 +2300",
        b"00-Jan-2024 00:00:00 +0000",
        b"01-Jan-2024 00:00:00 +0000x",
    ],
)
def test_what_is_no_date_time(text: bytes) -> None:
    try:
        parse_date_time(text)
    except PeerError:
        return
    assert text.startswith(b"01-Jan-0001")  # before our era in UTC, still a number


def test_date() -> None:
    assert parse_date(b"1-Feb-2024") == date(2024, 2, 1)
    for text in (b"1-Feb-24", b"99-Feb-2024", b"2024-02-01", b"1-Feb-0000"):
        with pytest.raises(PeerError):
            parse_date(text)


@given(st.integers(-(2**40), 2**40))
def test_any_moment_is_written_and_read(seconds: int) -> None:
    written = format_date_time(seconds)
    assert len(written) == 28
    assert written.isascii()
    if 0 <= seconds < 253_402_300_800:
        assert parse_date_time(written[1:-1]) == seconds
    assert day_of(seconds).year >= 1
