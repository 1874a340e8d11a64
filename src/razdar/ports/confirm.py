# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asking the address that a message names whether the message is from there."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask."""

    address: str = field(repr=False)
    """An IP address as text."""
    https_port: int
    pin: str
    """SHA-256 of the certificate that must answer (DER) in lower-case hex; empty: any may, as for every address literal."""


class Unanswered(Exception):  # noqa: N818 - a state of the other side, named like one
    """Nobody could be asked now. Temporary."""


class Confirmer(Protocol):
    """The question over the network."""

    async def ask(self, place: Place, digest: bytes) -> bool:
        """Whether the relay there says that it is sending the message with this digest. One small request, in bounded time; raises
        `Unanswered` and nothing else."""
