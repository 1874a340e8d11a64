# SPDX-License-Identifier: AGPL-3.0-or-later
"""Waking up phones that are asleep."""

from enum import Enum
from typing import Protocol


class PushOutcome(Enum):
    """What the notification service said."""

    DELIVERED = "delivered"
    FORGOTTEN = "forgotten"
    """The token is not valid any more."""
    FAILED = "failed"
    """Not reached, or it asked to come again."""


class PushGate(Protocol):
    """The way to the notification service."""

    async def notify(self, token: bytes) -> PushOutcome:
        """One wake-up for one opaque token. Never raises for what the network does."""
