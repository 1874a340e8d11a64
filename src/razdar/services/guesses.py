# SPDX-License-Identifier: AGPL-3.0-or-later
"""Slows down whoever tries passwords: so many logins for one account from one network, then one a minute.

Counted by account and network together, so that nobody can lock the owner out from elsewhere; a device that was here before is recognised
in RAM and never gets here (services/accounts.py). In RAM only, under hashes; a restart forgets it.
"""

from hashlib import blake2b

from razdar.model.address import Address
from razdar.policy.rate import RateBook
from razdar.ports.clock import Clock

AT_ONCE = 20
"""Both connections of five new devices, twice."""


class Guesses:
    """Logins that cost a derivation."""

    def __init__(self, per_hour: int, clock: Clock) -> None:
        self._rates = RateBook(per_hour / 60, min(AT_ONCE, per_hour))
        self._clock = clock

    def may_try(self, address: Address, origin: bytes) -> bool:
        """Whether somebody from there may try a password now; it counts as wrong until `was_right`."""
        return self._rates.take(_key(address, origin), self._clock.monotonic())

    def was_right(self, address: Address, origin: bytes) -> None:
        """It was no guess."""
        self._rates.give_back(_key(address, origin), self._clock.monotonic())


def _key(address: Address, origin: bytes) -> bytes:
    """`origin` is a hash under a key that lives in RAM (servers/admission.py), and so is what is made with it."""
    return blake2b(str(address).encode(), key=origin, person=b"razdar guesses", digest_size=16).digest()
