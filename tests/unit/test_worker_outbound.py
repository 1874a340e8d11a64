# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue of mail for other relays as it is sent: in order, over few lines, and what the other relay says."""

import asyncio
import re

import pytest
from tests.outbound_world import GREYLISTED, HOUR, NO_USER, OTHER, OutWorld, far, is_queue_empty, reports, until

from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.ports.courier import Consignment, Reason
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world() -> OutWorld:
    return await OutWorld().start()


# sending


async def test_one_line_carries_many_and_the_order_stays(world: OutWorld) -> None:
    anna = await world.member("anna")
    for seed in range(30):
        await world.send(anna, far("clara"), seed=seed)
    await world.work()
    assert [each.opened for each in (world.other(),)] == [1]
    sent = [consignment.message for consignment in world.other().sent]
    assert len(sent) == 30
    assert await is_queue_empty(world)


async def test_each_senders_order_stays_over_several_lines(world: OutWorld) -> None:
    people = await world.members(*(f"person{number}" for number in range(12)))
    world.change(send_per_minute=100_000, send_burst=100_000)
    for seed in range(10):
        for login in people:
            await world.put(login, [far("clara")], b"Subject: %d\r\n\r\nx" % seed)
    await world.work()
    assert 1 < world.other().most_lines <= 4
    for login in people:
        numbers = [each.message.split(b"Subject: ")[1].split(b"\r")[0] for each in world.other().sent if each.sender == login.address]
        assert numbers == [b"%d" % seed for seed in range(10)]


async def test_a_large_message_does_not_hold_up_somebody_elses_short_one(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    world.other().before = lambda consignment: gate if len(consignment.message) > 300_000 else None
    await world.put(anna, [far("clara")], b"Subject: large\r\n\r\n" + b"x" * 400_000)
    await world.outgoing.round()
    await until(lambda: bool(world.other().open_lines))
    await world.put(anna, [far("clara")], b"Subject: after\r\n\r\nx")
    await world.put(boris, [far("clara")], b"Subject: short\r\n\r\nx")
    await until(lambda: bool(world.other().got))
    assert [b"short" in message for _, message in world.other().got] == [True]
    gate.set_result(None)
    await world.work()
    assert [message.split(b"Subject: ")[1][:5] for _, message in world.other().got] == [b"short", b"large", b"after"]


async def test_a_dead_relay_delays_no_other(world: OutWorld) -> None:
    anna = await world.member("anna")
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    world.other("slow.example").before = lambda _: gate
    await world.send(anna, far("x", "slow.example"), far("y", "dead.example"), far("z"))
    world.other("dead.example").down = Reason.NOT_CONNECTED
    await world.outgoing.round()
    await until(lambda: bool(world.other().got))
    gate.set_result(None)
    await world.work()
    assert [(state.name, state.reason) for state in world.outgoing.states()] == [("dead.example", Reason.NOT_CONNECTED)]


async def test_those_who_did_not_answer_take_half_of_the_lines(world: OutWorld) -> None:
    anna = await world.member("anna")
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    names = [f"dead{number}.example" for number in range(10)]
    world.outgoing._lines._limit = 4
    for name in names:
        world.other(name).down = Reason.NOT_CONNECTED
        await world.send(anna, far("x", name))
    await world.work()
    for name in names:
        world.other(name).down = None
        world.other(name).before = lambda _: gate
    world.clock.monotonic_s += 100
    await world.outgoing.round()
    await asyncio.sleep(0)
    assert len(world.outgoing._tasks) == 2
    await world.send(anna, far("z"))
    await world.outgoing.round()
    await until(lambda: bool(world.other().got))
    gate.set_result(None)
    await world.work()
    assert await is_queue_empty(world)


async def test_tries_grow_rarer_and_a_sign_of_life_brings_the_next_one_forward(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    await world.send(anna, far("clara"))
    await world.work()
    await world.pass_time(12 * HOUR, step_s=30)
    assert 15 <= world.other().opened <= 25
    before = world.other().opened
    for _ in range(20):  # whoever can speak but not listen does not make us ring without end
        world.outgoing.heard_from(OTHER)
        await world.pass_time(1, step_s=1)
    assert world.other().opened - before <= 4
    world.other().down = None
    world.clock.monotonic_s += 20
    world.outgoing.heard_from(OTHER)
    await world.work()
    assert await is_queue_empty(world)


async def test_a_line_that_ended_between_two_messages_is_opened_again(world: OutWorld) -> None:
    anna = await world.member("anna")
    count = iter(range(100))
    world.other().breaks = lambda _: next(count) == 1
    for seed in range(3):
        await world.send(anna, far("clara"), seed=seed)
    await world.work()
    assert len(world.other().got) == 3
    assert (world.other().opened, world.journal.counts["queue.broken-off"]) == (2, 0)


async def test_a_message_that_breaks_every_line_steps_aside(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    world.other().breaks = lambda consignment: consignment.sender == anna.address
    await world.send(anna, far("clara"))
    await world.send(boris, far("clara"))
    await world.pass_time(600, step_s=30)
    assert [each.sender for each in world.other().sent] == [boris.address]
    await world.pass_days(7)
    assert await reports(world, anna) == ["delayed"]  # the relay is one that we have exchanged mail with
    await world.send(boris, far("clara"), seed=2)
    await world.work()
    assert [each.sender for each in world.other().sent] == [boris.address] * 2  # at once
    await world.pass_days(56)
    assert await reports(world, anna) == ["failed"]  # the other report is older than mail in mailboxes gets


# what the other relay says


async def test_whoever_is_refused_is_reported_and_the_others_have_it(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().refuse = lambda _: {far("clara"): NO_USER}
    await world.send(anna, far("clara"), far("david"))
    await world.work()
    (report,) = await world.read(anna)
    assert b"clara@other.example" in report
    assert b"david" not in report.split(b"rfc822-headers")[0]
    assert b"550 5.1.1 nobody of that name" in report
    assert b"The other recipients have it" not in report
    assert await is_queue_empty(world)


async def test_words_of_the_other_relay_cannot_break_the_report(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().refuse = lambda _: {far("clara"): Refusal(550, "nonsense\r\nX: y", "bad\r\nAction: delivered\r\n \udc80é" + "x" * 5000)}
    await world.send(anna, far("clara"))
    await world.work()
    (report,) = await world.read(anna)
    assert re.findall(rb"^Action: .*$", report, re.M) == [b"Action: failed\r"]
    assert b"\r\nStatus: 5.0.0\r\n" in report


async def test_whoever_is_put_off_waits_alone(world: OutWorld) -> None:
    anna = await world.member("anna")
    tries = iter(range(100))
    world.other().refuse = lambda consignment: {far("clara"): GREYLISTED} if next(tries) < 2 else {}
    await world.send(anna, far("clara"), far("david"))
    await world.work()
    assert [each for each, _ in world.other().got] == [far("david")]
    await world.pass_time(HOUR)
    assert [each for each, _ in world.other().got] == [far("david"), far("clara")]
    assert [consignment.recipients for consignment in world.other().sent][1:] == [(far("clara"),)] * 2
    assert await reports(world, anna) == []
    assert await is_queue_empty(world)


async def test_a_rest_is_as_old_as_the_whole(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().refuse = lambda _: {far("clara"): GREYLISTED}
    await world.send(anna, far("clara"), far("david"))
    await world.work()
    await world.pass_days(2)
    assert await reports(world, anna) == ["delayed"]
    await world.pass_days(57)
    assert world.outgoing.pending == 1
    await world.pass_days(3)
    assert await reports(world, anna) == ["failed"]
    assert await is_queue_empty(world)


async def test_a_relay_that_turns_everything_away_is_left_alone(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.change(send_burst=1000)
    world.other().refuse = lambda consignment: dict.fromkeys(consignment.recipients, GREYLISTED)
    for seed in range(20):
        await world.put(anna, [far("clara")], b"Subject: %d\r\n\r\nx" % seed)
    await world.work()
    assert len(world.other().sent) == 3
    assert world.outgoing.states()[0].reason == Reason.TOO_BUSY
    world.other().refuse = lambda _: {}
    await world.pass_time(3 * HOUR)
    assert await is_queue_empty(world)


async def test_steady_traffic_does_not_keep_those_waiting_who_were_put_off(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    tries = iter(range(100))

    def refuse(consignment: Consignment) -> dict[Address, Refusal]:
        world.clock.monotonic_s += 30
        return {far("clara"): GREYLISTED} if far("clara") in consignment.recipients and next(tries) == 0 else {}

    world.other().refuse = refuse
    await world.put(anna, [far("clara")], b"Subject: first\r\n\r\nx")
    for seed in range(60):
        await world.put(boris, [far("david")], b"Subject: %d\r\n\r\nx" % seed)
    await world.work()
    assert 5 < [each for each, _ in world.other().got].index(far("clara")) < 20
    assert await is_queue_empty(world)


async def test_a_name_that_nobody_knows_is_given_up_at_once(world: OutWorld) -> None:
    anna = await world.member("anna")
    for reason, words in (
        (Reason.NO_SUCH_DOMAIN, replies.NO_SUCH_DOMAIN),
        (Reason.NO_MAIL_HERE, replies.DOMAIN_TAKES_NO_MAIL),
        (Reason.OURSELVES, replies.DOMAIN_IS_OURS),
    ):
        world.other(f"{reason.value}.example").down = reason
        await world.send(anna, far("clara", f"{reason.value}.example"))
        await world.work()
        assert words.text.encode() in (await world.read(anna))[-1]
    assert await reports(world, anna) == ["failed"] * 3
    assert await is_queue_empty(world)


async def test_a_known_name_that_seems_to_have_ended_is_waited_for(world: OutWorld) -> None:
    """In a cut DNS servers say so for names that exist."""
    anna = await world.member("anna")
    await world.send(anna, far("clara"))
    await world.work()
    world.other().down = Reason.NO_SUCH_DOMAIN
    await world.send(anna, far("clara"), seed=2)
    await world.pass_days(4)
    assert await reports(world, anna) == ["delayed"]
    world.other().down = None
    await world.pass_time(2 * HOUR)
    assert len(world.other().got) == 2
