# SPDX-License-Identifier: AGPL-3.0-or-later
"""When the relay runs out of open files: who is in goes on undisturbed, and afterwards everybody gets in again, without a restart."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.lab.correspondence import SETTINGS, Post, device, everybody_gets_in_again, imap, move_in, smtp
from tests.lab.relay import Relay

from razdar.servers.control import ask

pytestmark = pytest.mark.slow


def test_too_few_file_descriptors(tmp_path: Path) -> None:
    """Connections beyond the limit are refused or wait; those that live go on, and afterwards everybody gets in again."""
    with Relay(tmp_path / "relay", settings=SETTINGS) as relay:
        asyncio.run(_too_few_file_descriptors(relay))
        assert '"crash"' not in relay.output()


async def _too_few_file_descriptors(relay: Relay) -> None:
    ali, bahar = await move_in(relay)
    post, reader = Post(relay, ali, bahar), device(relay, bahar)
    sending, reading = await smtp(relay, ali), await imap(relay, bahar)
    with few_file_descriptors(relay, more=8):
        crowd = await asyncio.gather(*(_knock(relay, service) for service in ("imap", "imaps", "http", "submission") * 8))
        for size_bytes in (3_000, 200_000):
            await post.send(sending, size_bytes)
        while await reader.round(reading):
            pass
        assert sorted(reader.shown) == sorted(post.acknowledged)
        for writer in crowd:
            if writer is not None:
                writer.transport.abort()
        await everybody_gets_in_again(relay)
    sending.line.close()
    reading.line.close()


def test_a_low_limit_of_the_shell_is_raised(tmp_path: Path) -> None:
    with Relay(tmp_path / "relay", settings=SETTINGS) as relay:
        relay.stop()
        relay.spawn(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096)))
        relay.wait_until_ready()
        assert relay.process is not None
        assert resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE) == (4096, 4096)


def test_a_low_limit_of_the_system_bounds_connections(tmp_path: Path) -> None:
    """Connections beyond it are closed at once instead of waiting for ever; nobody who is in is disturbed."""
    relay = Relay(tmp_path / "relay", settings=SETTINGS)
    relay.spawn(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120)))
    try:
        relay.wait_until_ready()
        asyncio.run(_low_limit(relay))
        relay.stop()
    finally:
        relay.kill()
    assert '"crash"' not in relay.output()


async def _low_limit(relay: Relay) -> None:
    ali, bahar = await move_in(relay)
    post, reader = Post(relay, ali, bahar), device(relay, bahar)
    sending, reading = await smtp(relay, ali), await imap(relay, bahar)
    crowd = [writer for writer in await asyncio.gather(*(_knock(relay, "imap") for _ in range(150))) if writer is not None]
    assert ask(relay.data, {"op": "status"})["connections"] <= 60
    await post.send(sending, 200_000)
    while await reader.round(reading):
        pass
    assert reader.shown == post.acknowledged
    for writer in crowd:
        writer.transport.abort()
    await everybody_gets_in_again(relay)
    sending.line.close()
    reading.line.close()


async def _knock(relay: Relay, service: str) -> asyncio.StreamWriter | None:
    """A connection that says nothing, not even a TLS handshake."""
    try:
        _, writer = await asyncio.open_connection(relay.bind, relay.port(service))
    except OSError:
        return None
    return writer


@contextmanager
def few_file_descriptors(relay: Relay, more: int) -> Iterator[None]:
    """The relay can open `more` files beyond those that are open now."""
    assert relay.process is not None
    pid = relay.process.pid
    in_use = max(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()) + 1
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use + more, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
