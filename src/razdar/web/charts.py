# SPDX-License-Identifier: AGPL-3.0-or-later
"""Charts as SVG, drawn here and not in the browser: they work without script, in a saved page and on paper.

Time flows from left to right in both languages, as on other charts of networks, and each chart says so on its axis. Colours, fonts and
thicknesses are classes of the style sheet. Each chart has a title, is one image to a screen reader with a sentence that sums it up, and is
followed by a table of the same numbers (templates/chart.html). A value that was not measured is a gap, never a zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 420, 190
"""Narrow, so that the labels can be read on a phone; larger screens enlarge all of it."""
_START, _END, _TOP, _FLOOR = 76, 416, 10, 160
"""The inner frame: x from start to end, y from top to floor."""
LABELS = 5
COLOURS = 4
Value = int | None


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one part of each bar."""

    name: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn. All series have as many values as there are times."""

    title: str
    summary: str
    """The chart in a sentence, for who cannot see it."""
    times: Sequence[str]
    """As they stand below the axis and in the table."""
    series: Sequence[Series]
    spell: Callable[[int], str]
    """A value in the digits and units of the language."""
    is_stacked: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was measured."""
        return all(value is None for series in self.series for value in series.values)

    def draw(self) -> Markup:
        """The `<svg>`."""
        top = scale_end(self._highest())
        parts = [_grid(top, self.spell), _ticks(self.times), *(_bars(self, top) if self.is_stacked else _lines(self, top))]
        return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}</svg>').format(
            WIDTH, HEIGHT, f"{self.title}: {self.summary}", self.title, Markup("").join(parts)
        )

    def _highest(self) -> int:
        columns = [[value or 0 for value in column] for column in zip(*(series.values for series in self.series), strict=True)]
        return max((sum(column) if self.is_stacked else max(column, default=0) for column in columns), default=0)


def scale_end(highest: int) -> int:
    """The round number at which the axis ends: 1, 2 or 5 and zeros, at least `highest` and at least 4."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= max(highest, 4):
                return step * power
        power *= 10


def fewest(series: Sequence[Series], rest: str, most: int = COLOURS) -> Sequence[Series]:
    """At most so many series: the largest as they are, all others in one called `rest`. Those that are zero throughout are left out."""
    told = [each for each in series if any(each.values)]
    if len(told) <= most:
        return told
    ranked = sorted(told, key=lambda each: -sum(value or 0 for value in each.values))
    others = [_sum(column) for column in zip(*(each.values for each in ranked[most - 1 :]), strict=True)]
    return [*ranked[: most - 1], Series(rest, others)]


def _sum(column: Sequence[Value]) -> Value:
    known = [value for value in column if value is not None]
    return sum(known) if known else None


def _y(value: int, top: int) -> float:
    return round(_FLOOR - (_FLOOR - _TOP) * value / top, 1)


def _x(place: float, count: int) -> float:
    """The middle of the place-th of `count` columns."""
    return round(_START + (_END - _START) * (place + 0.5) / count, 1)


def _grid(top: int, spell: Callable[[int], str]) -> Markup:
    lines = Markup()
    for quarter in range(5):
        value = top * quarter // 4
        y = _y(value, top)
        kind = "grid" if quarter else "axis"
        lines += Markup('<path class="{}" d="M{} {}H{}"/>').format(kind, _START, y, _END)
        if quarter in (0, 2, 4):
            lines += Markup('<text class="label" x="{}" y="{}" text-anchor="end">{}</text>').format(_START - 6, y + 4, spell(value))
    return lines


def _ticks(times: Sequence[str]) -> Markup:
    count = len(times)
    every = max(1, -(-count // LABELS))
    return Markup().join(
        Markup('<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>').format(_x(place, count), _FLOOR + 20, times[place])
        for place in range(every // 2, count, every)
    )


def _lines(chart: Chart, top: int) -> Sequence[Markup]:
    drawn = []
    for number, series in enumerate(chart.series[:COLOURS], 1):
        for start, run in _runs(series.values):
            points = [(_x(start + place, len(series.values)), _y(value, top)) for place, value in enumerate(run)]
            path = "M" + "L".join(f"{x} {y}" for x, y in points)
            if number == 1 and len(points) > 1:
                drawn.append(Markup('<path class="area-1" d="{}V{}H{}Z"/>').format(path, _FLOOR, points[0][0]))
            # A single measurement between two gaps would be a line without length.
            drawn.append(Markup('<path class="line-{}" d="{}"/>').format(number, path if len(points) > 1 else path + "h1"))
    return drawn


def _runs(values: Sequence[Value]) -> Sequence[tuple[int, Sequence[int]]]:
    """Stretches without a gap, each with the place where it starts."""
    runs: list[tuple[int, list[int]]] = []
    is_open = False
    for place, value in enumerate(values):
        if value is not None and not is_open:
            runs.append((place, []))
        is_open = value is not None
        if value is not None:
            runs[-1][1].append(value)
    return runs


def _bars(chart: Chart, top: int) -> Sequence[Markup]:
    count = len(chart.times)
    width = round((_END - _START) / max(count, 1) * 0.72, 1)
    drawn = []
    for place in range(count):
        below = 0
        for number, series in enumerate(chart.series[:COLOURS], 1):
            value = series.values[place] or 0
            if value:
                y, floor = _y(below + value, top), _y(below, top)
                x = round(_x(place, count) - width / 2, 1)
                drawn.append(
                    Markup('<rect class="bar-{}" x="{}" y="{}" width="{}" height="{}"/>').format(number, x, y, width, round(floor - y, 1))
                )
                below += value
    return drawn
