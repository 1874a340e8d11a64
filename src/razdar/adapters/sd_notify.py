# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells a supervisor such as systemd that the relay is ready, alive or ending: sd_notify(3), one datagram to $NOTIFY_SOCKET.

Where nothing supervises, nothing is sent. A datagram that cannot be delivered is dropped: the relay goes on, and the supervisor acts.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Supervisor:
    """Reads the environment once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.period_s = _watchdog_s(environment) / 2 if self._address else 0.0
        """How often `alive` is expected, as systemd advises: twice in the time it waits. 0: never."""

    def ready(self) -> None:
        """Every listener accepts."""
        self._send(b"READY=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send(b"STOPPING=1")

    def alive(self) -> None:
        """Restarts us if it is not told so in time."""
        self._send(b"WATCHDOG=1")

    async def keep_alive(self) -> None:
        """Until cancelled. An event loop that stands still tells nothing, and that is how it is noticed."""
        while self.period_s:
            self.alive()
            await asyncio.sleep(self.period_s)

    def _send(self, state: bytes) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(state, self._address)


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """sd_watchdog_enabled(3): 0 if it is off or meant for another process."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isdecimal() else 0.0
