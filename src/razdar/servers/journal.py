# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the relay writes down while it runs: events with counts and kinds, never an address, an IP, a subject or a message id.

An exception is recorded by its type and the places in our own code it passed, with a reference number; its text may hold what a peer sent
and is left out at every level.
"""

import json
import logging
import secrets
import traceback
from collections import Counter
from typing import Any

_LOG = logging.getLogger("razdar")


class Journal:
    """Counts events and logs them as one JSON object a line."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, event: str, amount: int = 1) -> None:
        """Only the number matters."""
        self.counts[event] += amount

    def note(self, event: str, **fields: int | float | str | bool) -> None:
        """Counted and logged. `fields` are numbers and words of our own, never anything a peer sent."""
        self.counts[event] += 1
        _LOG.info("%s", _line(event, fields))

    def detail(self, event: str, **fields: int | float | str | bool) -> None:
        """As `note`, but logged only when the operator asked for details (log_level debug)."""
        self.counts[event] += 1
        _LOG.debug("%s", _line(event, fields))

    def bug(self, error: BaseException) -> str:
        """Logged with a reference number, which is returned; the text of the exception is not."""
        self.counts["bug"] += 1
        reference = secrets.token_hex(4)
        places = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        _LOG.error("%s", _line("bug", {"reference": reference, "kind": type(error).__name__, "places": " ".join(places[-8:])}))
        return reference


def _line(event: str, fields: dict[str, Any]) -> str:
    return json.dumps({"event": event, **fields}, ensure_ascii=True)
