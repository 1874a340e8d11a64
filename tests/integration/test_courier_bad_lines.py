# SPDX-License-Identifier: AGPL-3.0-or-later
"""The courier over lines that are bad: 600 ms there and back, every third packet lost, and cut in the middle of a message."""

import asyncio
import gc
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.lab.namespace import require_namespace
from tests.lab.network import Network, network
from tests.lab.other_relays import Book, Identity, courier, peer, post, web

from razdar.adapters.courier import Patience, stream
from razdar.adapters.courier.memory import UNSUPPORTED_S
from razdar.model.address import Address
from razdar.ports.courier import Consignment, Outcome, Reason, Unreachable

pytestmark = [
    pytest.mark.namespace,
    pytest.mark.slow,
    # The test's servers keep connections whose end got lost on the line, and asyncio shows nobody those that are in the handshake.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
DOMAIN = "peer.example"
CONSIGNMENT = Consignment(Address("alice", "relay.example"), (Address("bob", DOMAIN),), (b"x" * 78 + b"\r\n") * 25)
LINES, ATTEMPTS = 3, 3


@pytest.fixture
def lines() -> Iterator[Network]:
    require_namespace()
    with network(1, seed=4) as made:
        yield made
        gc.collect()


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity.make(tmp_path / "peer", DOMAIN)


def there(lines: Network) -> socket.socket:
    """A socket of the other machine that listens."""
    return lines.hosts[1].do(lambda: socket.create_server((lines.hosts[1].address, 0)))


@pytest.mark.parametrize("is_https", [True, False])
def test_600_ms_and_30_percent_loss(lines: Network, identity: Identity, is_https: bool) -> None:
    """Several at once, each with a courier that knows nothing and the patience of every day; what fails, a queue would try again."""

    async def run() -> list[Outcome]:
        async with web(identity, lambda _: (200, b""), there(lines)) as host, post(identity, there(lines)) as box:
            book = Book(peer(DOMAIN, host.port, box.port, lines.hosts[1].address))

            async def once() -> Outcome:
                ours = courier(book, identity.trusting(), patience=Patience())
                if not is_https:
                    ours._dialer.memory.avoid_https(f"{DOMAIN}:{host.port}:{box.port}", UNSUPPORTED_S)
                for _ in range(ATTEMPTS):
                    with suppress(Unreachable):
                        line = await ours.open(DOMAIN)
                        outcome = await line.send(CONSIGNMENT)
                        await line.close()
                        return outcome
                raise AssertionError("it did not get there")

            lines.worsen(*lines.hosts, delay_s=0.3, loss=0.3)
            return await asyncio.gather(*(once() for _ in range(LINES)))

    assert asyncio.run(run()) == [Outcome({})] * LINES


def test_a_line_that_is_cut_in_a_message_is_known_to_be_dead_in_bounded_time(lines: Network, identity: Identity) -> None:
    async def run() -> Reason:
        async with post(identity, there(lines)) as box:
            patience = Patience(connect=2, hello=3, open=5, reply=1, verdict=2, write=1, close=0.5)
            book = Book(peer(DOMAIN, 1, box.port, lines.hosts[1].address))
            line = await courier(book, identity.trusting(), patience=patience).open(DOMAIN)
            assert await line.send(CONSIGNMENT) == Outcome({})
            lines.cut(*lines.hosts)
            with pytest.raises(Unreachable) as caught:
                await line.send(CONSIGNMENT)
            await line.close()
            return caught.value.reason

    assert asyncio.run(run()) is Reason.BROKEN_OFF


def test_a_relay_that_was_killed_in_a_cut_is_not_waited_for(lines: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its goodbye was lost, nothing of ours is on the way, and whoever is there now knows nothing of the connection."""
    assert sum(stream.KEEPALIVE_S[:2]) <= 30
    monkeypatch.setattr(stream, "KEEPALIVE_S", (1, 1, 9))

    async def run() -> bytes:
        with there(lines) as listener:
            ours = await stream.Stream.connect(*listener.getsockname())
            theirs, _ = listener.accept()
            lines.cut(*lines.hosts)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            theirs.close()
            lines.mend(*lines.hosts)
            try:
                return await ours.read(30)
            finally:
                await ours.close()

    assert asyncio.run(run()) == b"", "the end of the connection; StreamLost would have come after the 30 seconds"


def test_a_machine_that_is_gone_is_not_connected_to(lines: Network, identity: Identity) -> None:
    async def run() -> Reason:
        lines.cut(*lines.hosts)
        patience = Patience(connect=0.5, hello=3, open=5, next_way=0.2, next_address=0.1)
        with pytest.raises(Unreachable) as caught:
            await courier(Book(peer(DOMAIN, 443, 25, lines.hosts[1].address)), patience=patience).open(DOMAIN)
        return caught.value.reason

    assert asyncio.run(run()) is Reason.NOT_CONNECTED
