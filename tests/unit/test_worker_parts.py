# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small machinery: the keeper's chores, the bus, the crew, the journal, and wake-ups to a real HTTP server."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.service_world import login_of

from razdar.adapters.bus import LocalBus
from razdar.adapters.clock import SystemClock
from razdar.adapters.crew import ThreadCrew
from razdar.adapters.push import HttpPushGate
from razdar.model.ids import MailboxId, Uid
from razdar.ports.bus import AccountClosed, Change, Removed
from razdar.ports.crew import CrewBusy
from razdar.ports.push import PushOutcome
from razdar.servers.journal import Journal
from razdar.workers.keeper import Keeper

pytestmark = pytest.mark.anyio
ANNA, BORIS = login_of("anna")[0].account, login_of("boris")[0].account


# the keeper


async def test_a_chore_that_fails_keeps_none_of_the_others() -> None:
    done: list[str] = []
    journal = Journal()

    async def first() -> None:
        raise RuntimeError("no")

    async def second() -> None:
        done.append("second")

    keeper = Keeper([first, second], journal)
    await keeper.round()
    await keeper.round()
    assert done == ["second", "second"]
    assert journal.counts["bug"] == 2


async def test_the_keeper_comes_round_again_and_again() -> None:
    rounds = asyncio.Queue[None]()

    async def chore() -> None:
        rounds.put_nowait(None)

    running = asyncio.ensure_future(Keeper([chore], Journal(), period_s=0.001).run())
    for _ in range(3):
        await asyncio.wait_for(rounds.get(), 10)
    running.cancel()


# the bus


def test_only_the_mailbox_that_changed_and_in_order() -> None:
    bus, heard = LocalBus(), list[str]()
    inbox, archive = MailboxId(ANNA), MailboxId(ANNA, 1)
    bus.subscribe(inbox, lambda *_: heard.append("first"))
    bus.subscribe(archive, lambda *_: heard.append("archive"))
    bus.subscribe(MailboxId(BORIS), lambda *_: heard.append("boris"))
    bus.subscribe(inbox, lambda *_: heard.append("second"))
    bus.publish(inbox, Removed([Uid(1)]))
    assert heard == ["first", "second"]


def test_every_mailbox_of_a_closed_account_hears_it() -> None:
    bus, heard = LocalBus(), list[tuple[MailboxId, Change]]()
    for mailbox in (MailboxId(ANNA), MailboxId(ANNA, 1), MailboxId(BORIS)):
        bus.subscribe(mailbox, lambda mailbox, change: heard.append((mailbox, change)))
    bus.close_account(ANNA)
    assert heard == [(MailboxId(ANNA), AccountClosed()), (MailboxId(ANNA, 1), AccountClosed())]


def test_whoever_stops_in_the_middle_of_a_change_breaks_nothing() -> None:
    bus, heard = LocalBus(), list[str]()
    inbox = MailboxId(ANNA)

    def once(*_: object) -> None:
        heard.append("once")
        stop()

    stop = bus.subscribe(inbox, once)
    bus.subscribe(inbox, lambda *_: heard.append("always"))
    bus.publish(inbox, Removed([]))
    bus.publish(inbox, Removed([]))
    assert heard == ["once", "always", "always"]


def test_nothing_is_kept_of_who_has_left() -> None:
    bus = LocalBus()
    stops = [bus.subscribe(MailboxId(ANNA, folder), lambda *_: None) for folder in range(3)]
    assert bus.is_watched(ANNA)
    assert bus.watched_accounts() == (ANNA,)
    for stop in stops:
        stop()
        stop()
    assert not bus.is_watched(ANNA)
    assert bus.watched_accounts() == ()


# the crew


async def test_a_full_crew_says_so_at_once_and_has_room_again() -> None:
    crew, gate = ThreadCrew(1, 2), threading.Event()
    work = [asyncio.ensure_future(crew.run(gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(CrewBusy):
        await crew.run(lambda: True)
    gate.set()
    assert await asyncio.gather(*work) == [True] * 3
    assert await crew.run(lambda: 7) == 7
    crew.close()


async def test_what_work_raises_reaches_who_asked_for_it() -> None:
    crew = ThreadCrew(1, 1)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            await crew.run(lambda: 1 // 0)
    assert crew.pending == 0
    crew.close()


# the journal


def test_the_text_of_an_exception_is_never_written(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal()
    with caplog.at_level(logging.DEBUG, logger="razdar"):
        try:
            raise ValueError("annaanna1@relay.example from 192.0.2.7")
        except ValueError as error:
            reference = journal.bug(error)
    (line,) = (json.loads(record.getMessage()) for record in caplog.records)
    assert line["reference"] == reference
    assert line["kind"] == "ValueError"
    assert "test_worker_parts.py" in line["places"]
    assert "annaanna1" not in caplog.text
    assert "192.0.2.7" not in caplog.text


# the clocks


def test_the_clocks() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    assert clock.now() > 1_700_000_000
    assert clock.monotonic() >= before


# wake-ups over HTTP


@asynccontextmanager
async def service(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that keeps what it is asked and says `answer`; without an end if that has none."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        asked.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/notify", asked


def status(code: int, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Something\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (code, len(more), more)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (status(200), PushOutcome.DELIVERED),
        (status(200, b"x" * 100_000), PushOutcome.DELIVERED),
        (status(410), PushOutcome.FORGOTTEN),
        (status(404), PushOutcome.FAILED),
        (status(429), PushOutcome.FAILED),
        (status(500), PushOutcome.FAILED),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", PushOutcome.FAILED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", PushOutcome.DELIVERED),  # the rest never comes and is not waited for
        (b"SSH-2.0-nonsense\r\n", PushOutcome.FAILED),
        (b"", PushOutcome.FAILED),
    ],
)
async def test_what_the_service_says(answer: bytes, outcome: PushOutcome) -> None:
    async with service(answer) as (url, asked):
        gate = HttpPushGate(url)
        assert await gate.notify(b"openpgp:token") == outcome
        await gate.close()
    assert [request.partition(b"\r\n\r\n")[2] for request in asked] == [b"openpgp:token"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://no.invalid/", "http://[::/", "nonsense", "http://\x00/", "ftp://x/"])
async def test_whatever_cannot_be_reached_is_no_exception(url: str) -> None:
    gate = HttpPushGate(url)
    assert await gate.notify(b"token") == PushOutcome.FAILED
    await gate.close()


async def test_the_token_and_nothing_about_us(caplog: pytest.LogCaptureFixture) -> None:
    async with service(status(200)) as (url, asked):
        gate = HttpPushGate(url)
        with caplog.at_level(logging.DEBUG, logger="razdar"):
            await gate.notify(b"openpgp:marker")
        await gate.close()
    assert b"razdar" not in asked[0].lower()
