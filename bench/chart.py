# SPDX-License-Identifier: AGPL-3.0-or-later
"""The main numbers of a comparison as an SVG picture, made of text alone: a group of bars for each number, as long as its median, with a
thin line from the lowest to the highest value. Each group has a scale of its own, because seconds and messages do not share one.

Colours are readable on light and dark pages, and every bar has its number beside it, so that nothing depends on them.
"""

from collections.abc import Mapping, Sequence
from html import escape

from bench.summary import ROWS, Row, Summary, times_better

SHOWN = (
    ("pairs", "messages_per_s"),
    ("pairs", "server_cpu_ms_per_message"),
    ("steady", "p50_ms"),
    ("steady", "p99_ms"),
    ("logins", "first_logins_per_s"),
    ("logins", "returning_logins_per_s"),
    ("idle", "kib_per_connection"),
    ("idle", "kib_per_silent_connection"),
    ("waiting", "last_s"),
    ("waiting", "server_cpu_s"),
    ("waiting", "disk_written_mib"),
    ("large", "mb_per_s"),
)
COLOURS = ("#2f7d5b", "#b5651d", "#5b6bb5", "#8a8a8a")
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 760, 300, 120, 14, 14, 46


def chart(summaries: Mapping[str, Summary]) -> str:
    """An SVG document (SVG 1.1)."""
    rows = [row for row in ROWS if (row.case, row.key) in SHOWN and any(row.key in each.get(row.case, {}) for each in summaries.values())]
    group = BAR * len(summaries) + GAP
    height = TOP + group * len(rows) + 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escape(' and '.join(summaries))}: medians with lowest and highest values</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(list(summaries)),
    ]
    for number, row in enumerate(rows):
        parts += _group(row, summaries, TOP + number * group)
    return "\n".join([*parts, "</svg>", ""])


def _legend(names: Sequence[str]) -> list[str]:
    parts = []
    for number, name in enumerate(names):
        x = LEFT + number * 170
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 18}" y="24" fill="#222222">{escape(name)}</text>')
    return parts


def _group(row: Row, summaries: Mapping[str, Summary], y: int) -> list[str]:
    spreads = [summary.get(row.case, {}).get(row.key) for summary in summaries.values()]
    longest = max(spread["high"] for spread in spreads if spread) or 1.0
    better = {True: "more is better", False: "less is better", None: ""}[row.more]
    times = times_better(row, summaries)
    hint = f"{better}, {times:.2g}×" if times else better
    parts = [
        f'<text x="{LEFT - 10}" y="{y + 11}" text-anchor="end" fill="#222222">{escape(row.title.strip())}</text>',
        f'<text x="{LEFT - 10}" y="{y + 24}" text-anchor="end" fill="#666666" font-size="10">{hint}</text>',
    ]
    for number, spread in enumerate(spreads):
        if spread:
            parts += _bar(row, spread, longest, y + number * BAR, COLOURS[number % len(COLOURS)])
    return parts


def _bar(row: Row, spread: Mapping[str, float], longest: float, y: int, colour: str) -> list[str]:
    scale = (WIDTH - LEFT - RIGHT) / longest
    median, low, high = (spread[key] * scale for key in ("median", "low", "high"))
    middle = y + (BAR - 2) / 2
    return [
        f'<rect x="{LEFT}" y="{y}" width="{max(1.0, median):.1f}" height="{BAR - 2}" fill="{colour}"/>',
        f'<line x1="{LEFT + low:.1f}" x2="{LEFT + high:.1f}" y1="{middle}" y2="{middle}" stroke="#222222"/>',
        f'<text x="{LEFT + max(median, high) + 6:.1f}" y="{y + 10}" fill="#222222" font-size="11">'
        f"{spread['median'] * row.factor:.{row.digits}f} {escape(row.unit)}</text>",
    ]
