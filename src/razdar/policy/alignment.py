# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail from other relays is from whom it says: the domain of `From:` itself has signed it.

Strict: `d=` is the very domain, not one above or below it as on other chatmail relays. Who hands the message over does not matter, so
there is no SPF. Domain literals cannot have keys in DNS; they are proven in another way or not at all.
"""

from dataclasses import dataclass

from razdar.model.verdict import ACCEPT, Verdict
from razdar.wire.smtp.replies import DKIM_LATER, NO_DKIM


@dataclass(frozen=True, slots=True)
class Proof:
    """What the signatures of a message are worth."""

    proven: frozenset[str] = frozenset()
    """Domains that signed it."""
    undecided: frozenset[str] = frozenset()
    """Domains that may have signed it: their keys cannot be looked up now."""


def require_alignment(author_domain: str, proof: Proof) -> Verdict:
    """Accepts what `author_domain` (lower case) has signed; a temporary refusal if that cannot be told now."""
    if author_domain in proof.proven:
        return ACCEPT
    return DKIM_LATER if author_domain in proof.undecided else NO_DKIM
