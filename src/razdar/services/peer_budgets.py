# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much one other relay may bring, so that it cannot hurt the others or our own people.

Before anything is proven everything counts for the network it comes from, afterwards for the domain as well: a liar uses up his own
network's part and not that of the domain he names, and a relay with many addresses has no more than one with a single one. Whoever has used
up what there is for a minute is asked to come again; nothing is refused for good. In RAM only, under keyed hashes.
"""

from hashlib import blake2b

from razdar.model.address import Address
from razdar.model.arrival import Arrival
from razdar.model.ids import AccountId
from razdar.model.verdict import ACCEPT, Verdict
from razdar.policy.ip import literal_of
from razdar.policy.rate import RateBook
from razdar.ports.clock import Clock
from razdar.services.audience import Origin
from razdar.settings import Settings
from razdar.wire.smtp import replies

REPORTS_PER_HOUR = 60
"""To one author. Whoever has a message that he signed can bring it again with other recipients, as often as we let him."""


class PeerBudgets:
    """The books."""

    def __init__(self, settings: Settings, clock: Clock, key: bytes) -> None:
        """`key`: 32 random bytes that nobody else has."""
        self._clock = clock
        self._key = key
        self._messages = RateBook(settings.peer_messages_per_minute, settings.peer_messages_per_minute)
        self._bytes = RateBook(settings.peer_bytes_per_minute, settings.peer_bytes_per_minute)
        self._unknowns = RateBook(settings.peer_unknown_per_minute, settings.peer_unknown_per_minute)
        self._unproven = RateBook(settings.peer_unproven_per_minute, settings.peer_unproven_per_minute)

        self._reports = RateBook(REPORTS_PER_HOUR / 60, REPORTS_PER_HOUR)

    def may_offer(self, arrival: Arrival) -> Verdict:
        """Whether a message may come from that network; if so it is counted."""
        now = self._clock.monotonic()
        if not self._unproven.has(arrival.network, now):
            return replies.TOO_MANY_UNPROVEN
        return ACCEPT if self._bytes.has(arrival.network, now) and self._messages.take(arrival.network, now) else replies.RATE_EXCEEDED

    def came(self, arrival: Arrival, size_bytes: int) -> None:
        """So much has come from that network."""
        self._bytes.spend(arrival.network, size_bytes, self._clock.monotonic())

    def proved_nothing(self, arrival: Arrival) -> None:
        """And it was from somebody else than it said, or nobody could tell."""
        self._unproven.take(arrival.network, self._clock.monotonic())

    def may_bring(self, domain: str, size_bytes: int) -> Verdict:
        """Whether the proven domain may bring so much more; if so it is counted."""
        key, now = self._domain(domain), self._clock.monotonic()
        if not self._bytes.has(key, now) or not self._messages.take(key, now):
            return replies.RATE_EXCEEDED
        self._bytes.spend(key, size_bytes, now)
        return ACCEPT

    def may_be_told(self, author: Address) -> bool:
        """Whether this author may get one more report; if so it is counted."""
        return self._reports.take(self._hash(b"razdar author", str(author)), self._clock.monotonic())

    def stranger(self, arrival: Arrival) -> Origin:
        """Somebody from there who has proven nothing yet and wants to know who can receive."""
        return Origin(AccountId(arrival.network), arrival.network, unknowns=self._unknowns)

    def origin(self, author: Address, arrival: Arrival, *, is_again: bool) -> Origin:
        """A proven author. `is_again`: his message was brought before, so what it costs is not his relay's, but the bringer's."""
        domain = self._domain(author.domain)
        return Origin(
            AccountId(self._hash(b"razdar author", str(author))),
            arrival.network if is_again else domain,
            peer=AccountId(domain),
            place=AccountId(arrival.network),
            unknowns=self._unknowns,
        )

    def _domain(self, domain: str) -> bytes:
        return self._hash(b"razdar domain", literal_of(domain) or domain)  # one address has many spellings

    def _hash(self, kind: bytes, text: str) -> bytes:
        return blake2b(text.encode(), key=self._key, person=kind, digest_size=16).digest()
