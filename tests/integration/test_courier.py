# SPDX-License-Identifier: AGPL-3.0-or-later
"""Our courier against real servers of other making: `/mxdeliv` and SMTP, and everything that goes wrong with either."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.lab.other_relays import Book, Identity, Postbox, Request, Web, courier, free_port, listening, peer, post, web

from razdar.adapters.courier.line import RelayLine
from razdar.model.address import Address
from razdar.ports.courier import Consignment, Outcome, Reason, Unreachable

DOMAIN = "peer.example"
ALICE = Address("alice", "relay.example")
BOB, CAROL, DAVE = (Address(name, DOMAIN) for name in ("bob", "carol", "dave"))
MESSAGE = b"From: alice@relay.example\r\nTo: bob@peer.example\r\n\r\n.dot\r\n..\r\n"


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity.make(tmp_path / "peer", DOMAIN, "127.0.0.1")


def consignment(*people: Address, message: bytes = MESSAGE, sender: Address | None = ALICE) -> Consignment:
    return Consignment(sender, people or (BOB,), message)


def fine(_: Request) -> tuple[int, bytes]:
    return 200, b"250 2.0.0 ok\r\n"


@asynccontextmanager
async def line(https: int, smtp: int, authorities: ssl.SSLContext | None, name: str = DOMAIN, pin: str = "") -> AsyncIterator[RelayLine]:
    opened = await courier(Book(peer(name, https, smtp, pin=pin)), authorities).open(name)
    try:
        yield opened
    finally:
        await opened.close()


async def unreachable(attempt: Awaitable[object]) -> Reason:
    with pytest.raises(Unreachable) as caught:
        await attempt
    assert str(caught.value) == caught.value.reason.value
    return caught.value.reason


# --- /mxdeliv


def test_many_messages_over_one_https_connection(identity: Identity) -> None:
    async def run() -> Web:
        async with web(identity, fine) as host, line(host.port, await free_port(), identity.trusting()) as opened:
            assert await opened.send(consignment(BOB, CAROL)) == Outcome({})
            assert await opened.send(consignment(DAVE, sender=None)) == Outcome({})
        return host

    host = asyncio.run(run())
    first, second = host.requests
    assert host.connections == 1
    assert (first.method, first.target, first.body) == (b"POST", b"/mxdeliv", MESSAGE)
    assert first.all(b"host") == [b"peer.example:%d" % host.port]
    assert first.all(b"x-mail-from") == [b"alice@relay.example"]
    assert first.all(b"x-mail-to") == [b"bob@peer.example", b"carol@peer.example"]
    assert second.all(b"x-mail-from") == [b""]


def test_a_host_that_hangs_up_after_each_answer_is_called_again(identity: Identity) -> None:
    async def run() -> Web:
        async with web(identity, fine) as host, line(host.port, await free_port(), identity.trusting()) as opened:
            host.closes = True
            for _ in range(3):
                assert await opened.send(consignment()) == Outcome({})
        return host

    assert asyncio.run(run()).connections == 3


def test_a_refusal_with_400_is_the_recipients(identity: Identity) -> None:
    async def run() -> Outcome:
        async with (
            web(identity, lambda _: (400, b"550 5.1.1 nobody of that name\r\n")) as host,
            line(host.port, await free_port(), identity.trusting()) as opened,
        ):
            return await opened.send(consignment())

    (no,) = asyncio.run(run()).refused.values()
    assert (no.code, no.enhanced, no.text) == (550, "5.1.1", "nobody of that name")


def test_a_refusal_of_the_message_is_everybodys(identity: Identity) -> None:
    async def run() -> Outcome:
        async with (
            web(identity, lambda _: (400, b"523 5.7.1 Encryption Needed")) as host,
            line(host.port, await free_port(), identity.trusting()) as opened,
        ):
            return await opened.send(consignment(BOB, CAROL))

    assert {no.code for no in asyncio.run(run()).refused.values()} == {523}


def picky(request: Request) -> tuple[int, bytes]:
    """Refuses all for the sake of one."""
    return (400, b"550 5.1.1 nobody") if b"carol@peer.example" in request.all(b"x-mail-to") else fine(request)


def test_one_unknown_recipient_does_not_cost_the_others_their_message(identity: Identity) -> None:
    """A refusal over HTTPS is for all recipients together; SMTP has a verdict for each."""

    async def run() -> tuple[Outcome, Postbox]:
        async with (
            web(identity, picky) as host,
            post(identity, carol="550 5.1.1 nobody here") as box,
            line(host.port, box.port, identity.trusting()) as opened,
        ):
            return await opened.send(consignment(BOB, CAROL, DAVE)), box

    outcome, box = asyncio.run(run())
    assert {who: no.text for who, no in outcome.refused.items()} == {CAROL: "nobody here"}
    assert box.messages == [(str(ALICE), [str(BOB), str(DAVE)], MESSAGE)]


def test_without_smtp_each_recipient_is_asked_for_alone(identity: Identity) -> None:
    """Many hosters block port 25."""

    async def run() -> tuple[Outcome, Web]:
        async with web(identity, picky) as host, line(host.port, await free_port(), identity.trusting()) as opened:
            return await opened.send(consignment(BOB, CAROL, DAVE)), host

    outcome, host = asyncio.run(run())
    assert {who: no.code for who, no in outcome.refused.items()} == {CAROL: 550}
    assert [len(request.all(b"x-mail-to")) for request in host.requests] == [3, 1, 1, 1]


@pytest.mark.parametrize("status", [404, 405, 400, 302, 201, 204, 500, 503])
def test_any_other_answer_means_smtp_and_is_remembered(identity: Identity, status: int) -> None:
    """Only 200 is success; a redirect is not followed."""

    async def run() -> tuple[Web, Postbox]:
        async with web(identity, lambda _: (status, b"" if status == 204 else b"<html>")) as host, post(identity) as box:
            ours = courier(Book(peer(DOMAIN, host.port, box.port)), identity.trusting())
            for _ in range(2):
                opened = await ours.open(DOMAIN)
                assert await opened.send(consignment()) == Outcome({})
                assert await opened.send(consignment()) == Outcome({})
                await opened.close()
            return host, box

    host, box = asyncio.run(run())
    assert len(host.requests) == 1
    assert len(box.messages) == 4
    assert len(box.sessions) == 2


def test_what_is_too_big_for_https_goes_over_smtp_and_the_size_is_remembered(identity: Identity) -> None:
    big = MESSAGE + b"x" * 78 + b"\r\n"
    host_limit = len(MESSAGE)

    async def run() -> tuple[Web, Postbox]:
        async with web(identity, lambda request: (413, b"") if len(request.body) > host_limit else fine(request)) as host:
            async with post(identity) as box, line(host.port, box.port, identity.trusting()) as opened:
                for message in (big, big, MESSAGE):
                    assert await opened.send(consignment(message=message)) == Outcome({})
            return host, box

    host, box = asyncio.run(run())
    assert [len(request.body) for request in host.requests] == [len(big), len(MESSAGE)]
    assert [content for _, _, content in box.messages] == [big, big]


async def early_413(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As a proxy does: the answer comes after the head, and the rest is read and thrown away for a while."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    await reader.read(200_000)


def test_an_answer_in_the_middle_of_the_body_is_heard(identity: Identity) -> None:
    message = b"x" * 998 + b"\r\n"

    async def run() -> Postbox:
        async with listening(early_413, identity) as port, post(identity) as box, line(port, box.port, identity.trusting()) as opened:
            assert await opened.send(consignment(message=message * 3000)) == Outcome({})
        return box

    assert len(asyncio.run(run()).messages) == 1


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len(MESSAGE))


async def go_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await swallow(reader, writer)
    await reader.read()


async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await swallow(reader, writer)
    writer.write(b"220 wrong protocol\r\n")
    await writer.drain()
    await reader.read()


async def hint_for_ever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await swallow(reader, writer)
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await swallow(reader, writer)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def talk_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It said 200, and that counts."""
    await swallow(reader, writer)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        await writer.drain()


def test_an_answer_without_measure_is_read_no_further(identity: Identity) -> None:
    async def run() -> Outcome:
        async with listening(talk_without_end, identity) as port, line(port, await free_port(), identity.trusting()) as opened:
            return await opened.send(consignment())

    assert asyncio.run(run()) == Outcome({})


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", [swallow, go_silent, talk_nonsense, hint_for_ever, drip])
def test_no_answer_to_a_whole_message_is_no_success_and_the_next_attempt_goes_over_smtp(
    identity: Identity, behaviour: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> None:
    async def run() -> Postbox:
        async with listening(behaviour, identity) as port, post(identity) as box:
            ours = courier(Book(peer(DOMAIN, port, box.port)), identity.trusting())
            opened = await ours.open(DOMAIN)
            assert await unreachable(opened.send(consignment())) is Reason.BROKEN_OFF
            assert await unreachable(opened.send(consignment())) is Reason.BROKEN_OFF  # the line is dead
            await opened.close()
            opened = await ours.open(DOMAIN)
            assert await opened.send(consignment()) == Outcome({})
            await opened.close()
            return box

    assert len(asyncio.run(run()).messages) == 1


def test_header_injection_is_impossible(identity: Identity) -> None:
    """An Address cannot hold a line end by parsing; one that was made otherwise is not sent, on either way."""
    evil = Address("bob@peer.example\r\nX-Mail-To: eve", DOMAIN)

    async def run() -> tuple[Outcome, Web]:
        async with web(identity, fine) as host, line(host.port, await free_port(), identity.trusting()) as opened:
            return await opened.send(consignment(BOB, evil)), host

    outcome, host = asyncio.run(run())
    assert {who: no.code for who, no in outcome.refused.items()} == {evil: 553}
    assert host.requests[0].all(b"x-mail-to") == [b"bob@peer.example"]


@pytest.mark.parametrize("message", [b"x\n.\r\n", b"x\r\n.\rQUIT\r\n", b"\0\r\n"])
def test_smuggling_out_is_refused_on_both_ways(identity: Identity, message: bytes) -> None:
    """CVE-2023-51764: never relayed raw, not over HTTPS, either, behind which the peer speaks SMTP."""

    async def run() -> tuple[list[Outcome], Web, Postbox]:
        async with web(identity, fine) as host, post(identity) as box:
            outcomes = []
            for port in (host.port, await free_port()):
                async with line(port, box.port, identity.trusting()) as opened:
                    outcomes.append(await opened.send(consignment(message=message)))
            return outcomes, host, box

    outcomes, host, box = asyncio.run(run())
    assert [no.code for outcome in outcomes for no in outcome.refused.values()] == [554, 554]
    assert host.requests == []
    assert box.messages == []


# --- SMTP


def test_smtp_serves_many_messages_on_one_connection_and_tells_each_recipients_verdict(identity: Identity) -> None:
    async def run() -> tuple[list[Outcome], Postbox]:
        async with (
            post(identity, carol="550 5.1.1 nobody", dave="450 4.2.1 later") as box,
            line(await free_port(), box.port, identity.trusting()) as opened,
        ):
            return [await opened.send(consignment(*people)) for people in ((BOB, CAROL, DAVE), (CAROL,), (BOB,))], box

    outcomes, box = asyncio.run(run())
    assert [{who.local: no.code for who, no in outcome.refused.items()} for outcome in outcomes] == [
        {"carol": 550, "dave": 450},
        {"carol": 550},
        {},
    ]
    assert box.messages == [(str(ALICE), [str(BOB)], MESSAGE)] * 2
    assert len(box.sessions) == 1


def test_a_server_that_ends_an_idle_dialogue_is_called_again(identity: Identity) -> None:
    async def run() -> Postbox:
        async with post(identity) as box, line(await free_port(), box.port, identity.trusting()) as opened:
            assert await opened.send(consignment()) == Outcome({})
            assert opened._smtp is not None
            box.hang_up()
            await opened._smtp._stream._news.wait()
            assert await opened.send(consignment()) == Outcome({})
        return box

    box = asyncio.run(run())
    assert len(box.messages) == 2
    assert box.connections == 2


def says(*replies: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A server in clear that says these, one for each line it gets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            writer.write(reply)
            await writer.drain()
            await reader.readline()

    return serve


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ([b"220 x\r\n", b"250-x\r\n250 SIZE 1\r\n"], Reason.NO_TLS),
        ([b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"454 not now\r\n"], Reason.NO_TLS),
        ([b"421 busy\r\n"], Reason.TOO_BUSY),
        ([b"554 go away\r\n"], Reason.TOO_BUSY),
        ([b"HTTP/1.0 400 what\r\n"], Reason.BROKEN_OFF),
        ([b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n250 injected\r\n"], Reason.BROKEN_OFF),
        ([b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n", b"no handshake"], Reason.BROKEN_OFF),
        ([b"220 x\r\n"], Reason.BROKEN_OFF),
    ],
)
def test_clear_text_is_never_used(replies: list[bytes], reason: Reason) -> None:
    """Stripping, injection (CVE-2021-38371) and servers without encryption: no message is ever said in clear."""

    async def run() -> Reason:
        async with listening(says(*replies)) as port:
            return await unreachable(courier(Book(peer(DOMAIN, await free_port(), port))).open(DOMAIN))

    assert asyncio.run(run()) is reason


async def drip_replies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-x\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.slow
def test_a_reply_that_comes_in_drops_has_an_end() -> None:
    async def run() -> Reason:
        async with listening(drip_replies) as port:
            return await unreachable(courier(Book(peer(DOMAIN, await free_port(), port))).open(DOMAIN))

    assert asyncio.run(run()) is Reason.BROKEN_OFF


# --- who they are


@pytest.mark.parametrize("is_https", [True, False])
def test_certificates_are_verified_for_ordinary_names(identity: Identity, tmp_path: Path, is_https: bool) -> None:
    other = Identity.make(tmp_path / "other", "other.example")

    async def run(served: Identity, trusted: ssl.SSLContext | None, name: str = DOMAIN, pin: str = "") -> Reason | None:
        async with web(served, fine) as host, post(served) as box:
            ports = (host.port, await free_port()) if is_https else (await free_port(), box.port)
            try:
                async with line(*ports, trusted, name, pin) as opened:
                    await opened.send(Consignment(ALICE, (Address("bob", name),), MESSAGE))
            except Unreachable as gone:
                return gone.reason
            return None

    def pin(of: Identity) -> str:
        return hashlib.sha256(of.der()).hexdigest()

    assert asyncio.run(run(identity, identity.trusting())) is None
    assert asyncio.run(run(identity, None)) is Reason.NOT_TRUSTED  # no authority of the system vouches for it
    assert asyncio.run(run(other, other.trusting())) is Reason.NOT_TRUSTED  # vouched for, under another name
    assert asyncio.run(run(other, None, pin=pin(other))) is None  # a pin is enough, whatever name it carries
    assert asyncio.run(run(identity, identity.trusting(), pin=pin(other))) is Reason.NOT_TRUSTED  # and nothing else is
    assert asyncio.run(run(other, None, "_peer.example")) is None
    assert asyncio.run(run(other, None, "[192.0.2.7]")) is None
    assert asyncio.run(run(other, None, "[192.0.2.7]", pin(identity))) is Reason.NOT_TRUSTED


def test_old_tls_is_refused(identity: Identity) -> None:
    async def run() -> Reason:
        old = identity.server()
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        async with listening(go_silent, context=old) as port:
            return await unreachable(courier(Book(peer(DOMAIN, port, await free_port())), identity.trusting()).open(DOMAIN))

    with pytest.warns(DeprecationWarning, match="TLSv1"):
        assert asyncio.run(run()) is Reason.BROKEN_OFF


# --- dead and slow


def test_a_dead_address_costs_its_head_start_only_and_is_tried_last_afterwards(identity: Identity) -> None:
    """The first address takes connections and says nothing."""

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> float:
        async with web(identity, fine) as host, listening(silent, at=("127.0.0.2", host.port)):
            ours = courier(Book(peer(DOMAIN, host.port, await free_port(), "127.0.0.2", "127.0.0.1")), identity.trusting())
            began = asyncio.get_running_loop().time()
            opened = await ours.open(DOMAIN)
            took = asyncio.get_running_loop().time() - began
            assert await opened.send(consignment()) == Outcome({})
            await opened.close()
            return took

    assert asyncio.run(run()) < 2


def test_a_dead_host_does_not_delay_another(identity: Identity) -> None:
    async def run() -> tuple[Reason, bool]:
        async with web(identity, fine) as host, listening(says(b"220 x\r\n")) as mute, listening(says(b"")) as silent:
            book = Book(peer("dead.example", silent, mute), peer(DOMAIN, host.port, await free_port()))
            ours = courier(book, identity.trusting())
            waiting = asyncio.create_task(unreachable(ours.open("dead.example")))
            opened = await ours.open(DOMAIN)
            assert await opened.send(consignment()) == Outcome({})
            was_waiting = not waiting.done()
            await opened.close()
            return await waiting, was_waiting

    assert asyncio.run(run()) == (Reason.BROKEN_OFF, True)


def test_nobody_there() -> None:
    async def run() -> Reason:
        return await unreachable(courier(Book(peer(DOMAIN, await free_port(), await free_port()))).open(DOMAIN))

    assert asyncio.run(run()) is Reason.NOT_CONNECTED


def test_a_caller_who_loses_patience_leaves_a_dead_line_and_no_connection(identity: Identity) -> None:
    async def run() -> None:
        async with listening(go_silent, identity) as port:
            opened = await courier(Book(peer(DOMAIN, port, await free_port())), identity.trusting()).open(DOMAIN)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await opened.send(consignment())
            assert await unreachable(opened.send(consignment())) is Reason.BROKEN_OFF
            await opened.close()

    asyncio.run(run())
