# SPDX-License-Identifier: AGPL-3.0-or-later
"""A relay of ours on a host of the test's network (network.py), with the ports, certificate and names that a relay in the world has."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.network import Host
from tests.lab.relay import Relay


@dataclass
class HostedRelay(Relay):
    """`ports` is standard. `authority`: the file of whom it trusts besides the machine's own list."""

    host: Host = field(kw_only=True)
    authority: Path | None = field(kw_only=True, default=None)

    def __post_init__(self) -> None:
        self.ports, self.bind = "standard", self.host.address
        super().__post_init__()

    def environment(self) -> dict[str, str]:  # type: ignore[override]
        trusted = {"SSL_CERT_FILE": str(self.authority)} if self.authority else {}
        return {**Relay.environment(), **trusted, "PATH": os.environ.get("PATH", os.defpath)}

    def spawn(self, in_child: Callable[[], None] | None = None) -> None:
        def enter() -> None:
            self.host.enter()
            if in_child is not None:
                in_child()

        super().spawn(enter)
