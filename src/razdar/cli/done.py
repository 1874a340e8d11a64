# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands that work without the relay tell one that runs what was done, by its kind, for the console's log of actions."""

from contextlib import suppress
from pathlib import Path

from razdar.model.trouble import Trouble
from razdar.servers.control import ask, control_path


def note_done(data: Path, kind: str) -> None:
    """It stands in the log if a relay runs; none running is fine."""
    if control_path(data).exists():
        with suppress(Trouble):
            ask(data, {"op": "done", "done": kind})
