# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far the benchmark has come and how long it will still take, as one line written over itself, or as lines where there is no terminal.

The guess is by weights: every step is expected to take so many seconds, and what was needed so far for what was expected corrects the rest.
"""

import sys
import time
from collections.abc import Callable
from typing import TextIO

WIDTH = 24


class Progress:
    """`total_s`: what all steps are expected to take."""

    def __init__(self, total_s: float, out: TextIO = sys.stderr, clock: Callable[[], float] = time.monotonic) -> None:
        self._total_s, self._done_s = total_s, 0.0
        self._out, self._clock, self._start = out, clock, clock()
        self._length = 0

    def begin(self, what: str) -> None:
        """`what` runs now."""
        share = min(1.0, self._done_s / self._total_s)
        bar = "█" * round(share * WIDTH)
        self._show(f"{bar:·<{WIDTH}} {share:4.0%}  {what}{self._left()}")

    def done(self, expected_s: float) -> None:
        """A step that was expected to take so long is over."""
        self._done_s += expected_s

    def left_s(self) -> float | None:
        """Seconds to go; None before the first step is over."""
        if not self._done_s:
            return None
        return (self._clock() - self._start) / self._done_s * (self._total_s - self._done_s)

    def _left(self) -> str:
        left = self.left_s()
        if left is None:
            return ""
        return f", about {left / 60:.0f} min left" if left >= 90 else f", about {left:.0f} s left"

    def _show(self, line: str) -> None:
        is_live = self._out.isatty()
        self._out.write(f"\r{line:{self._length}}" if is_live else line + "\n")
        self._out.flush()
        self._length = len(line) if is_live else 0

    def end(self) -> None:
        """The line is gone."""
        if self._length:
            self._out.write("\r" + " " * self._length + "\r")
            self._out.flush()
