# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar status`: the counts of the running relay; there is nothing about a single person to show."""

import argparse
import json

from razdar.cli.terminal import say
from razdar.servers.control import ask


def run(arguments: argparse.Namespace) -> int:
    """Prints one line for each count, or all as JSON."""
    counts = ask(arguments.data, {"op": "status"})
    if arguments.json:
        say(json.dumps(counts, indent=2, ensure_ascii=False))
        return 0
    width = max((len(name) for name in counts), default=0)
    say(*(f"{name.replace('_', ' '):<{width}}  {_shown(value)}" for name, value in counts.items()))
    return 0


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
