# SPDX-License-Identifier: AGPL-3.0-or-later
"""How full a mailbox is, told as coarsely as that can be done, and who fills it.

The store must know how full the mailbox of an offline owner is, so it keeps a counter in clear. It counts in units of 1/64 of the quota
(7.8 MB by default), and a message is charged a whole number of units by randomised rounding: 3 kB cost one unit in one of 2600 cases and
nothing in the others. So the expected value is exact, while the counter of an ordinary account stands at 0 and tells no single message.
"""

from collections import OrderedDict

from razdar.model.ids import AccountId

UNITS = 64

RECIPIENTS_MAX = 20_000
SENDERS_MAX = 500
"""For each recipient. An entry takes about 100 bytes."""


def unit_bytes(quota_bytes: int) -> int:
    """Size of one unit in bytes, at least 1."""
    return max(1, quota_bytes // UNITS)


def charge(size_bytes: int, quota_bytes: int, randomness: bytes) -> int:
    """Units for a message: its size rounded down or up to a unit, up with a probability that makes the mean exact.

    `randomness` is uniform, 4 bytes or more.
    """
    units, rest = divmod(size_bytes, unit_bytes(quota_bytes))
    is_rounded_up = int.from_bytes(randomness, "big") * unit_bytes(quota_bytes) < rest << 8 * len(randomness)
    return units + is_rounded_up


def is_full(used_units: int, size_bytes: int, quota_bytes: int) -> bool:
    """Whether a message of `size_bytes` would go over the quota of a mailbox with this counter."""
    return used_units * unit_bytes(quota_bytes) + size_bytes > quota_bytes


class ShareBook:
    """How much of a mailbox each sender fills, so that nobody can stuff another person's mailbox.

    In RAM only: on disk it would be a record of who writes to whom. A restart forgets it, to the sender's favour. Nobody knows which of the
    waiting messages the owner deletes or which expire, so all shares of a mailbox shrink in proportion. Own copies are exempt. Bounded: the
    recipient used longest ago is forgotten first, and of one recipient the smallest shares.
    """

    def __init__(self, recipients_max: int = RECIPIENTS_MAX, senders_max: int = SENDERS_MAX) -> None:
        self._recipients_max = recipients_max
        self._senders_max = senders_max
        self._shares: OrderedDict[AccountId, dict[AccountId, float]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._shares.values()))

    def share_bytes(self, recipient: AccountId, sender: AccountId) -> float:
        """What the sender fills of the recipient's mailbox, as far as that is known."""
        return self._shares.get(recipient, {}).get(sender, 0.0)

    def may_fill(self, recipient: AccountId, sender: AccountId, size_bytes: int, quota_bytes: int, sender_share: float) -> bool:
        """Whether the sender may put `size_bytes` more into this mailbox."""
        return recipient == sender or self.share_bytes(recipient, sender) + size_bytes <= quota_bytes * sender_share

    def add(self, recipient: AccountId, sender: AccountId, size_bytes: int) -> None:
        """The sender fills that much more of the recipient's mailbox."""
        if recipient == sender:
            return
        shares = self._shares.setdefault(recipient, {})
        self._shares.move_to_end(recipient)
        shares[sender] = shares.get(sender, 0.0) + size_bytes
        if len(shares) > self._senders_max:
            self._keep_largest(recipient)
        if len(self._shares) > self._recipients_max:
            self._shares.popitem(last=False)

    def release(self, recipient: AccountId, size_bytes: int) -> None:
        """So much of the recipient's mailbox is free again, whoever had filled it."""
        total = sum(self._shares.get(recipient, {}).values())
        if total:
            self._scale(recipient, 1 - size_bytes / total)

    def pass_day(self, keep_days: int) -> None:
        """A relay day is over: about one part in `keep_days` of what waited has expired."""
        for recipient in list(self._shares):
            self._scale(recipient, 1 - 1 / max(keep_days, 1))

    def forget(self, recipient: AccountId) -> None:
        """The recipient's mailbox is empty, or gone."""
        self._shares.pop(recipient, None)

    def _scale(self, recipient: AccountId, factor: float) -> None:
        """Multiplies all shares of the recipient; what falls below a byte is gone."""
        scaled = {sender: size * factor for sender, size in self._shares[recipient].items() if size * factor >= 1}
        if scaled:
            self._shares[recipient] = scaled
        else:
            self.forget(recipient)

    def _keep_largest(self, recipient: AccountId) -> None:
        """Half of the bound, so that this is rare."""
        by_size = sorted(self._shares[recipient].items(), key=lambda item: item[1], reverse=True)
        self._shares[recipient] = dict(by_size[: max(1, self._senders_max // 2)])
