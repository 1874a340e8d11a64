# SPDX-License-Identifier: AGPL-3.0-or-later
"""What has come from other relays lately, and for whom, so that a message that is brought again arrives once.

A relay that did not hear our answer, because the line broke in that moment, brings the message again, and rightly so. Others bring again
what somebody signed and gave to them, with fields of theirs beside, so a signed message is known by its signature. In RAM only, as
hashes under a key of this process; after a restart such a message may arrive twice, and the apps drop the second by its `Message-ID`.
"""

from collections import OrderedDict
from hashlib import blake2b

from razdar.model.ids import AccountId
from razdar.ports.clock import Clock

KEPT_S, KEPT_MAX = 172_800.0, 200_000
"""Two days: queues try again within hours. An entry takes about 150 bytes."""

_ANYBODY = AccountId(b"")


class Arrived:
    """Messages by recipient."""

    def __init__(self, clock: Clock, key: bytes) -> None:
        """`key`: 32 random bytes that nobody else has."""
        self._clock = clock
        self._key = key
        self._noted: OrderedDict[bytes, float] = OrderedDict()

    def digest(self, message: bytes, mark: bytes = b"") -> bytes:
        """Of the message as it lies in mailboxes: what relays add on the way makes no other message of it. `mark`: it is known by this."""
        return blake2b(mark or message, key=self._key, person=b"razdar message", digest_size=16).digest()

    def is_again(self, digest: bytes) -> bool:
        """Whether it was taken in before, for whomever."""
        return self.has(digest, _ANYBODY)

    def take_in(self, digest: bytes) -> None:
        """It has been counted for whoever sent it."""
        self.note(digest, _ANYBODY)

    def has(self, digest: bytes, recipient: AccountId) -> bool:
        """Whether the recipient has it already, as far as that is remembered."""
        noted = self._noted.get(digest + recipient)
        return noted is not None and self._clock.monotonic() - noted <= KEPT_S

    def note(self, digest: bytes, recipient: AccountId) -> None:
        """The recipient has it: it is on stable storage."""
        self._noted[digest + recipient] = self._clock.monotonic()
        self._noted.move_to_end(digest + recipient)
        if len(self._noted) > KEPT_MAX:
            self._noted.popitem(last=False)
