# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two relays as processes are cut off from each other for 59 relay days, write on all the while, and have everything once afterwards.

A relay day takes 24 hours of running. Here the store is told of each of them while the relay stands, by what the relay itself calls every
night; everything else is as in life. `tests/unit/test_outbound_days.py` has the same within one process, with every hour of every day.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.lab.correspondence import SETTINGS, Post, device, fetch_everything, move_in, smtp
from tests.lab.federation import World, world
from tests.lab.hosted import HostedRelay
from tests.lab.load import Device

from razdar.adapters.sqlite import open_store
from razdar.servers.control import ask

pytestmark = [pytest.mark.slow, pytest.mark.namespace]

PARTS = (1, 4, 1, 14, 20, 19)
"""Relay days between the moments at which the relays are up and people write."""
AT_ONCE = 3
SOON_S = 60.0


@pytest.fixture
def planet(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", hosts=3) as made:
        yield made


async def let_days_pass(relay: HostedRelay, count: int) -> None:
    """The relay stands meanwhile."""
    store = await open_store(relay.data, reserve_bytes=0, wal_bytes=1 << 20)
    for _ in range(count):
        await store.next_day()
        await store.expire()
    await store.close()


def queue(relay: HostedRelay) -> dict[str, tuple[int, int]]:
    """Relay → how many messages wait for it, and for how many days the oldest does."""
    return {each["relay"]: (each["waiting"], each["oldest_days"]) for each in ask(relay.data, {"op": "queue"})["relays"]}


async def write(post: Post, count: int) -> None:
    connection = await smtp(post.relay, post.sender)
    try:
        for _ in range(count):
            await post.send(connection, 3_000)
    finally:
        connection.line.close()


async def until_all_is_there(posts: Sequence[Post], readers: Sequence[Device]) -> None:
    async with asyncio.timeout(SOON_S):
        while any(set(post.acknowledged) - set(reader.shown) for post, reader in zip(posts, readers, strict=True)):
            for post, reader in zip(reversed(posts), readers, strict=True):
                await fetch_everything(post.relay, reader)
            await asyncio.sleep(0.1)  # another process; its mailbox is looked at as by an app without IDLE


def sleep_through(relays: Sequence[HostedRelay], days: int) -> None:
    """Both are stopped, the days pass, both are started."""
    with ThreadPoolExecutor(len(relays)) as pool:
        list(pool.map(HostedRelay.stop, relays))
        list(pool.map(lambda relay: asyncio.run(let_days_pass(relay, days)), relays))
        list(pool.map(HostedRelay.start, relays))


def test_sixty_days_apart(planet: World) -> None:
    alpha, beta = planet.relay(2, "alpha.test", SETTINGS), planet.relay(3, "beta.test", SETTINGS)
    (ali, babak), (bita, _) = asyncio.run(move_in(alpha)), asyncio.run(move_in(beta))
    posts = [Post(alpha, ali, bita), Post(beta, bita, ali)]
    readers = [device(beta, bita), device(alpha, ali)]
    for post in posts:
        asyncio.run(write(post, 1))
    asyncio.run(until_all_is_there(posts, readers))  # now each knows the other

    planet.net.cut(alpha.host, beta.host)
    planet.dns.publish("stranger.test", "A", planet.net.hosts[3].address)  # a machine where nobody answers
    stranger = device(alpha, babak)
    asyncio.run(write(Post(alpha, babak, type(babak)("somebody@stranger.test", "")), 1))
    passed = 0
    for days in PARTS:
        for post in posts:
            asyncio.run(write(post, AT_ONCE))
        sleep_through((alpha, beta), days)
        passed += days
        assert queue(beta) == {"alpha.test": (len(posts[1].acknowledged) - 1, passed)}
        asyncio.run(fetch_everything(alpha, stranger))
        assert len(stranger.shown) == (1 if passed > 5 else 0), "a stranger is waited for for five days, then there is a report"
    assert passed == 59
    assert [len(reader.shown) for reader in readers] == [1, 1]

    planet.net.mend(alpha.host, beta.host)
    for post in posts:
        asyncio.run(write(post, 1))
    asyncio.run(until_all_is_there(posts, readers))
    for post, reader in zip(posts, readers, strict=True):
        assert Counter(reader.shown) == Counter(post.acknowledged), "everything, once, and no report of a failure"
        assert len(reader.names) == len(post.acknowledged), "nor did anything come twice and was shown once"
        assert reader.shown == post.acknowledged, "in the order in which it was written"
    assert queue(alpha) == queue(beta) == {}
