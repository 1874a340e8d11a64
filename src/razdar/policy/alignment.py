# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail from other relays is from whom it says: the domain of `From:` itself has signed it.

Strict: `d=` is the very domain, not one above or below it as on other chatmail relays. Who hands the message over does not matter, so
there is no SPF. Domain literals cannot have keys in DNS; they are proven in another way or not at all.
"""

from dataclasses import dataclass, field

from razdar.model.verdict import ACCEPT, Accept, Verdict
from razdar.wire.smtp.replies import DKIM_LATER, NO_DKIM


@dataclass(frozen=True, slots=True)
class Proof:
    """What the signatures of a message are worth."""

    proven: frozenset[str] = frozenset()
    """Domains that signed it."""
    undecided: frozenset[str] = frozenset()
    """Domains that may have signed it: their keys cannot be looked up now."""
    mark: bytes = field(default=b"", compare=False)
    """The signature that proved it, if that tells one message from another: it covers a `Message-ID`."""


@dataclass(frozen=True, slots=True)
class Signed(Accept):
    """It is from whom it says. Whoever brings the same `mark` again brings the same message, whatever he wrote beside it."""

    mark: bytes


def require_alignment(author_domain: str, proof: Proof) -> Verdict:
    """Accepts what `author_domain` (lower case) has signed; a temporary refusal if that cannot be told now."""
    if author_domain in proof.proven:
        return Signed(proof.mark) if proof.mark else ACCEPT
    return DKIM_LATER if author_domain in proof.undecided else NO_DKIM
