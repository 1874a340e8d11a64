"""The machine's clocks."""

import time


class SystemClock:
    """`ports.clock.Clock` on this machine."""

    def now(self) -> int:
        return int(time.time())

    def monotonic(self) -> float:
        return time.monotonic()
