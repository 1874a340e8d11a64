# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail from other relays, put together: the way in, and the word that we give for what we send."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from razdar.adapters.confirm import HttpsConfirmer
from razdar.app.ground import Ground
from razdar.app.queue import Queue
from razdar.model.ids import AccountId
from razdar.ports.courier import Consignment, Courier, Line, Outcome
from razdar.services.arrived import Arrived
from razdar.services.audience import Gatherer
from razdar.services.confirmations import Callbacks, Sending
from razdar.services.parcels import Parcels
from razdar.services.peer_budgets import PeerBudgets
from razdar.services.provenance import Provenance
from razdar.services.receive import Receive
from razdar.services.reporter import Reporter


class NotedCourier:
    """A courier whose every consignment can be confirmed to whoever asks back."""

    def __init__(self, courier: Courier, sending: Sending) -> None:
        self._courier = courier
        self._sending = sending

    async def open(self, domain: str) -> Line:
        return _NotedLine(await self._courier.open(domain), self._sending)


class _NotedLine:
    def __init__(self, line: Line, sending: Sending) -> None:
        self._line = line
        self._sending = sending

    async def send(self, consignment: Consignment) -> Outcome:
        self._sending.note(consignment.message)
        return await self._line.send(consignment)

    async def close(self) -> None:
        await self._line.close()


def open_receive(
    ground: Ground,
    gatherer: Gatherer,
    parcels: Parcels,
    queue: Queue,
    reporter: Reporter,
    wake: Callable[[Sequence[AccountId]], None],
    stack: AsyncExitStack,
) -> Receive | None:
    """None where the setting `federation` is off. The keys of the budgets live as long as the process."""
    names, desk, clock, entropy, settings = ground.names, ground.desk, ground.clock, ground.entropy, ground.current
    if not settings().federation:
        return None
    confirmer = HttpsConfirmer()
    stack.push_async_callback(confirmer.close)
    prove = Provenance(names.resolver, names.peers, Callbacks(confirmer, clock, settings), desk, clock, settings)
    budgets, arrived = PeerBudgets(settings(), clock, entropy(32)), Arrived(clock, entropy(32))
    onward, domain, heard_from = queue.outbound, ground.identity.domain, queue.outgoing.heard_from
    return Receive(prove, budgets, arrived, gatherer, parcels, onward, desk, reporter, settings, domain, heard_from, wake)
