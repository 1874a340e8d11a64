# SPDX-License-Identifier: AGPL-3.0-or-later
"""Port 25 on real sockets with real TLS (VECTORS "relay", "sender", "smuggling in", "STARTTLS"), and what one relay may use up there."""

import asyncio
from pathlib import Path

import pytest
from tests.lab.load import any_certificate
from tests.peer_house import House, Plan, live, request
from tests.peer_world import AUTHOR, letter, signed

from razdar.model.address import Address
from razdar.servers.memory import MemoryBudget
from razdar.servers.peer_slots import PeerSlots
from razdar.servers.registry import ConnectionLimits
from razdar.services.accounts import Login
from razdar.wire.smtp import replies

pytestmark = pytest.mark.slow
LITERAL = Address("parisa123", "[127.0.0.1]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


# port 25


def test_smtp_mail_arrives_from_a_relay_that_signs(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as line:
            assert await line.transaction(signed(letter()), anna.address) == replies.render(replies.MESSAGE_ACCEPTED)
            assert (await line.transaction(letter(seed=2), anna.address)).startswith(b"554 5.7.1 No valid DKIM")
            assert (await line.transaction(signed(letter(seed=3)), anna.address)).startswith(b"250")
        assert await house.world.read(anna) == [letter(), letter(seed=3)]
        assert house.journal.counts["incoming.accepted"] == 2

    live(folder, test)


def test_smtp_mail_arrives_from_an_address_that_is_its_name(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as line:
            assert (await line.transaction(letter(LITERAL), anna.address, sender=LITERAL)).startswith(b"250")
            other = Address("parisa123", "[127.0.0.9]")
            house.world.confirmer.known = set()
            assert (await line.transaction(letter(other), anna.address, sender=other)).startswith(b"554 5.7.1 This does not come from")

    live(folder, test)


def test_relay_nothing_is_taken_in_clear(folder: Path) -> None:
    """Deviates from RFC 3207 section 4 on purpose: the envelope would be in clear, and every chatmail relay can encrypt."""

    async def test(house: House, anna: Login) -> None:
        async with house.line("smtp") as line:
            await line.reply()
            assert b"STARTTLS" in await line.reply(b"EHLO peer.example")
            for command in (b"MAIL FROM:<a@peer.example>", b"RCPT TO:<%s>" % str(anna.address).encode(), b"DATA"):
                assert (await line.reply(command)).startswith(b"530 5.7.0 ")

    live(folder, test)


def test_relay_recipients_elsewhere_one_by_one(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as line:
            await line.reply(b"MAIL FROM:<%s>" % str(AUTHOR).encode())
            assert (await line.reply(b"RCPT TO:<x@elsewhere.example>")).startswith(b"550 5.7.1 Relaying denied")
            assert (await line.reply(b"RCPT TO:<x%elsewhere.example@relay.example>")).startswith(b"553")
            assert (await line.reply(b"RCPT TO:<@relay.example:x@elsewhere.example>")).startswith(b"553")
            assert (await line.reply(b"RCPT TO:<nobody123@relay.example>")).startswith(b"550 5.1.1")
            assert (await line.reply(b"DATA")).startswith(b"554")
            assert (await line.reply(b"RCPT TO:<%s>" % str(anna.address).encode())).startswith(b"250")
            assert (await line.reply(b"AUTH PLAIN AHgAeQ==")).startswith(b"503")

    live(folder, test)


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r.\r\n"])
@pytest.mark.parametrize("is_split", [False, True])
def test_smuggling_at_port_25_one_message_stays_one(folder: Path, end: bytes, is_split: bool) -> None:
    """CVE-2023-51764, CVE-2023-51765, CVE-2023-51766, CVE-2024-27305."""

    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as line:
            smuggled = b"MAIL FROM:<evil@peer.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % str(anna.address).encode()
            for command in (b"MAIL FROM:<a@peer.example>", b"RCPT TO:<%s>" % str(anna.address).encode(), b"DATA"):
                await line.reply(command)
            whole = signed(letter())[:-2] + end + smuggled + signed(letter(seed=9)) + b"\r\n.\r\n"
            for piece in [bytes([byte]) for byte in whole[:3]] + [whole[3:]] if is_split else [whole]:
                await line.say(piece)
            said = await line.rest()
            assert said.startswith(b"554 5.5.2")
            assert said.count(b"\r\n") == 1
        assert await house.world.read(anna) == []
        assert house.journal.counts["smuggling.refused"] == 1

    live(folder, test)


def test_starttls_what_was_said_in_clear_is_dropped(folder: Path) -> None:
    """CVE-2011-0411 at port 25."""

    async def test(house: House, _: Login) -> None:
        async with house.line("smtp") as line:
            await line.reply()
            await line.reply(b"EHLO peer.example")
            await line.say(b"STARTTLS\r\nEHLO x\r\nMAIL FROM:<evil@peer.example>\r\n")
            assert (await line.reply()).startswith(b"220")
            await line.writer.start_tls(any_certificate())
            assert (await line.reply(b"RCPT TO:<a@relay.example>")).startswith(b"503")

    live(folder, test)


def test_a_relay_that_speaks_to_no_other(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as line:
            assert (await line.transaction(signed(letter()), anna.address)).startswith(b"550 5.7.1 Relaying denied")
        assert (await house.post(request(signed(letter()), anna.address)))[0] == 400

    live(folder, test, Plan(is_federated=False))


# budgets at the doors


def test_connections_of_one_network(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as first, house.line("smtp") as second:
            assert await second.reply() == replies.render(replies.TOO_MANY_CONNECTIONS)
            assert await second.rest() == b""
            status, head, text = await house.post(request(signed(letter()), anna.address))
            assert (status, text) == (400, replies.render(replies.TOO_MANY_CONNECTIONS))
            assert b"connection: close" in head.lower()
            assert (await first.transaction(signed(letter()), anna.address)).startswith(b"250")
            assert (await first.reply(b"QUIT")).startswith(b"221")
            await first.rest()
        while len(house.desk.slots):  # noqa: ASYNC110 - until the relay has noticed that the line is gone
            await asyncio.sleep(0)
        assert (await house.post(request(signed(letter()), anna.address)))[0] == 200
        assert len(house.desk.slots) == 0

    live(folder, test, Plan(slots=PeerSlots(100, 1)))


def test_messages_of_one_network(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as line:
            assert [(await line.transaction(signed(letter()), anna.address))[:9] for _ in range(3)] == [b"250 2.6.0"] * 2 + [b"450 4.7.1"]
        assert (await house.post(request(signed(letter()), anna.address)))[2] == replies.render(replies.RATE_EXCEEDED)
        assert house.journal.counts["peer.flood"] == 2

    live(folder, test, Plan(settings={"peer_messages_per_minute": 2}))


def test_bytes_of_one_network(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        assert (await house.post(request(signed(letter(size_bytes=2_000_000)), anna.address)))[0] == 200
        assert (await house.post(request(signed(letter()), anna.address)))[2] == replies.render(replies.RATE_EXCEEDED)

    live(folder, test, Plan(settings={"peer_bytes_per_minute": 1_048_576}))


def test_unknown_recipients_and_unproven_messages_of_one_network(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as line:
            await line.reply(b"MAIL FROM:<a@peer.example>")
            answers = [(await line.reply(b"RCPT TO:<nobody%d12@relay.example>" % number))[:9] for number in range(3)]
            assert answers == [b"550 5.1.1"] * 2 + [b"450 4.7.1"]
            await line.reply(b"RSET")
            assert [(await line.transaction(letter(), anna.address))[:9] for _ in range(3)] == [b"554 5.7.1"] * 2 + [b"450 4.7.1"]
        counted = {name: house.journal.counts[name] for name in ("peer.guessing", "proof.refused", "incoming.refused.proof")}
        assert counted == {"peer.guessing": 1, "proof.refused": 3, "incoming.refused.proof": 2}

    live(folder, test, Plan(settings={"peer_unknown_per_minute": 2, "peer_unproven_per_minute": 2}))


def test_memory_of_other_relays_is_their_own(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        large = signed(letter(size_bytes=1_000_000))
        assert (await house.post(request(large, anna.address)))[2] == replies.render(replies.OVERLOADED)
        async with house.smtp() as line:
            assert (await line.transaction(large, anna.address)).startswith(b"421 4.3.1")
        assert (await house.post(request(signed(letter()), anna.address)))[0] == 200
        assert house.desk.memory.used_bytes == 0
        assert house.registry.memory.used_bytes == 0

    live(folder, test, Plan(memory=MemoryBudget(500_000)))


def test_whoever_brings_nothing_proven_is_sent_away(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as good, house.smtp() as idle:
            assert (await good.transaction(signed(letter()), anna.address)).startswith(b"250")
            assert (await idle.rest()).startswith(b"421 4.4.2")
            assert (await good.transaction(signed(letter(seed=2)), anna.address)).startswith(b"250")

    live(folder, test, Plan(limits=ConnectionLimits(login_s=0.4, idle_s=30)))


def test_a_message_that_crawls_ends_the_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("razdar.servers.deadlines.TICK_S", 0.1)

    async def test(house: House, anna: Login) -> None:
        async with house.smtp() as line:
            for command in (b"MAIL FROM:<a@peer.example>", b"RCPT TO:<%s>" % str(anna.address).encode(), b"DATA"):
                await line.reply(command)
            await line.say(b"From: a")
            assert (await line.rest()).startswith(b"421 4.4.2")

    live(folder, test)
