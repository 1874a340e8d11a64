# SPDX-License-Identifier: AGPL-3.0-or-later
"""A line to one host: `/mxdeliv` where it works, SMTP where it does not, both kept open as long as messages come."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from razdar.adapters.courier.memory import BROKEN_S, Memory
from razdar.adapters.courier.mxdeliv import HttpsWay, open_https
from razdar.adapters.courier.patience import Patience
from razdar.adapters.courier.race import Attempt, first
from razdar.adapters.courier.smtp import SmtpWay, open_smtp
from razdar.adapters.courier.stream import Contexts
from razdar.adapters.courier.ways import Host, OtherWay, Way
from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.ports.courier import Consignment, Outcome, Reason, Unreachable

W = TypeVar("W", bound=Way)

SINGLY_MAX = 50
"""Recipients asked for one by one over HTTPS when SMTP is out of reach; the rest is refused for now and comes again."""
NOT_ASKED = Refusal(452, "4.5.3", "Too many recipients at once for the other relay, the rest comes later")


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections to hosts, and learns from what happens."""

    name: str
    contexts: Contexts
    memory: Memory
    patience: Patience

    async def either(self, host: Host) -> HttpsWay | SmtpWay:
        """By whichever way answers, the better one first. Unreachable if neither does."""
        https, smtp = self._over_https(host), self._over_smtp(host)
        attempts: list[Attempt[HttpsWay | SmtpWay]] = []
        if not self.memory.avoids_https(host.key):
            attempts += [*https, *_later(self.patience.next_way, smtp)]
        else:
            attempts += [*smtp, *_later(self.patience.second_choice, https)]
        return await first(attempts)

    async def https(self, host: Host) -> HttpsWay:
        return await first(self._over_https(host))

    async def smtp(self, host: Host) -> SmtpWay:
        """Unreachable if not; then HTTPS, whatever was remembered of it, is worth another try."""
        try:
            return await first(self._over_smtp(host))
        except Unreachable:
            self.memory.favour_https(host.key)
            raise

    def _over_https(self, host: Host) -> Sequence[Attempt[HttpsWay]]:
        return self._attempts(host, host.https_port, self._https)

    def _over_smtp(self, host: Host) -> Sequence[Attempt[SmtpWay]]:
        return self._attempts(host, host.smtp_port, self._smtp)

    def _attempts(self, host: Host, port: int, connect: Callable[[Host, str], Awaitable[W]]) -> Sequence[Attempt[W]]:
        def attempt(address: str) -> Callable[[], Awaitable[W]]:
            return lambda: self._bounded(f"{address} {port}", lambda: connect(host, address))

        return [(self.patience.next_address, attempt(address)) for address in self.memory.sorted(host.addresses, port)]

    async def _bounded(self, place: str, connect: Callable[[], Awaitable[W]]) -> W:
        try:
            async with asyncio.timeout(self.patience.hello):
                way = await connect()
        except TimeoutError:
            raise Unreachable(Reason.BROKEN_OFF) from None
        except Unreachable as gone:
            if gone.reason is Reason.NOT_CONNECTED:
                self.memory.dead(place)
            raise
        self.memory.alive(place)
        return way

    async def _https(self, host: Host, address: str) -> HttpsWay:
        return await open_https(host, address, self.contexts, self.patience)

    async def _smtp(self, host: Host, address: str) -> SmtpWay:
        return await open_smtp(host, address, self.name, self.contexts, self.patience)


class RelayLine:
    """`ports.courier.Line` to one host."""

    def __init__(self, host: Host, dialer: Dialer, way: HttpsWay | SmtpWay) -> None:
        self._host = host
        self._dialer = dialer
        self._https = way if isinstance(way, HttpsWay) else None
        self._smtp = way if isinstance(way, SmtpWay) else None
        self._is_dead = False

    async def send(self, consignment: Consignment) -> Outcome:
        if self._is_dead:
            raise Unreachable(Reason.BROKEN_OFF)
        self._is_dead = True  # until this has gone well; also if the caller loses patience
        try:
            outcome = await self._send(consignment)
        except BaseException:
            self._abort()
            raise
        self._is_dead = False
        return outcome

    async def close(self) -> None:
        if not self._is_dead:
            self._is_dead = True
            await asyncio.gather(*(way.close() for way in (self._https, self._smtp) if way is not None))
        self._abort()

    def _abort(self) -> None:
        for way in (self._https, self._smtp):
            if way is not None:
                way.abort()

    async def _send(self, consignment: Consignment) -> Outcome:
        memory, key = self._dialer.memory, self._host.key
        if self._https is None or not memory.fits(key, len(consignment.message)):
            return await self._send_by_smtp(consignment)
        try:
            outcome = await self._send_by_https(consignment)
        except OtherWay as other:
            self._learn(other, len(consignment.message))
            return await self._send_otherwise(consignment, other.refusal)
        memory.favour_https(key)
        return outcome

    async def _send_by_https(self, consignment: Consignment) -> Outcome:
        """On the open connection, or a fresh one if the host has closed it meanwhile."""
        assert self._https is not None
        if self._https.is_stale:
            self._https.abort()
            self._https = await self._dialer.https(self._host)
        try:
            return await self._https.send(consignment)
        except Unreachable:
            self._dialer.memory.avoid_https(self._host.key, BROKEN_S)  # it went silent with a whole message; the next goes the other way
            raise

    def _learn(self, other: OtherWay, size_bytes: int) -> None:
        if other.is_too_big:
            self._dialer.memory.too_big(self._host.key, size_bytes)
        if other.avoid_s:
            self._dialer.memory.avoid_https(self._host.key, other.avoid_s)
            if self._https is not None:
                self._https.abort()
            self._https = None

    async def _send_by_smtp(self, consignment: Consignment) -> Outcome:
        """As over HTTPS: servers end a dialogue in which nothing is said for some minutes."""
        if self._smtp is not None and self._smtp.is_stale:
            self._smtp.abort()
            self._smtp = None
        if self._smtp is None:
            self._smtp = await self._dialer.smtp(self._host)
        return await self._smtp.send(consignment)

    async def _send_otherwise(self, consignment: Consignment, refusal: Refusal | None) -> Outcome:
        """Over SMTP, which has a verdict for each recipient; if that is out of reach, each recipient alone."""
        try:
            return await self._send_by_smtp(consignment)
        except Unreachable:
            if refusal is None or self._smtp is not None:
                raise
        return await self._send_singly(consignment)

    async def _send_singly(self, consignment: Consignment) -> Outcome:
        refused: dict[Address, Refusal] = dict.fromkeys(consignment.recipients[SINGLY_MAX:], NOT_ASKED)
        for person in consignment.recipients[:SINGLY_MAX]:
            try:
                outcome = await self._send_by_https(replace(consignment, recipients=(person,)))
            except (OtherWay, Unreachable):
                refused[person] = NOT_ASKED
            else:
                refused.update(outcome.refused)
        return Outcome(refused)


def _later(seconds: float, attempts: Sequence[Attempt[W]]) -> Sequence[Attempt[W]]:
    """The first of them gets a different head start for those before it."""
    return [(seconds, attempts[0][1]), *attempts[1:]] if attempts else []
