# SPDX-License-Identifier: AGPL-3.0-or-later
"""The call-back: how a relay that has only an address proves that a message is its own when it does not come from that address.

Whoever sends remembers for a while, in RAM, digests of what he is sending (`Sending`) and answers for them (wire/confirm.py); whoever
receives asks there once for each message (`Callbacks`). The digest is that of the message as it comes to rest in a mailbox, so that what
relays add on the way changes nothing. It tells nobody anything: whoever knows it has the message.

Nobody can use the question against a third party: it is one small request for one whole message, to a place that may be asked
(policy/proof.py), rarely for each place, and few at a time.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from hashlib import sha256

from razdar.model.arrival import Arrival
from razdar.model.verdict import ACCEPT, Verdict
from razdar.policy.proof import may_call_back
from razdar.policy.rate import RateBook
from razdar.ports.clock import Clock
from razdar.ports.confirm import Confirmer, Place, Unanswered
from razdar.settings import Settings
from razdar.wire.confirm import answer_to
from razdar.wire.hygiene import for_mailbox
from razdar.wire.mime import MimeError
from razdar.wire.smtp import replies

KEPT_S, KEPT_MAX = 900.0, 20_000
"""A peer asks within seconds of receiving; a slow line carries 30 MB in less than 15 minutes."""
AT_ONCE, WAITING_MAX, WAITING_PER_NETWORK = 8, 64, 8
PER_PLACE_PER_MINUTE, PER_PLACE_AND_NETWORK_PER_MINUTE = 300, 60
"""A relay that sends more from a foreign address is asked to come again; nobody is asked more often on a liar's word. A liar uses up what
his own network may have asked there, and not what the relay may that he names."""


def digest_of(message: bytes, settings: Settings) -> bytes:
    """What both sides compute. Raises MimeError."""
    return sha256(for_mailbox(message, **settings.header_bounds)).digest()


class Sending:
    """What this relay is sending, for a while."""

    def __init__(self, clock: Clock, settings: Callable[[], Settings]) -> None:
        self._clock = clock
        self._settings = settings
        self._noted: OrderedDict[bytes, float] = OrderedDict()

    def note(self, message: bytes) -> None:
        """We are about to send this; to be called before each attempt."""
        try:
            digest = digest_of(message, self._settings())
        except MimeError:
            return
        self._noted[digest] = self._clock.monotonic()
        self._noted.move_to_end(digest)
        while len(self._noted) > KEPT_MAX or self._is_old(next(iter(self._noted.values()))):
            self._noted.popitem(last=False)

    def answer(self, digest: bytes) -> bytes | None:
        """Our word that the message with this digest is ours; None: it is not, or no longer."""
        noted = self._noted.get(digest)
        return None if noted is None or self._is_old(noted) else answer_to(digest)

    def _is_old(self, noted: float) -> bool:
        return self._clock.monotonic() - noted > KEPT_S


class Callbacks:
    """Asks, within bounds."""

    def __init__(self, confirmer: Confirmer, clock: Clock, settings: Callable[[], Settings]) -> None:
        self._confirmer = confirmer
        self._clock = clock
        self._settings = settings
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting: Counter[bytes] = Counter()
        self._places = RateBook(PER_PLACE_PER_MINUTE, PER_PLACE_PER_MINUTE)
        self._networks = RateBook(PER_PLACE_AND_NETWORK_PER_MINUTE, PER_PLACE_AND_NETWORK_PER_MINUTE)

    async def __call__(self, arrival: Arrival, place: Place, message: bytes, *, is_entered: bool) -> Verdict:
        """Whether whoever answers at `place` confirms the message. An entered place was the operator's word, so it may be anywhere."""
        if not is_entered and not may_call_back(place.address, arrival.source):
            return replies.NOT_CONFIRMED
        if not self._may_ask(arrival.network, place.address.encode()):
            return replies.CONFIRM_LATER
        self._waiting[arrival.network] += 1
        try:
            async with self._turns:
                is_confirmed = await self._confirmer.ask(place, digest_of(message, self._settings()))
        except Unanswered:
            return replies.CONFIRM_LATER
        finally:
            self._waiting[arrival.network] -= 1
            self._waiting += Counter()  # without those that are through
        return ACCEPT if is_confirmed else replies.NOT_CONFIRMED

    def _may_ask(self, network: bytes, place: bytes) -> bool:
        """Whether there is room for one more question; if so it is counted."""
        if self._waiting.total() >= WAITING_MAX or self._waiting[network] >= WAITING_PER_NETWORK:
            return False
        now_s = self._clock.monotonic()
        return self._networks.take(network + place, now_s) and self._places.take(place, now_s)
