# SPDX-License-Identifier: AGPL-3.0-or-later
"""AUTHENTICATE before its answer is there: not a command yet; it becomes a Login."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SaslStart:
    """AUTHENTICATE. `initial` is the answer as sent along (base64; `=` means empty), None if it is still to come."""

    tag: str
    mechanism: str
    initial: bytes | None = field(default=None, repr=False)
