# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue of mail for other relays: packed with the local deliveries, sent in order, reported when it fails, and never lost."""

import asyncio
import re
from typing import Any

import pytest
from tests.outbound_world import OTHER, Book, OutWorld, far, until
from tests.service_world import address

from razdar.model.address import Address
from razdar.model.ids import MailboxId
from razdar.model.verdict import ACCEPT, Refusal
from razdar.ports.courier import Consignment, Reason
from razdar.ports.resolver import Answer, Mx, NoSuchName, ResolverUnavailable
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.services.accounts import Login
from razdar.services.deliver import Sender
from razdar.services.first_look import FirstLook
from razdar.services.queued import Queued, QueuedBroken, unwrap, wrap
from razdar.vault.queue_key import queue_owner
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio
NO_USER = Refusal(550, "5.1.1", "nobody of that name")
GREYLISTED = Refusal(450, "4.7.1", "come again")
HOUR = 3600.0


@pytest.fixture
async def world() -> OutWorld:
    return await OutWorld().start()


async def reports(world: OutWorld, login: Login) -> list[str]:
    """Actions of the reports in a mailbox."""
    return [re.findall(rb"Action: (\w+)", message)[0].decode() for message in await world.read(login) if b"delivery-status" in message]


async def is_queue_empty(world: OutWorld) -> bool:
    totals = [record.messages for record in await world.store.mailboxes(world.queue_folders.owner.account)]
    return not sum(totals) and not world.outgoing.pending


# packing


async def test_local_and_far_recipients_get_it_and_it_is_signed_once(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    assert await world.send(anna, boris, far("clara"), far("david"), far("elena", "third.example")) == ACCEPT
    totals = await world.store.totals()
    assert (totals.entries, totals.bodies) == (3, 2)  # boris', one for each relay; his body, and one for both relays
    await world.work()
    (consignment,) = world.other().sent
    assert (consignment.sender, consignment.recipients) == (anna.address, (far("clara"), far("david")))
    assert consignment.message.startswith(b"DKIM-Signature: signed\r\n")
    assert consignment.message.endswith((await world.read(boris))[0][-200:])
    assert [each for each, _ in world.other("third.example").got] == [far("elena", "third.example")]
    assert await is_queue_empty(world)
    assert (await world.store.totals()).bodies == 1
    assert await reports(world, anna) == []


async def test_what_can_never_go_is_refused_at_once(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    for domain in ("k7f3q9d2.razdar.alt", "abc.onion", "localhost"):
        assert await world.send(anna, far("clara", domain)) == replies.NOT_REACHABLE
    assert await world.send(anna, boris, far("clara", "k7f3q9d2.razdar.alt")) == ACCEPT
    assert await reports(world, anna) == ["failed"]
    world.outbound._peers = Book("k7f3q9d2.razdar.alt")
    assert await world.send(anna, far("clara", "k7f3q9d2.razdar.alt")) == ACCEPT
    await world.work()
    assert len(world.other("k7f3q9d2.razdar.alt").got) == 1


async def test_a_name_that_does_not_exist_is_refused_before_the_message_is_accepted(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    world.unknown["slip.example"] = replies.NO_SUCH_DOMAIN
    assert await world.send(anna, far("clara", "slip.example")) == replies.NO_SUCH_DOMAIN
    assert await world.send(anna, boris, far("clara", "slip.example"), far("clara")) == ACCEPT
    assert await reports(world, anna) == ["failed"]
    await world.work()
    assert len(world.other().got) == 1
    assert [folder.domain for folder in world.queue_folders] == [OTHER]


class Names:
    """Implements `ports.resolver.Resolver` with two answers."""

    def __init__(self, mx: object, addresses: object) -> None:
        self._mx = mx
        self._addresses = addresses

    async def mx(self, domain: str) -> Answer[Mx]:
        return _answer(self._mx)

    async def addresses(self, host: str) -> Answer[str]:
        return _answer(self._addresses)

    async def txt(self, name: str) -> Answer[bytes]:
        raise AssertionError


def _answer(what: Any) -> Answer[Any]:
    if isinstance(what, Exception):
        raise what
    return Answer((what,), is_remembered=False)


@pytest.mark.parametrize(
    ("mx", "addresses", "refusal"),
    [
        (Mx(10, "mx.example"), None, None),
        (Mx(0, ""), None, replies.DOMAIN_TAKES_NO_MAIL),  # RFC 7505
        (NoSuchName(), "192.0.2.1", None),  # the implicit MX, RFC 5321 section 5.1
        (NoSuchName(), NoSuchName(), replies.NO_SUCH_DOMAIN),
        (NoSuchName(), ResolverUnavailable(), None),
        (ResolverUnavailable(), NoSuchName(), None),
    ],
)
async def test_only_a_certain_answer_refuses(mx: object, addresses: object, refusal: Refusal | None) -> None:
    look = FirstLook(Names(mx, addresses), Book("known.example"))
    assert await look("new.example") == refusal
    assert await look("known.example") is None
    assert await look("[192.0.2.7]") is None


async def test_what_is_no_address_is_refused_by_name(world: OutWorld) -> None:
    anna, _ = await world.members("anna", "boris")
    message = b"Subject: x\r\n\r\nx"
    assert await world.put(anna, [far("cl ara")], message) == replies.BAD_RECIPIENT_ADDRESS
    assert await world.put(anna, [address("x", "")], message) == replies.BAD_RECIPIENT_ADDRESS


async def test_without_federation_nothing_goes(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.change(federation=False)
    assert await world.send(anna, far("clara")) == replies.NOT_REACHABLE


async def test_a_full_queue_is_for_now_and_one_account_does_not_fill_it(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    world.other().down = Reason.NOT_CONNECTED
    world.change(queue_messages=8, queue_share=0.5)
    for seed in range(4):
        assert await world.send(anna, far("clara"), seed=seed) == ACCEPT
    assert await world.send(anna, boris, far("clara"), seed=5) == replies.QUEUE_FULL
    assert await world.read(boris) == []
    for seed in range(4):
        assert await world.send(boris, far("clara"), seed=seed) == ACCEPT
    clara = await world.member("clara")
    assert await world.send(clara, far("clara")) == replies.QUEUE_FULL
    world.other().down = None
    await world.pass_time(HOUR)
    assert await world.send(anna, far("clara"), seed=6) == ACCEPT
    assert await world.send(clara, far("clara")) == ACCEPT


async def test_a_full_queue_by_size(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    world.other().down = Reason.NOT_CONNECTED
    world.change(queue_bytes=1_048_576, queue_share=0.25)
    assert await world.send(anna, far("clara"), size_bytes=200_000) == ACCEPT
    assert await world.send(anna, far("clara"), size_bytes=100_000) == replies.QUEUE_FULL
    assert await world.send(boris, far("clara"), size_bytes=100_000) == ACCEPT


async def test_naming_many_relays_has_a_budget_and_a_bound(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")
    world.change(queue_relays=35)
    many = [far("clara", f"r{number}.example") for number in range(40)]
    assert await world.send(anna, *many[:31]) == replies.TOO_MANY_UNKNOWN
    assert await world.send(anna, many[0]) == ACCEPT  # what the budget paid for stays
    world.clock.monotonic_s += 2
    assert await world.send(anna, *many[:31]) == ACCEPT
    assert await world.send(boris, *many[31:]) == ACCEPT  # as many as fit, and a report about the others
    assert await reports(world, boris) == ["failed"]
    await world.work()
    world.clock.monotonic_s += 4000
    assert await world.send(boris, far("clara", "late.example")) == ACCEPT  # an idle one has made room
    assert await reports(world, boris) == ["failed"]


def test_the_record_is_read_defensively() -> None:
    queued = Queued(None, {OTHER: (far("anna"),)}, b"message\r\n")
    assert unwrap(wrap(queued)) == queued
    bad = [
        b"",
        b"\n",
        b"[]\nx",
        b"{}\nx",
        b'{"v":2,"to":{}}\n',
        b'{"v":1,"to":[1]}\n',
        b'{"v":1,"to":{"x":["\\n"]}}\n',
        b"[" * 5000 + b"\n",
    ]
    bad += [
        b'{"v":1,"to":{},"from":"anna@x.example"}\n',
        b'{"v":1,"to":{},"from":"a b","account":"","key":""}\n',
        b'{"v":1,"to":{"x":5}}\n',
    ]
    for content in bad:
        with pytest.raises(QueuedBroken):
            unwrap(content)


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


# time


async def test_a_stranger_has_five_days_and_a_friend_sixty(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.outgoing.heard_from("friend.example")
    await world.work()
    for name in ("friend.example", "stranger.example"):
        world.other(name).down = Reason.NOT_CONNECTED
        await world.send(anna, far("clara", name))
    await world.pass_days(1)
    assert await reports(world, anna) == ["delayed", "delayed"]
    await world.pass_days(4)
    assert len(await reports(world, anna)) == 2
    await world.pass_days(2)
    assert await reports(world, anna) == ["delayed", "delayed", "failed"]
    assert replies.NOT_IN_TIME.text.encode() in (await world.read(anna))[-1]
    assert [(state.name, state.oldest_days) for state in world.outgoing.states()] == [("friend.example", 7)]
    await world.pass_days(52)
    world.other("friend.example").down = None
    await world.pass_time(2 * HOUR)
    assert len(world.other("friend.example").got) == 1


async def test_a_cut_that_was_told_of_costs_no_time(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NO_ROUTE
    await world.send(anna, far("clara"))
    world.change(days_stand_still=True)
    await world.pass_days(100)
    assert await reports(world, anna) == ["delayed"]
    world.change(days_stand_still=False)
    world.other().down = None
    await world.pass_time(2 * HOUR)
    assert len(world.other().got) == 1


@pytest.mark.slow
async def test_sixty_days_of_cut_and_everything_arrives_once(world: OutWorld) -> None:
    people = await world.members("anna", "boris")
    for number in range(3):
        world.outgoing.heard_from(f"r{number}.example")
    await world.work()
    for number in range(3):
        world.other(f"r{number}.example").down = Reason.NOT_CONNECTED
    for day in range(59):
        for login in people:
            await world.put(
                login, [far("x", f"r{number}.example") for number in range(3)], b"Subject: %s %d\r\n\r\nx" % (login.account, day)
            )
        if day % 20 == 7:
            await world.restart()
        await world.pass_time(86_400, step_s=7200)
    for number in range(3):
        world.other(f"r{number}.example").down = None
    await world.pass_time(2 * HOUR)
    for number in range(3):
        got = world.other(f"r{number}.example").got
        assert len(got) == len(set(got)) == 59 * 2
    assert await is_queue_empty(world)
    assert not [each for login in people for each in await reports(world, login) if each == "failed"]


async def test_a_delay_is_told_once_and_not_again_after_a_restart(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    await world.send(anna, far("clara"))
    await world.pass_days(1)
    (report,) = await world.read(anna)
    assert "لازم نیست کاری بکنید".encode() in report
    assert b"keeps it and tries again" in report
    await world.restart()
    await world.pass_days(2)
    assert await reports(world, anna) == ["delayed"]


# reports


async def test_nobody_is_told_about_a_report(world: OutWorld) -> None:
    parcels = await world.outbound.pack_report(far("clara"), b"Subject: report\r\n\r\nx")
    await world.parcels.commit(parcels)
    world.other().refuse = lambda consignment: dict.fromkeys(consignment.recipients, NO_USER)
    await world.work()
    assert [each.sender for each in world.other().sent] == [None]
    assert await is_queue_empty(world)
    assert (await world.store.totals()).entries == 0
    assert await world.outbound.pack_report(far("clara", "x.alt"), b"x") == ()


async def test_a_report_goes_to_the_account_that_sent_and_to_no_later_one_of_that_name(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    await world.send(anna, far("clara"))
    await world.store.delete_account(anna.account)
    another = await world.member("anna")
    assert another.account == anna.account
    await world.pass_days(8)
    assert await world.read(another) == []
    assert await is_queue_empty(world)


async def test_a_full_mailbox_gets_the_report_too(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().refuse = lambda consignment: dict.fromkeys(consignment.recipients, NO_USER)
    await world.send(anna, far("clara"))
    world.staged.inner._state.accounts[anna.account].folders[0].used = 64
    await world.work()
    assert await reports(world, anna) == ["failed"]


async def test_a_full_disk_delays_the_report_and_sends_nothing_twice(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().refuse = lambda _: {far("clara"): NO_USER}
    await world.send(anna, far("clara"), far("david"))
    world.staged.broken["exchange"] = StoreFull("full")
    await world.work()
    await world.pass_time(300)
    assert await reports(world, anna) == []
    del world.staged.broken["exchange"]
    await world.pass_time(300)
    assert await reports(world, anna) == ["failed"]
    assert len(world.other().sent) == 1
    assert world.outgoing.states() == []


async def test_a_store_that_does_not_answer_is_not_the_other_relays_fault(world: OutWorld) -> None:
    anna = await world.member("anna")
    await world.send(anna, far("clara"))
    world.staged.broken["body"] = StoreUnavailable("x")
    await world.work()
    assert [(state.reason, state.waiting) for state in world.outgoing.states()] == [(None, 1)]
    del world.staged.broken["body"]
    world.crew.busy_for = 1
    await world.pass_time(60)
    await world.pass_time(60)
    assert await is_queue_empty(world)


# restarts and damage


async def test_what_waited_is_there_after_a_restart(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    for seed in range(3):
        await world.send(anna, far("clara"), seed=seed)
    await world.pass_days(2)
    await world.restart()
    assert [(state.waiting, state.oldest_days) for state in world.outgoing.states()] == [(3, 2)]
    assert world.outgoing.pending == 3
    world.other().down = None
    await world.work()
    assert len(world.other().got) == 3


async def test_a_lost_answer_is_sent_again_and_not_reported(world: OutWorld) -> None:
    anna = await world.member("anna")
    lost = iter([True, False])
    world.other().loses_answer = lambda _: next(lost)
    await world.send(anna, far("clara"))
    await world.pass_time(120, step_s=30)
    assert len(world.other().got) == 2  # the app knows it by its Message-ID
    assert await reports(world, anna) == []


async def test_damaged_entries_do_not_stand_in_the_way(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    for seed in range(4):
        await world.send(anna, far("clara"), seed=seed)
    folder = world.queue_folders.find(OTHER)
    assert folder is not None
    state = world.staged.inner._state
    entries = state.accounts[world.queue_folders.owner.account].folders[folder.mailbox.folder].entries
    await world.store.reseal(folder.mailbox, {next(iter(entries)): bytes(120)})
    opened = await world.settlement.opened(folder, list(entries))
    state.bodies[opened[0].secret.body].blob = bytes(4040)
    del state.bodies[opened[1].secret.body]
    world.other().down = None
    await world.work()
    assert len(world.other().got) == 1
    assert world.journal.counts["queue.damaged"] == 3
    assert await is_queue_empty(world)


async def test_what_the_store_shows_before_its_news_arrives_is_sent_once(world: OutWorld) -> None:
    anna = await world.member("anna")
    packed = await world.outbound.pack(Sender(anna.address, anna.account, anna.public_key), [far("clara")], b"Subject: x\r\n\r\nx")
    assert not isinstance(packed, Refusal)
    await world.send(anna, far("clara"))
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    world.other().before = lambda _: gate
    (assigned,) = await world.store.deliver([parcel.delivery for parcel in packed.parcels])  # on disk, and not announced yet
    await world.outgoing.round()
    await until(lambda: world.other().open_lines == 1)
    world.parcels._announce_all(packed.parcels, [assigned])
    gate.set_result(None)
    await world.work()
    assert len(world.other().sent) == 2
    assert world.journal.counts["queue.damaged"] == 0
    assert await is_queue_empty(world)


async def test_a_wrong_count_heals(world: OutWorld) -> None:
    await world.queue_folders.ensure(OTHER)
    (peer,) = world.outgoing._peers.values()
    peer.folder.waiting = 3
    world.outgoing._schedule(peer)
    await world.work()
    assert peer.folder.waiting == 0
    assert peer.due_s() is None


async def test_a_bug_in_one_message_lets_the_others_go(world: OutWorld) -> None:
    anna, boris = await world.members("anna", "boris")

    def refuse(consignment: Consignment) -> dict[object, Refusal]:
        if consignment.sender == anna.address:
            raise ZeroDivisionError
        return {}

    world.other().refuse = refuse  # type: ignore[assignment]
    await world.send(anna, far("clara"))
    await world.send(boris, far("clara"))
    await world.pass_time(120, step_s=30)
    assert {each.sender for each in world.other().sent} == {anna.address, boris.address}
    assert world.outgoing.pending == 1
    assert world.journal.counts["bug"] >= 1


# what is remembered


async def test_relays_are_remembered_by_ten_days_and_forgotten(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.outgoing.heard_from("friend.example")
    await world.send(anna, far("clara"))
    await world.work()
    writes = world.staged.calls["reseal_mailbox"]
    for _ in range(5):
        world.outgoing.heard_from("friend.example")
        await world.work()
    assert world.staged.calls["reseal_mailbox"] == writes
    await world.restart()
    known = {folder.domain: folder.exchanged for folder in world.queue_folders}
    assert known == {"friend.example": 10, OTHER: 10}
    await world.pass_days(192)
    assert list(world.queue_folders) == []
    assert [record.id for record in await world.store.mailboxes(world.queue_folders.owner.account)] == [
        MailboxId(world.queue_folders.owner.account)
    ]
    assert world.outgoing._peers == {}


async def test_strangers_cannot_fill_the_memory(world: OutWorld) -> None:
    world.change(queue_relays=10)
    for number in range(20):
        world.outgoing.heard_from(f"r{number}.example")
    await world.work()
    assert len(list(world.queue_folders)) == 5


async def test_with_another_key_nothing_is_known_and_nothing_breaks(world: OutWorld) -> None:
    anna = await world.member("anna")
    world.other().down = Reason.NOT_CONNECTED
    await world.send(anna, far("clara"))
    await world.outgoing.close()
    world.build(world.store)
    world.queue_folders.owner = queue_owner(bytes(32), b"another".ljust(32))
    await world.start()
    assert list(world.queue_folders) == []
    assert (await world.store.totals()).entries == 1


async def test_the_worker_runs_until_it_is_told_to_stop(world: OutWorld) -> None:
    anna = await world.member("anna")
    task = asyncio.create_task(world.outgoing.run())
    await world.send(anna, far("clara"))
    await until(lambda: bool(world.other().got))
    await world.send(anna, far("david"))
    await until(lambda: len(world.other().got) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert world.other().open_lines == 0
