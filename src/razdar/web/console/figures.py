# SPDX-License-Identifier: AGPL-3.0-or-later
"""From hours to what the console draws: spans, buckets and charts with their words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from razdar.policy.totals import ATTACKS, REASONS
from razdar.services.hours import HOUR_S, MIB, Hour
from razdar.services.statistics import Statistics
from razdar.web import dates
from razdar.web.charts import Chart, Series, Value, fewest
from razdar.web.texts import Texts

SPANS: Mapping[str, tuple[int, int]] = {"hour": (1, 1), "day": (24, 1), "week": (168, 6), "month": (720, 24)}
"""By name: hours in all, and hours in each bucket."""
MEGABYTE = 1_000_000
Buckets = Sequence[Sequence[Hour]]


@dataclass(frozen=True, slots=True)
class Total:
    """One number of a span, with its words."""

    words: str
    value: Value


def buckets(statistics: Statistics, span: str) -> Buckets:
    """The span's hours, oldest first, in its buckets."""
    count, size = SPANS[span]
    hours = statistics.hours(count)
    return [hours[start : start + size] for start in range(0, count, size)]


def totals(hours: Buckets, t: Texts) -> Sequence[Total]:
    """What the span comes to."""
    flat = [hour for bucket in hours for hour in bucket]
    return [
        Total(t("figure_connections"), highest([hour.connections for hour in flat])),
        Total(t("figure_accepted"), summed([hour.accepted for hour in flat])),
        Total(t("figure_delivered"), summed([hour.delivered for hour in flat])),
        Total(t("figure_refused"), summed([_all(hour.refused) for hour in flat])),
        Total(t("figure_attacks"), summed([_all(hour.attacks) if hour.disk_free >= 0 else None for hour in flat])),
    ]


def parts(hours: Buckets, t: Texts) -> tuple[Sequence[Total], Sequence[Total]]:
    """Refusals by reason and attacks by kind, without those that did not happen."""
    flat = [hour for bucket in hours for hour in bucket]
    refused = [Total(t(f"reason_{name}"), summed([_of(hour.refused, name) for hour in flat])) for name in REASONS]
    attacks = [Total(t(f"attack_{name}"), summed([hour.attacks.get(name, 0) for hour in flat])) for name in ATTACKS]
    return [each for each in refused if each.value], [each for each in attacks if each.value]


def charts(hours: Buckets, t: Texts) -> Sequence[Chart]:
    """All of them, also those in which nothing was measured."""
    draw = _Drawer(hours, t)
    return [
        draw.chart(
            "messages",
            draw.series("figure_accepted", lambda hour: hour.accepted, summed),
            draw.series("figure_delivered", lambda hour: hour.delivered, summed),
        ),
        draw.stack("refused", [draw.series(f"reason_{name}", _getter("refused", name), summed) for name in REASONS]),
        draw.stack("attacks", [draw.series(f"attack_{name}", _getter("attacks", name), summed) for name in ATTACKS]),
        draw.chart("connections", draw.series("figure_connections", lambda hour: hour.connections, highest)),
        draw.chart("waiting", draw.series("figure_waiting", lambda hour: hour.waiting, highest)),
        draw.chart("disk", draw.series("figure_disk", lambda hour: _size(hour.disk_free), lowest), is_size=True),
        draw.chart("memory", draw.series("figure_memory", lambda hour: _size(hour.memory), highest), is_size=True),
    ]


@dataclass(frozen=True, slots=True)
class _Drawer:
    hours: Buckets
    t: Texts

    def series(self, words: str, value: Callable[[Hour], Value], together: Callable[[Sequence[Value]], Value]) -> Series:
        return Series(self.t(words), [together([value(hour) for hour in bucket]) for bucket in self.hours])

    def stack(self, name: str, series: Sequence[Series]) -> Chart:
        told = fewest(series, self.t("chart_rest")) or [Series(self.t(f"chart_{name}"), series[0].values)]
        return self._chart(name, told, is_stacked=True)

    def chart(self, name: str, *series: Series, is_size: bool = False) -> Chart:
        return self._chart(name, series, is_size=is_size)

    def _chart(self, name: str, series: Sequence[Series], *, is_stacked: bool = False, is_size: bool = False) -> Chart:
        times = [self._time(bucket[0]) for bucket in self.hours]
        spell = self._spelled_size if is_size else self.t.number
        return Chart(
            title=self.t(f"chart_{name}"),
            summary=self._summary(times, series, spell, is_stacked=is_stacked),
            times=times,
            series=series,
            spell=spell,
            is_stacked=is_stacked,
        )

    def _time(self, hour: Hour) -> str:
        unix_s = hour.hour * HOUR_S
        is_by_hour = len(self.hours[0]) == 1
        return dates.hour(unix_s, self.t.language) if is_by_hour else dates.short_day(unix_s, self.t.language)

    def _spelled_size(self, megabytes: int) -> str:
        return self.t.size(megabytes * MEGABYTE)

    def _summary(self, times: Sequence[str], series: Sequence[Series], spell: Callable[[int], str], *, is_stacked: bool) -> str:
        columns = list(zip(*(each.values for each in series), strict=True))
        together = summed if is_stacked else highest
        known = [(value, place) for place, value in enumerate(map(together, columns)) if value is not None]
        if not known:
            return self.t("chart_nothing")
        most, place = max(known, key=lambda pair: (pair[0], -pair[1]))
        return self.t("chart_summary", start=times[0], end=times[-1], most=spell(most), when=times[place])


def summed(values: Sequence[Value]) -> Value:
    """Of what was measured; None if nothing was."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def highest(values: Sequence[Value]) -> Value:
    return max((value for value in values if value is not None), default=None)


def lowest(values: Sequence[Value]) -> Value:
    return min((value for value in values if value is not None), default=None)


def _all(counts: Mapping[str, int] | None) -> Value:
    return None if counts is None else sum(counts.values())


def _of(counts: Mapping[str, int] | None, name: str) -> Value:
    return None if counts is None else counts.get(name, 0)


def _getter(field: str, name: str) -> Callable[[Hour], Value]:
    return lambda hour: _of(getattr(hour, field), name) if hour.disk_free >= 0 else None


def _size(size_mib: int) -> Value:
    """In decimal megabytes, so that the axis ends at round numbers as people write them."""
    return size_mib * MIB // MEGABYTE if size_mib >= 0 else None
