# SPDX-License-Identifier: AGPL-3.0-or-later
"""What both ways to a relay have in common: where it is, and how one says that a message must go the other way."""

from dataclasses import dataclass
from typing import Protocol

from razdar.model.verdict import Refusal
from razdar.policy.trust import Trust
from razdar.ports.courier import Consignment, Outcome


@dataclass(frozen=True, slots=True)
class Host:
    """One host that takes mail for a domain."""

    name: str
    """For TLS and HTTP: its name, or its address where it has none."""
    trust: Trust
    https_port: int
    smtp_port: int
    addresses: tuple[str, ...]

    @property
    def key(self) -> str:
        """Under which it is remembered."""
        return f"{self.name}:{self.https_port}:{self.smtp_port}"


class OtherWay(Exception):  # noqa: N818 - not an error: what to do next
    """This message cannot go over HTTPS, and surely has not. The text is empty."""

    def __init__(self, avoid_s: float = 0.0, *, is_too_big: bool = False, refusal: Refusal | None = None) -> None:
        super().__init__()
        self.avoid_s = avoid_s
        """How long other messages should not try, either."""
        self.is_too_big = is_too_big
        self.refusal = refusal
        """Said to all recipients together, and perhaps meant for one of them."""


class Way(Protocol):
    """An open connection of either kind."""

    async def send(self, consignment: Consignment) -> Outcome:
        """As `ports.courier.Line.send`; over HTTPS also OtherWay."""

    async def close(self) -> None: ...

    def abort(self) -> None: ...
