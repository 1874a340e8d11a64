# SPDX-License-Identifier: AGPL-3.0-or-later
"""Random numbers of the store: the id of a body and an entry's part of its body's balance (ports/store.py)."""

from razdar.model.ids import BodyId
from razdar.ports.clock import Entropy


def random_body_id(entropy: Entropy) -> BodyId:
    """1 to 2**63 - 1."""
    return BodyId(int.from_bytes(entropy(8), "big") >> 1 or 1)


def random_share(entropy: Entropy) -> int:
    """1 to 2**62 - 1, so that a sum of shares says nothing about how many there are."""
    return int.from_bytes(entropy(8), "big") >> 2 or 1
