# SPDX-License-Identifier: AGPL-3.0-or-later
"""Charts and dates: what is drawn, what is said to who cannot see it, and days in two calendars."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from razdar.web import dates
from razdar.web.charts import COLOURS, Chart, Series, fewest, scale_end
from razdar.web.numerals import number

VALUES = st.lists(st.none() | st.integers(0, 10**7), min_size=1, max_size=60)


def chart(*values: list[int | None], is_stacked: bool = False, title: str = "پیام‌ها") -> Chart:
    times = [f"{place}" for place in range(len(values[0]))]
    series = [Series(f"s{place}", each) for place, each in enumerate(values)]
    return Chart(
        title=title, summary="از <صفر> تا ده", times=times, series=series, spell=lambda value: number(value, "fa"), is_stacked=is_stacked
    )


def drawn(figure: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(str(figure.draw()))


def numbers(svg: ElementTree.Element) -> list[float]:
    """Every coordinate in the drawing."""
    shapes = [each for each in svg if each.tag in ("path", "rect")]
    text = " ".join(value for each in shapes for name, value in each.attrib.items() if name != "class")
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text)]


@given(VALUES, st.booleans())
def test_any_values_make_one_labelled_image_within_its_frame(values: list[int | None], is_stacked: bool) -> None:
    svg = drawn(chart(values, is_stacked=is_stacked))
    assert svg.attrib["role"] == "img"
    assert svg.find("title") is not None
    assert "<صفر>" in svg.attrib["aria-label"]
    assert all(-1 <= coordinate <= 420 for coordinate in numbers(svg))


def test_no_style_and_no_script_so_that_the_security_policy_has_nothing_to_stop() -> None:
    svg = drawn(chart([1, 2, 3]))
    assert not [name for each in svg.iter() for name in each.attrib if name == "style" or name.startswith("on")]
    assert {each.tag for each in svg.iter()} <= {"svg", "title", "path", "rect", "text"}


def test_a_gap_is_no_zero() -> None:
    lines = [each.attrib["d"] for each in drawn(chart([1, 2, None, 4, 5])) if each.attrib.get("class") == "line-1"]
    assert len(lines) == 2
    assert len([each for each in drawn(chart([1, 2, 0, 4, 5])) if each.attrib.get("class") == "line-1"]) == 1


def test_a_single_measurement_is_seen() -> None:
    (line,) = [each.attrib["d"] for each in drawn(chart([None, 5, None])) if each.attrib.get("class") == "line-1"]
    assert line.endswith("h1")


def test_bars_stand_on_each_other() -> None:
    bars = [each.attrib for each in drawn(chart([10], [30], is_stacked=True)) if each.tag == "rect"]
    assert [bar["class"] for bar in bars] == ["bar-1", "bar-2"]
    first, second = ((float(bar["y"]), float(bar["height"])) for bar in bars)
    assert second[0] + second[1] == pytest.approx(first[0], abs=0.2)
    assert second[1] == pytest.approx(3 * first[1], abs=0.3)


def test_the_axis_is_in_the_digits_of_the_language() -> None:
    texts = [each.text for each in drawn(chart([180])) if each.tag == "text"]
    assert texts[:3] == ["۰", "۱۰۰", "۲۰۰"]


@pytest.mark.parametrize(("highest", "end"), [(0, 5), (4, 5), (6, 10), (11, 20), (20, 20), (21, 50), (10**6 + 1, 2 * 10**6)])
def test_the_axis_ends_at_a_round_number(highest: int, end: int) -> None:
    assert scale_end(highest) == end


@given(st.lists(st.lists(st.integers(0, 100), min_size=3, max_size=3), max_size=9))
def test_few_colours_for_many_series_and_nothing_is_lost(values: list[list[int]]) -> None:
    series = [Series(str(place), each) for place, each in enumerate(values)]
    told = fewest(series, "rest")
    assert len(told) <= COLOURS
    assert sum(value or 0 for each in told for value in each.values) == sum(map(sum, values))


def test_empty_is_known() -> None:
    assert chart([None, None]).is_empty
    assert not chart([None, 0]).is_empty


# dates

NEW_YEAR_1405 = 1_774_038_600
"""2026-03-21 00:00 in Tehran."""


def test_new_year_begins_at_midnight_in_tehran() -> None:
    assert dates.day(NEW_YEAR_1405, "fa") == "۱ فروردین ۱۴۰۵"
    assert dates.day(NEW_YEAR_1405 - 1, "fa") == "۲۹ اسفند ۱۴۰۴"
    assert dates.hour(NEW_YEAR_1405, "fa") == "۰۰:۰۰"


def test_english_is_gregorian_and_utc() -> None:
    assert dates.day(NEW_YEAR_1405, "en") == "20 March 2026"
    assert dates.hour(NEW_YEAR_1405, "en") == "20:30"
    assert dates.is_utc("en")


def test_leap_year_1403_has_its_thirtieth_of_esfand() -> None:
    """Where one library is wrong by a day for a whole year."""
    assert dates.day(1_742_416_200, "fa") == "۳۰ اسفند ۱۴۰۳"
    assert dates.day(1_742_416_200 + 86_400, "fa") == "۱ فروردین ۱۴۰۴"


def test_summer_time_that_iran_had_until_2022() -> None:
    assert dates.hour(1_656_619_200, "fa") == "۰۰:۳۰"  # 2022-06-30 20:00 UTC, +04:30
    assert dates.hour(1_688_155_200, "fa") == "۲۳:۳۰"  # a year later, +03:30


def test_both_calendars() -> None:
    assert str(dates.both(NEW_YEAR_1405, "fa")) == '۱ فروردین ۱۴۰۵ (<bdi dir="ltr">2026-03-21</bdi>)'
    assert str(dates.both(NEW_YEAR_1405 + 86_400, "en")) == '21 March 2026 (<bdi dir="ltr">1405-01-01</bdi>)'
    assert dates.iso_day(NEW_YEAR_1405) == "2026-03-20"
