# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail from elsewhere without sockets: a `World` with a way in, a DNS that knows one other relay, and somebody who answers call-backs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from tests.mail.make import encrypted_message
from tests.service_world import DOMAIN, World

from razdar.adapters.dkim_key import DkimKey
from razdar.adapters.memory.names import MemoryPeers, MemoryResolver
from razdar.model.address import Address
from razdar.model.arrival import Arrival
from razdar.model.ids import MailboxId
from razdar.model.message import Envelope
from razdar.model.verdict import Verdict
from razdar.ports.confirm import Place, Unanswered
from razdar.ports.resolver import Peer
from razdar.services.accounts import Login
from razdar.services.arrived import Arrived
from razdar.services.confirmations import Callbacks
from razdar.services.parcels import Parcel
from razdar.services.peer_budgets import PeerBudgets
from razdar.services.provenance import Provenance
from razdar.services.receive import Receive
from razdar.wire.dkim.sign import sign

PEER = "peer.example"
AUTHOR = Address("parisa123", PEER)
SELECTOR = "sel"
SOURCE = "198.51.100.9"
HERE = Arrival(b"n" * 16, SOURCE)


@cache
def _made(number: int) -> DkimKey:
    return DkimKey.generate()


def dkim_key(number: int = 0) -> DkimKey:
    return _made(number)


def signed(message: bytes, domain: str = PEER, number: int = 0) -> bytes:
    return sign(message, domain=domain, selector=SELECTOR, signer=dkim_key(number)) + message


def letter(author: Address = AUTHOR, size_bytes: int = 1500, seed: int = 0, recipients: int = 1) -> bytes:
    """Encrypted, not signed."""
    return encrypted_message(str(author), ["x"] * recipients, size_bytes, seed)


def entry(name: str, *addresses: str, dkim: Sequence[tuple[str, bytes]] = (), pin: str = "", https_port: int = 443) -> Peer:
    return Peer(name, addresses, https_port, 25, pin, tuple(dkim), is_confirmed=True)


@dataclass
class FakeConfirmer:
    """Says yes to what is in `known`; None: nobody answers."""

    known: set[bytes] | None = field(default_factory=set)
    asked: list[Place] = field(default_factory=list)

    async def ask(self, place: Place, digest: bytes) -> bool:
        self.asked.append(place)
        if self.known is None:
            raise Unanswered
        return digest in self.known


@dataclass
class PeerWorld(World):
    """`receive` is the way in. Reports to elsewhere are kept in `reports` and committed into nobody's mailbox."""

    peers: MemoryPeers = field(default_factory=MemoryPeers)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.resolver = MemoryResolver(texts={f"{SELECTOR}._domainkey.{PEER}": (dkim_key().record(),)})
        self.confirmer = FakeConfirmer()
        self.reports: list[tuple[Address, bytes]] = []
        self.heard: list[str] = []
        self.budgets = PeerBudgets(self.settings, self.clock, bytes(32))
        self.arrived = Arrived(self.clock, bytes(32))
        callbacks = Callbacks(self.confirmer, self.clock, lambda: self.settings)
        prove = Provenance(self.resolver, self.peers, callbacks, self.crew, self.clock, lambda: self.settings)
        parts = (prove, self.budgets, self.arrived, self.gatherer, self.parcels, self, self.crew, self.reporter)
        self.receive = Receive(*parts, lambda: self.settings, DOMAIN, self.heard.append, self.woken.extend)

    async def pack_report(self, recipient: Address, report: bytes) -> Sequence[Parcel]:
        self.reports.append((recipient, report))
        return ()

    def committed(self, sender: None, parcels: Sequence[Parcel]) -> None:
        """Nobody counts here."""

    async def bring(
        self, content: bytes, *recipients: Login | Address, sender: Address | None = AUTHOR, arrival: Arrival = HERE
    ) -> Verdict:
        """As a door does it once it has everything."""
        addresses = [each.address if isinstance(each, Login) else each for each in recipients]
        return await self.receive(arrival, Envelope(sender, addresses), content)

    def fill(self, login: Login, part: float = 1.0) -> None:
        """As if so much of the quota were in use."""
        self.staged.inner._state.accounts[login.account].folders[MailboxId(login.account).folder].used = int(64 * part)
