# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the relay listens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listener:
    """One open socket. `name` as in `settings.port_layout`."""

    name: str
    address: str
    port: int
