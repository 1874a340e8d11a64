# SPDX-License-Identifier: AGPL-3.0-or-later
"""Days and hours as people write them: Jalali and in Iran's time for Persian, Gregorian and UTC for English, both where it may be cited.

Inside the program there are Unix seconds only. Iran's time comes from the machine's list of zones, because the rule has changed before
(2022); a machine without that list gets UTC, and the page says which it is.
"""

import datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from markupsafe import Markup
from persiantools.jdatetime import JalaliDate

from razdar.web.numerals import ascii_digits, number
from razdar.web.texts import Language

DAY_S = 86_400


@cache
def zone(language: Language) -> datetime.tzinfo:
    """In which hours of that language are told."""
    try:
        return ZoneInfo("Asia/Tehran") if language == "fa" else datetime.UTC
    except ZoneInfoNotFoundError:
        return datetime.UTC


def is_utc(language: Language) -> bool:
    """Whether hours of that language are UTC after all."""
    return zone(language) is datetime.UTC


def day(unix_s: int, language: Language) -> str:
    """`۳۰ آبان ۱۴۰۵`, `21 November 2026`."""
    local = _local(unix_s, language)
    name = short_day(unix_s, language) if language == "fa" else f"{local.day} {_MONTHS[local.month - 1]}"
    return f"{name} {_year(unix_s, language)}"


def short_day(unix_s: int, language: Language) -> str:
    """`۳۰ آبان`, `21 Nov`, for places where there is little room."""
    local = _local(unix_s, language)
    if language == "fa":
        jalali = _jalali(local)
        return f"{number(jalali.day, 'fa')} {jalali.strftime('%B', locale='fa')}"
    return f"{local.day} {_MONTHS[local.month - 1][:3]}"


def hour(unix_s: int, language: Language) -> str:
    """`۱۴:۳۰`, `11:00`."""
    local = _local(unix_s, language)
    return f"{_two(local.hour, language)}:{_two(local.minute, language)}"


def both(unix_s: int, language: Language) -> Markup:
    """The day in both calendars: `۳۰ آبان ۱۴۰۵ (2026-11-21)`, `21 November 2026 (1405-08-30)`."""
    local = _local(unix_s, language)
    other = local.date().isoformat() if language == "fa" else ascii_digits(_jalali(local).strftime("%Y-%m-%d"))
    return Markup('{} (<bdi dir="ltr">{}</bdi>)').format(day(unix_s, language), other)


def iso_day(unix_s: int) -> str:
    """`2026-11-21`, UTC, for programs."""
    return datetime.datetime.fromtimestamp(unix_s, datetime.UTC).date().isoformat()


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")


def _local(unix_s: int, language: Language) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(unix_s, zone(language))


def _jalali(local: datetime.datetime) -> JalaliDate:
    return JalaliDate(local.date())  # type: ignore[no-untyped-call]


def _year(unix_s: int, language: Language) -> str:
    local = _local(unix_s, language)
    year = _jalali(local).year if language == "fa" else local.year
    return number(year, language).replace("٬", "").replace(",", "")


def _two(value: int, language: Language) -> str:
    return f"{'' if value > 9 else number(0, language)}{number(value, language)}"
