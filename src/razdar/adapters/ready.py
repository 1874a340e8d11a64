# SPDX-License-Identifier: AGPL-3.0-or-later
"""DIR/run/ready.json: where the relay listens, for scripts that started it.

The file is there exactly while every listener accepts; whoever waits for it needs to wait for nothing else.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from razdar.adapters.files import private_folder, write_private
from razdar.model.listener import Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What the relay knows about itself when every listener accepts."""

    pid: int
    domain: str
    version: str
    listeners: Sequence[Listener]
    page: str
    """Address of the relay's page, as a phone in the room can open it."""
    fingerprint: str
    """SHA-256 of the certificate; empty if a person need not compare it, because a CA signed it."""
    data: Path


def ready_path(data: Path) -> Path:
    return data / "run" / "ready.json"


def write_ready(ready: Ready) -> None:
    """The file is there and whole."""
    listeners = [asdict(each) for each in ready.listeners]
    content = {"pid": ready.pid, "domain": ready.domain, "version": ready.version, "listeners": listeners}
    private_folder(ready_path(ready.data).parent)
    write_private(ready_path(ready.data), f"{json.dumps(content, indent=2)}\n".encode())


def remove_ready(data: Path) -> None:
    """The file is gone: at the end, and at the start in case the last run could not."""
    ready_path(data).unlink(missing_ok=True)
