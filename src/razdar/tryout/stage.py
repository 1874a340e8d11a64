# SPDX-License-Identifier: AGPL-3.0-or-later
"""The terminal of `./razdar try`: what happens, in columns, with the time since the beginning.

Text that may run from right to left stands last on its line, so that the columns before it stay where they are.
"""

import time

from razdar.cli.terminal import say


class Stage:
    """Begins with its first line."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def chapter(self, persian: str, english: str) -> None:
        """A heading in both languages."""
        say("", f"  {persian}", f"  {english}")

    def line(self, text: str) -> None:
        say(f"  {time.monotonic() - self._begin:6.2f} s   {text}")

    def speech(self, writer: str, readers: str, took_s: float, text: str) -> None:
        """One message: from whom to whom, how long until the last of them had it, and the words."""
        self.line(f"{writer:<6}→ {readers:<13}{took_s * 1000:6.0f} ms   {text}")
