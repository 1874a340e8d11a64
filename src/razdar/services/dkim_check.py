# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who signed a message that comes from another relay, with keys from the operator's entries or from DNS.

Only signatures of the domain in `From:` are looked at, for no other can count (policy/alignment.py); so a message causes look-ups in that
domain only, and at most `SIGNATURES_MAX` of them. When DNS does not answer the outcome is "undecided", never "not signed": the peer
comes again and nothing is lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from razdar.policy.alignment import Proof
from razdar.ports.crew import Crew, CrewBusy
from razdar.ports.resolver import NoSuchName, PeerBook, Resolver, ResolverUnavailable
from razdar.services.off_loop import off_loop
from razdar.vault.dkim_key import verify
from razdar.wire.address_field import only_address
from razdar.wire.dkim.message import SignedMessage
from razdar.wire.dkim.signature import Signature
from razdar.wire.mime import FIELDS_MAX, HEADER_BYTES_MAX, MimeError

INLINE_BYTES = 1_048_576
"""Hashing of a message up to this size takes less than 2 ms, more is done off the event loop."""
RECORDS_MAX = 4
"""Key records tried for one signature; there should be one (RFC 6376 section 3.6.2.2)."""

UNANSWERED_MAX = 2
"""Questions of one message that nobody answers; then it is undecided. Each may hold one of few places for seconds."""


@dataclass(frozen=True, slots=True)
class _Keys:
    records: Sequence[bytes]
    is_sure: bool
    """Nothing else can be the key: the operator entered it or DNS answered just now."""


async def proven_domains(
    message: bytes,
    resolver: Resolver,
    peers: PeerBook,
    now: int,
    *,
    crew: Crew,
    header_bytes: int = HEADER_BYTES_MAX,
    header_fields: int = FIELDS_MAX,
) -> Proof:
    """Whether the domain in `From:` signed the message. `now` in unix seconds. Large messages are hashed by `crew`. Raises nothing."""
    try:
        signed = SignedMessage(message, header_bytes=header_bytes, header_fields=header_fields)
    except MimeError:
        return Proof()
    author = only_address(signed.fields, "from", skip_comment=True)
    undecided, unanswered = False, 0
    for signature in signed.signatures() if author is not None else ():
        if author is None or signature.domain != author.domain:
            continue
        keys = await _keys(signature, resolver, peers)
        try:
            is_good = await off_loop(crew, _checks(signed, signature, keys.records, now), len(message), INLINE_BYTES)
        except CrewBusy:
            is_good, undecided = False, True
        if is_good:
            mark = signature.value if "message-id" in signature.signed else b""
            return Proof(proven=frozenset({author.domain}), mark=mark)
        undecided = undecided or not keys.is_sure
        unanswered += not keys.is_sure and not keys.records
        if unanswered >= UNANSWERED_MAX:
            break
    return Proof(undecided=frozenset({author.domain})) if author is not None and undecided else Proof()


async def _keys(signature: Signature, resolver: Resolver, peers: PeerBook) -> _Keys:
    """A peer with entered keys has these and no others; DNS is not asked."""
    peer = peers.find(signature.domain)
    if peer is not None and peer.dkim:
        return _Keys([record for selector, record in peer.dkim if selector.lower() == signature.selector], is_sure=True)
    try:
        answer = await resolver.txt(signature.key_name)
    except NoSuchName:
        return _Keys((), is_sure=True)
    except ResolverUnavailable:
        return _Keys((), is_sure=False)
    return _Keys(answer.values[:RECORDS_MAX], is_sure=not answer.is_remembered)


def _checks(signed: SignedMessage, signature: Signature, records: Sequence[bytes], now: int) -> Callable[[], bool]:
    return lambda: any(signed.check(signature, record, verify, now) for record in records)
