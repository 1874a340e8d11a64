# SPDX-License-Identifier: AGPL-3.0-or-later
"""How often something may happen: token buckets, and a bounded book of them.

Time is passed in, in seconds of a clock that only goes forward. The book lives in RAM only and forgets the bucket that was used longest ago
when it is full; that one is most likely full again anyway, and a forgotten bucket counts as full.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

KEYS_MAX = 100_000
"""About 20 MB when full."""


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """Holds up to `burst` tokens and gains `per_second` of them; whoever takes one may go."""

    burst: float
    per_second: float
    tokens: float
    at_s: float

    @classmethod
    def full(cls, burst: float, per_second: float, now_s: float) -> "TokenBucket":
        return cls(burst, per_second, burst, now_s)

    def refilled(self, now_s: float) -> "TokenBucket":
        """The same bucket at `now_s`; a clock that went back gives nothing and takes nothing."""
        gained = max(0.0, now_s - self.at_s) * self.per_second
        return replace(self, tokens=min(self.burst, self.tokens + gained), at_s=max(now_s, self.at_s))

    def take(self, now_s: float) -> tuple["TokenBucket", bool]:
        """The bucket afterwards, and whether there was a token to take."""
        bucket = self.refilled(now_s)
        return (replace(bucket, tokens=bucket.tokens - 1), True) if bucket.tokens >= 1 else (bucket, False)

    def spend(self, amount: float, now_s: float) -> "TokenBucket":
        """So much has happened; the bucket may owe it, and holds nothing until that is paid."""
        bucket = self.refilled(now_s)
        return replace(bucket, tokens=bucket.tokens - amount)


class RateBook:
    """One bucket for each key; keys are opaque bytes (account ids), never addresses."""

    def __init__(self, per_minute: float, burst: float, keys_max: int = KEYS_MAX) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._keys_max = keys_max
        self._buckets: OrderedDict[bytes, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: bytes, now_s: float) -> bool:
        """Whether it may happen now; if so it is counted."""
        bucket, may_go = self._bucket(key, now_s).take(now_s)
        self._put(key, bucket)
        return may_go

    def spend(self, key: bytes, amount: float, now_s: float) -> None:
        """So much has happened, whether there was enough for it or not: for what is only measured when it is over."""
        self._put(key, self._bucket(key, now_s).spend(amount, now_s))

    def give_back(self, key: bytes, now_s: float) -> None:
        """What was taken last should not have been counted."""
        bucket = self._bucket(key, now_s).refilled(now_s)
        self._buckets[key] = replace(bucket, tokens=min(self._burst, bucket.tokens + 1))

    def has(self, key: bytes, now_s: float) -> bool:
        """Whether it may happen now; nothing is counted."""
        return self._bucket(key, now_s).refilled(now_s).tokens >= 1

    def _put(self, key: bytes, bucket: TokenBucket) -> None:
        self._buckets[key] = bucket
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._keys_max:
            self._buckets.popitem(last=False)

    def _bucket(self, key: bytes, now_s: float) -> TokenBucket:
        return self._buckets.get(key) or TokenBucket.full(self._burst, self._per_second, now_s)
