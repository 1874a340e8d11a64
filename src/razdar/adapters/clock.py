# SPDX-License-Identifier: AGPL-3.0-or-later
"""The machine's clocks."""

import time


class SystemClock:
    """`ports.clock.Clock` on this machine."""

    def now(self) -> int:
        return int(time.time())

    def monotonic(self) -> float:
        return time.monotonic()
