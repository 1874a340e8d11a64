# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar check`: looks at the machine and at the relay's folder without changing either, and says in words what is wrong.

Each subject is a file here that returns findings; this one asks them in turn. It works before the first start, beside a running relay and
when the relay does not start. It asks nobody on the network.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from razdar.adapters.ready import ready_path
from razdar.checkup import certificate, clock, disk, folder, limits, ports, versions
from razdar.checkup.finding import Finding, Level
from razdar.config import RunConfig
from razdar.environment import CHECKOUT
from razdar.model.trouble import Trouble
from razdar.servers.control import ask

__all__ = ["Finding", "Level", "examine"]


def examine(config: RunConfig, now: datetime.datetime) -> Sequence[Finding]:
    """All findings, in the order in which a person should read them."""
    settings, data = config.settings, config.data
    running = _running(data)
    name = settings.domain or folder.remembered_name(data)
    return [
        *folder.examine(data, settings.domain),
        *ports.examine(settings, running),
        *certificate.examine(config, name, now),
        *clock.examine(now, data, Path(__file__).parents[1]),
        *disk.examine(settings, data, folder.relay_day(data)),
        *limits.examine(settings, running["pid"] if running else None),
        *versions.examine(CHECKOUT / "requirements.lock"),
    ]


def _running(data: Path) -> Mapping[str, Any] | None:
    """The ready file of the relay that answers on this data folder."""
    try:
        ask(data, {"op": "status"})
        ready: Mapping[str, Any] = json.loads(ready_path(data).read_text(encoding="utf-8"))
    except (Trouble, OSError, ValueError):
        return None
    return ready
