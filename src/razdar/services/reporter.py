# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes delivery reports in this relay's name, with the time and a number of their own. Who may be told what, and how, others decide."""

from collections.abc import Sequence
from dataclasses import dataclass

from razdar.model.address import Address
from razdar.ports.clock import Clock, Entropy
from razdar.services.audience import Failure
from razdar.wire.report import Kind, delivery_report


@dataclass(frozen=True, slots=True)
class Reporter:
    """`domain` is this relay's."""

    domain: str
    clock: Clock
    entropy: Entropy

    def __call__(self, to: Address, failed: Sequence[Failure], original: bytes, kind: Kind = Kind.FAILED) -> bytes:
        """A whole message that tells `to` which recipients of `original` were missed and why; there is at least one."""
        now, nonce = self.clock.now(), self.entropy(12).hex()
        return delivery_report(reporting_domain=self.domain, to=to, failed=failed, original=original, now=now, nonce=nonce, kind=kind)
