# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the numbers for Prometheus show, and above all what they do not."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab.relay import free_base

from razdar.model.trouble import Trouble
from razdar.policy.totals import PEOPLE_FROM
from razdar.servers.journal import Journal
from razdar.servers.metrics import MetricsServer, Readings, exposition

pytestmark = pytest.mark.anyio

NOW = Readings(
    version="0.1.0",
    relay_day=12,
    certificate_days=80,
    disk_free_bytes=5 * 2**30 + 4097,
    is_disk_full=False,
    memory_bytes=70 * 2**20 + 4096,
    store_bytes=12 * 2**20 + 4096,
    accounts=204,
    waiting_messages=1234,
    stored_bodies=999,
    connections=87,
    queues={"store": 3, "logins": 25},
    events={"bug": 1, "relay.ready": 1, "message.accepted": 57, "login.refused": 9},
)


def values(text: str) -> Mapping[str, int]:
    return {name: int(value) for name, value in re.findall(r"^razdar_(\S+) (-?\d+)$", text, re.MULTILINE)}


def test_people_are_rounded_down_to_tens_and_sizes_to_whole_mebibytes() -> None:
    shown = values(exposition(NOW))
    assert [shown[name] for name in ("accounts", "waiting_messages", "stored_bodies", "connections")] == [200, 1230, 990, 80]
    assert [shown[name] for name in ("disk_free_bytes", "memory_bytes", "store_bytes")] == [5 * 2**30, 70 * 2**20, 12 * 2**20]
    assert shown['events_total{event="message.accepted"}'] == 50
    assert shown['events_total{event="login.refused"}'] == 0
    assert shown['events_total{event="bug"}'] == 1
    assert [shown[f'queue_length{{queue="{name}"}}'] for name in ("store", "logins")] == [0, 20]


@given(
    accounts=st.integers(0, PEOPLE_FROM - 1),
    connections=st.integers(0, 500),
    waiting=st.integers(0, 10**6),
    bodies=st.integers(0, 10**6),
    people=st.dictionaries(st.sampled_from(["message.accepted", "login.refused", "something.new"]), st.integers(0, 10**6)),
)
def test_a_small_relay_tells_nothing_of_its_people(
    accounts: int, connections: int, waiting: int, bodies: int, people: dict[str, int]
) -> None:
    """DESIGN section 5: presence is sensitive. Whatever they do, the text is the same."""
    busy = replace(NOW, accounts=accounts, connections=connections, waiting_messages=waiting, stored_bodies=bodies)
    own = {"bug": 1, "relay.ready": 1}
    quiet = replace(NOW, accounts=0, connections=0, waiting_messages=0, stored_bodies=0, events=own)
    assert exposition(replace(busy, events=own | people)) == exposition(quiet)


def test_exactly_fifty_accounts_are_still_few() -> None:
    assert "connections" not in exposition(replace(NOW, accounts=PEOPLE_FROM - 1))
    assert values(exposition(replace(NOW, accounts=PEOPLE_FROM)))["connections"] == 80


def test_the_format_is_what_prometheus_reads() -> None:
    """Exposition format 0.0.4: HELP and TYPE once for each metric and before its rows, rows of one metric together, a last line feed."""
    text = exposition(NOW)
    assert text.endswith("\n")
    assert "\n\n" not in text
    families = re.findall(r"^# HELP (\w+) .+\n# TYPE (\w+) (?:gauge|counter)\n((?:(?!#).+\n)+)", text, re.MULTILINE)
    assert len({name for name, _, _ in families}) == len(families) == text.count("# TYPE")
    for name, typed, rows in families:
        assert typed == name
        assert all(re.fullmatch(rf'{name}(\{{[a-z]+="[^"\\]+"\}})? -?\d+', row) for row in rows.splitlines())


def test_a_strange_event_name_cannot_reach_the_text() -> None:
    text = exposition(replace(NOW, events={'x"} 1\nanna@relay.example': 100}))
    assert "anna" not in text
    assert values(text)['events_total{event="other"}'] == 100


# over the wire


async def ask(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    answer = await reader.read()
    writer.close()
    return answer


async def test_only_one_thing_is_answered_and_the_same_for_a_minute() -> None:
    asked = 0

    async def read() -> Readings:
        nonlocal asked
        asked += 1
        return replace(NOW, relay_day=asked)

    server, port = MetricsServer(read, Journal()), free_base("127.0.0.1")
    await server.start(port)
    try:
        first = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = first.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
        assert f"Content-Length: {len(body)}".encode() in head
        assert await ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") == first
        assert asked == 1
        for request in (b"GET / HTTP/1.1\r\n\r\n", b"POST /metrics HTTP/1.1\r\n\r\n", b"\r\n\r\n"):
            assert (await ask(port, request)).startswith(b"HTTP/1.1 404")
        assert await ask(port, b"GET /metrics " + b"x" * 10_000) == b""  # a head without end
    finally:
        server.close()


async def test_a_failure_is_a_bug_with_a_number_and_no_text() -> None:
    async def read() -> Readings:
        raise ValueError("anna@relay.example")

    journal = Journal()
    server, port = MetricsServer(read, journal), free_base("127.0.0.1")
    await server.start(port)
    try:
        answer = await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")
    finally:
        server.close()
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"anna" not in answer
    assert journal.counts == {"bug": 1}


async def test_a_port_that_is_taken_is_told_in_words() -> None:
    async def read() -> Readings:
        return NOW

    one, other, port = MetricsServer(read, Journal()), MetricsServer(read, Journal()), free_base("127.0.0.1")
    await one.start(port)
    try:
        with pytest.raises(Trouble, match="in use"):
            await other.start(port)
    finally:
        one.close()
