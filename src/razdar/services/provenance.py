# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a message really from the domain in its `From:`? The ways that policy/proof.py names are tried one after the other.

"Nobody can tell now" and "no" are different answers: the first asks the peer to come again, so that mail is not lost because DNS is dead.
"""

from collections.abc import Callable

from razdar.model.arrival import Arrival
from razdar.model.verdict import ACCEPT, Refusal, Verdict
from razdar.policy.alignment import require_alignment
from razdar.policy.ip import literal_of
from razdar.policy.proof import Way, ways_to_prove
from razdar.ports.clock import Clock
from razdar.ports.confirm import Place
from razdar.ports.crew import Crew
from razdar.ports.resolver import Peer, PeerBook, Resolver
from razdar.services.confirmations import Callbacks
from razdar.services.dkim_check import proven_domains
from razdar.settings import Settings
from razdar.wire.smtp import replies

HTTPS_PORT = 443


class Provenance:
    """Proves or refuses."""

    def __init__(
        self, resolver: Resolver, peers: PeerBook, callbacks: Callbacks, crew: Crew, clock: Clock, settings: Callable[[], Settings]
    ) -> None:
        self._resolver = resolver
        self._peers = peers
        self._callbacks = callbacks
        self._crew = crew
        self._clock = clock
        self._settings = settings

    async def __call__(self, arrival: Arrival, domain: str, message: bytes) -> Verdict:
        """Accept: the message, whose only author is of `domain` (lower case), is from there. `Signed` if that was the proof.

        Raises nothing.
        """
        peer = self._peers.find(domain)
        entered, has_keys = (peer.addresses, bool(peer.dkim)) if peer is not None else ((), False)
        refusals: list[Refusal] = []
        for way in ways_to_prove(domain, arrival.source, entered=entered, has_keys=has_keys):
            verdict = await self._try(way, arrival, domain, peer, message)
            if not isinstance(verdict, Refusal):
                return verdict
            refusals.append(verdict)
        later = next((refusal for refusal in refusals if refusal.is_temporary), None)
        return later or (refusals[0] if refusals else replies.NOT_CONFIRMED)

    async def _try(self, way: Way, arrival: Arrival, domain: str, peer: Peer | None, message: bytes) -> Verdict:
        if way is Way.SOURCE:
            return ACCEPT
        if way is Way.SIGNATURE:
            bounds = self._settings().header_bounds
            proof = await proven_domains(message, self._resolver, self._peers, self._clock.now(), crew=self._crew, **bounds)
            return require_alignment(domain, proof)
        return await self._callbacks(arrival, _place(domain, peer), message, is_entered=peer is not None)


def _place(domain: str, peer: Peer | None) -> Place:
    if peer is not None:
        return Place(peer.addresses[0], peer.https_port, peer.pin)
    literal = literal_of(domain)
    assert literal is not None, "without an address there is no such way"
    return Place(literal, HTTPS_PORT, "")
