# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where mail from elsewhere comes in: what a door knows of the other side, and no more than the policies need."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Arrival:
    """One connection of another relay, or of somebody who says so."""

    network: bytes
    """Stands for the network it comes from; a hash under a key that lives in RAM (servers/admission.py)."""
    source: str = field(repr=False)
    """The IP address it comes from, for one comparison with a sender's address (policy/proof.py); never stored, logged or shown. Empty:
    unknown."""
