# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is counted of mail that other relays bring: how it went and, if it was refused, whether somebody tried something. Never who."""

from razdar.model.verdict import Refusal, Verdict
from razdar.servers.journal import Journal
from razdar.wire.smtp import replies

_ATTEMPTS = {
    replies.NO_DKIM: "proof.refused",
    replies.NOT_CONFIRMED: "proof.refused",
    replies.OWN_DOMAIN: "proof.refused",
    replies.TOO_MANY_UNPROVEN: "proof.refused",
    replies.RATE_EXCEEDED: "peer.flood",
    replies.TOO_MANY_UNKNOWN: "peer.guessing",
}


def note_incoming(journal: Journal, verdict: Verdict) -> None:
    """One message, or the offer of one, was answered like this."""
    if not isinstance(verdict, Refusal):
        journal.count("incoming.accepted")
        return
    note_attempt(journal, verdict)
    is_proof = _ATTEMPTS.get(verdict) == "proof.refused"
    journal.count("incoming.refused.proof" if is_proof else f"incoming.refused.{verdict.code}")


def note_attempt(journal: Journal, verdict: Verdict) -> None:
    """What was refused is counted among attacks if it is the sign of one; honest relays meet it, too, but seldom."""
    if isinstance(verdict, Refusal) and verdict in _ATTEMPTS:
        journal.count(_ATTEMPTS[verdict])
