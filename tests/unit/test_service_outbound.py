# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mail for other relays as it is accepted: packed with the local deliveries, signed, and within bounds."""

from typing import Any

import pytest
from tests.outbound_world import HOUR, OTHER, Book, OutWorld, far, is_queue_empty, reports
from tests.service_world import address

from razdar.model.verdict import ACCEPT, Refusal
from razdar.ports.courier import Reason
from razdar.ports.resolver import Answer, Mx, NoSuchName, ResolverUnavailable
from razdar.services.first_look import FirstLook
from razdar.services.queued import Queued, QueuedBroken, unwrap, wrap
from razdar.wire.smtp import replies

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world() -> OutWorld:
    return await OutWorld().start()


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
