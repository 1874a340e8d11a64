# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts the numbers of a kept run into docs/performance.md, between two marks, and its chart beside it. Nothing there is written by hand.

./razdar bench --document bench/results/FILE.json
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.chart import chart
from bench.summary import lines_of

BEGIN, END = "<!-- what ./razdar bench --document writes begins here -->", "<!-- and ends here -->"
CHART = "performance.svg"


def publish(result: Path, docs: Path) -> None:
    """The page shows that run. Raises ValueError if it has no place for it."""
    known = json.loads(result.read_text())
    page = docs / "performance.md"
    page.write_text(replaced(page.read_text(), section(known, result.name)))
    (docs / CHART).write_text(chart(known["summary"]))


def replaced(page: str, text: str) -> str:
    """`page` with `text` between the marks."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError("the page has no place for a result")
    return f"{before}{BEGIN}\n\n{text}\n{END}{after}"


def section(known: Mapping[str, Any], name: str) -> str:
    """Conditions, table and chart as Markdown."""
    names = list(known["summary"])
    head = ["", *names, *(["times better", "goal"] if len(names) == 2 else [])]
    lines = [_conditions(known, name), "", f"| {' | '.join(head)} |", "| --- |" + " --- |" * (len(head) - 1)]
    for row, cells, times, goal in lines_of(known["summary"]):
        title = f"{row.title.strip()}, {row.unit}" if row.unit else row.title.strip()
        lines.append(f"| {' | '.join([title, *cells, *([times, goal] if len(names) == 2 else [])])} |")
    return "\n".join([*lines, "", f"![{' and '.join(names)}, medians with lowest and highest values]({CHART})", ""])


def _conditions(known: Mapping[str, Any], name: str) -> str:
    machine, asked = known["machine"], known["asked"]
    busy = [spread["median"] for summary in known["summary"].values() for case in summary.values() if (spread := case.get("others_cores"))]
    lines = (
        f"Run of {known['date']}, commit {known['commit']}: {machine['cores']} cores of {machine['processor']}, {machine['memory_gib']}",
        f"GiB, {machine['file_system']}, Linux {machine['kernel']}, Python {machine['python']}. Medians of {asked['runs']} with lowest and",
        f"highest values; {asked['waiting']} entries waiting for {asked['connections']} other people. Other programs used",
        f"{min(busy, default=0):.2f} to {max(busy, default=0):.2f} cores meanwhile (medians of the cases).",
        f"All numbers: `bench/results/{name}`.",
    )
    return "\n".join(lines)
