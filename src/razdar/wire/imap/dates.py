# SPDX-License-Identifier: AGPL-3.0-or-later
"""Dates as IMAP writes them (RFC 3501 section 9, "date" and "date-time"). English month names, never the locale's."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from razdar.wire.errors import PeerError

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_NUMBER = {name.lower().encode("ascii"): number for number, name in enumerate(MONTHS, 1)}
_DATE = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
_DATE_TIME = re.compile(rb"([ 0-9][0-9]-[A-Za-z]{3}-[0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_date(text: bytes) -> date:
    """`1-Feb-2024`. Raises PeerError."""
    match = _DATE.fullmatch(text.strip(b" "))
    if match is None or match[2].lower() not in _MONTH_NUMBER:
        raise PeerError("Not a date")
    try:
        return date(int(match[3]), _MONTH_NUMBER[match[2].lower()], int(match[1]))
    except ValueError:
        raise PeerError("Not a date") from None


def parse_date_time(text: bytes) -> int:
    """`" 1-Feb-2024 12:00:00 +0100"` without the quotes, as unix seconds. Raises PeerError."""
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise PeerError("Not a date and time")
    day = parse_date(match[1])
    offset = timedelta(hours=int(match[6]), minutes=int(match[7]))
    try:
        zone = timezone(-offset if match[5] == b"-" else offset)
        moment = datetime(day.year, day.month, day.day, int(match[2]), int(match[3]), int(match[4]), tzinfo=zone)
        return (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise PeerError("Not a date and time") from None


def format_date_time(unix_seconds: int) -> bytes:
    """In UTC, with the quotes. Total: a moment that no calendar has is written as the nearest that it has."""
    try:
        moment = _EPOCH + timedelta(seconds=unix_seconds)
    except OverflowError:
        moment = datetime.max.replace(tzinfo=UTC) if unix_seconds > 0 else datetime.min.replace(tzinfo=UTC)
    month = MONTHS[moment.month - 1]
    return f'"{moment.day:2d}-{month}-{moment.year:04d} {moment:%H:%M:%S} +0000"'.encode("ascii")


def day_of(unix_seconds: int) -> date:
    """The day in UTC. Total, as `format_date_time`."""
    try:
        return (_EPOCH + timedelta(seconds=unix_seconds)).date()
    except OverflowError:
        return date.max if unix_seconds > 0 else date.min
