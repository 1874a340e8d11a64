# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bodies that came a moment ago, in RAM: a device that waits fetches its message seconds after it was delivered and needs no disk for
that.

Encrypted as on disk; the keys are in the seals.
"""

from collections import OrderedDict
from collections.abc import Iterable

from razdar.model.ids import BodyId

BUDGET_BYTES = 32 * 1024 * 1024


class FreshBodies:
    """The latest blobs up to a budget, oldest out first. Belongs to the event loop."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._blobs: OrderedDict[BodyId, bytes] = OrderedDict()
        self._size_bytes = 0

    def add(self, body: BodyId, blob: bytes) -> None:
        """`find` answers the blob for a while; one that is larger than an eighth of the budget is left to the disk."""
        if len(blob) > self._budget_bytes // 8:
            return
        self.drop([body])
        self._blobs[body] = blob
        self._size_bytes += len(blob)
        while self._size_bytes > self._budget_bytes:
            self._size_bytes -= len(self._blobs.popitem(last=False)[1])

    def find(self, body: BodyId) -> bytes | None:
        return self._blobs.get(body)

    def drop(self, bodies: Iterable[BodyId]) -> None:
        """These are gone from the store, so they are gone here."""
        for body in bodies:
            blob = self._blobs.pop(body, None)
            if blob is not None:
                self._size_bytes -= len(blob)

    def clear(self) -> None:
        self._blobs.clear()
        self._size_bytes = 0
