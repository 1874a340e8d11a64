# SPDX-License-Identifier: AGPL-3.0-or-later
"""Nobody holds up the mail of others: not by a host that never finishes, not by reports that he makes us write and does not take."""

import asyncio
from dataclasses import replace

import pytest
from tests.outbound_world import OTHER, OutWorld, far, until

from razdar.model.verdict import ACCEPT
from razdar.ports.courier import Consignment, Reason
from razdar.workers.sending_memory import Memory

pytestmark = pytest.mark.anyio
REPORT = b"Subject: report\r\n\r\n" + b"x" * 500


async def built(**settings: object) -> OutWorld:
    world = OutWorld()
    world.settings = replace(world.settings, **settings)  # type: ignore[arg-type]
    world.build(world.store)
    return await world.start()


def never(world: OutWorld, domain: str) -> None:
    """That relay takes messages and says nothing more."""
    silence = asyncio.get_running_loop().create_future()
    world.other(domain).before = lambda _: silence


async def report(world: OutWorld, domain: str) -> int:
    """As the way in writes one; how many were packed."""
    parcels = await world.outbound.pack_report(far("author", domain), REPORT)
    await world.parcels.commit(parcels)
    world.outbound.committed(None, parcels)
    return len(parcels)


# hosts that never finish


async def test_hosts_that_never_finish_give_their_lines_back_when_others_wait() -> None:
    world = await built(queue_lines=8)
    anna, boris = await world.members("anna", "boris")
    for number in range(8):
        never(world, f"tar{number}.example")
        await world.put(anna, [far("x", f"tar{number}.example")], b"Subject: held\r\n\r\n")
    await world.outgoing.round()
    await until(lambda: sum(relay.open_lines for relay in world.courier.relays.values()) == 8)
    await world.put(boris, [far("clara")], b"Subject: hello\r\n\r\n")
    await world.outgoing.round()
    assert world.outgoing._lines.used == {False: 8, True: 0}, "a minute is theirs"
    world.clock.monotonic_s += 100
    await world.outgoing.round()
    await until(lambda: world.outgoing._lines.used[False] < 8)
    await world.outgoing.round()
    await until(lambda: len(world.other().got) == 1)
    held = [state for state in world.outgoing.states() if state.name != OTHER]
    assert [state.reason for state in held].count(Reason.BROKEN_OFF) == 1, "one line was wanted, one was given back"
    assert sum(state.waiting for state in held) == 8, "nothing is lost"
    await world.outgoing.close()


async def test_a_slow_host_keeps_its_line_as_long_as_nobody_wants_it() -> None:
    world = await built(queue_lines=8)
    anna = await world.member("anna")
    never(world, OTHER)
    await world.put(anna, [far("clara")], b"Subject: held\r\n\r\n")
    await world.outgoing.round()
    await until(lambda: world.other().open_lines == 1)
    world.clock.monotonic_s += 600
    await world.outgoing.round()
    assert world.other().open_lines == 1
    await world.outgoing.close()


async def test_a_large_message_has_the_time_that_a_throttled_line_takes_for_it() -> None:
    world = await built(queue_lines=4)
    anna, boris = await world.members("anna", "boris")
    for number in range(4):
        never(world, f"slow{number}.example")
        await world.put(anna, [far("x", f"slow{number}.example")], b"Subject: large\r\n\r\n" + b"x" * 400_000)
    await world.outgoing.round()
    await until(lambda: sum(relay.open_lines for relay in world.courier.relays.values()) == 4)
    await world.put(boris, [far("clara")], b"Subject: hello\r\n\r\n")
    world.clock.monotonic_s += 400
    await world.outgoing.round()
    assert sum(relay.open_lines for relay in world.courier.relays.values()) == 4
    await world.outgoing.close()


async def test_large_messages_that_never_finish_leave_memory_for_short_ones() -> None:
    memory = Memory(1_000_000)
    await memory.take(2_000_000)  # one of any size
    for _ in range(10):
        await asyncio.wait_for(memory.take(20_000), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(memory.take(200_000), 0.01)
    for _ in range(2):
        await asyncio.wait_for(memory.take(20_000), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(memory.take(20_000), 0.01)
    await memory.give(2_000_000)
    await asyncio.wait_for(memory.take(700_000), 1)


# reports


async def test_reports_that_a_relay_does_not_take_leave_room_for_our_people() -> None:
    """Whoever has a domain and one recipient here makes us write a report with each message that he sends."""
    world = await built(queue_messages=100)
    anna = await world.member("anna")
    world.other("evil.example").down = Reason.NOT_CONNECTED
    assert sum([await report(world, "evil.example") for _ in range(150)]) == 25
    assert await world.send(anna, far("clara")) == ACCEPT


async def test_reports_to_invented_relays_leave_places_for_those_that_our_people_write_to() -> None:
    world = await built(queue_relays=20)
    anna = await world.member("anna")
    for number in range(25):
        world.other(f"s{number}.evil.example").down = Reason.NOT_CONNECTED
        await report(world, f"s{number}.evil.example")
    assert len(list(world.queue_folders)) == 10
    assert await world.send(anna, far("clara")) == ACCEPT


async def test_what_reports_took_is_given_back_when_they_went() -> None:
    world = await built()
    taken: list[Consignment] = []
    anna = await world.member("anna")
    world.other("slow.example").down = Reason.NOT_CONNECTED
    await world.send(anna, far("clara", "slow.example"))
    size_bytes = world.room.size_bytes
    for _ in range(20):
        await report(world, OTHER)
    assert world.room.size_bytes > size_bytes
    await world.work()
    taken += world.other().sent
    assert len(taken) == 20
    assert world.room.size_bytes == size_bytes, "no more and no less: else the bound on the whole queue would drift"
