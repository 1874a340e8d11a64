# SPDX-License-Identifier: AGPL-3.0-or-later
"""The operator's list of other relays, to be changed: for `./razdar peer` and for the console.

Whoever enters a relay meets it first: the certificate that answers there is looked at, so that the operator can compare it with
that relay's operator. A certificate that is not the one that was compared before is never taken silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from razdar.ports.resolver import Peer

Found = Literal["given", "vouched", "known", "first", "nobody"]
"""What is known of a peer's certificate: the operator gave its pin; somebody this machine trusts vouches for it; it is the one that was
compared before; it is seen for the first time; nobody answers there now."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """The entry as it would be written, and what its certificate is worth."""

    peer: Peer
    found: Found


class CertificateChanged(Exception):  # noqa: N818 - a fact about the peer, named like one
    """What answers there is not what was pinned. Nothing was changed."""

    def __init__(self, former: str, seen: str) -> None:
        super().__init__()
        self.former = former
        self.seen = seen


class PeerList(Protocol):
    """All but `read` and `line` touch the disk and raise Trouble if the list has a mistake or cannot be written."""

    def all(self) -> Sequence[Peer]:
        """By name."""

    def read(self, words: Sequence[str]) -> Peer:
        """The entry of a line's words. ValueError with the word that is wrong."""

    def line(self, peer: Peer) -> str:
        """The entry as a line."""

    def meet(self, peer: Peer) -> Meeting:
        """Looks at the certificate there, for up to ten seconds an address, unless the entry has a pin. Raises `CertificateChanged`."""

    def put(self, peer: Peer) -> Peer | None:
        """The list has this entry, in place of the one that is returned."""

    def remove(self, name: str) -> Peer | None:
        """The list has no entry for this name any more; the one it had."""
