# SPDX-License-Identifier: AGPL-3.0-or-later
"""Five times more than the machine can take: senders, logins of new people, guessed passwords, connections that say nothing, visits.

How many senders it takes until the relay gives no more is measured first; five times as many come then, and all the others besides. What
must hold: memory is bounded, nothing crashes, no acknowledged message is lost, and people who were connected before keep chatting without a
single temporary error, which would cost their apps one of six tries (docs/interop.md, fact 6). By how much their messages take longer is
printed. 30 seconds in the suite; `--overload-seconds 300` for five minutes.
"""

import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.lab.load import Device, Imap, Person, Smtp
from tests.lab.relay import HIGH, REPOSITORY, Relay, random_text
from tests.mail.make import encrypted_message

pytestmark = pytest.mark.slow
PAIRS, PAUSE_S, CALM_S = 4, 0.5, 6.0
SINKS = 8
STEPS = (1, 2, 4, 8, 16, 32)
"""Numbers of senders that are tried until one more step gives less than a tenth more."""
STEP_S = 3.0
GROWTH_MB = 250
SETTINGS = {"send_per_minute": 1_000_000, "send_burst": 1_000_000, "push": "false", "sender_share": 1.0, "quota_bytes": 10_000_000_000}
SETTINGS |= {"signups_per_hour": 1_000_000}  # else the gate (services/signups.py) turns away what is to be measured here


@dataclass
class Chat:
    """Two people who were there before: one writes, the other is in IDLE."""

    relay: Relay
    writer: Person
    reader: Person
    sent: dict[str, float] = field(default_factory=dict)
    took_s: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def live(self, until: asyncio.Event, ready: asyncio.Event) -> None:
        """Until everything that was written since `ready` has been read, once `until` is set."""
        imap = await Imap.open(self.relay.bind, self.relay.port("imaps"), self.reader)
        smtp = await Smtp.open(self.relay.bind, self.relay.port("submissions"), self.writer)
        device = Device(self.reader, self.relay.bind, self.relay.port("imaps"))
        await device.round(imap)
        reading = asyncio.ensure_future(self._read(device, imap))
        ready.set()
        try:
            await self._write_on(smtp, until)
            async with asyncio.timeout(60):
                while set(self.sent) - set(device.shown):
                    self.news.clear()
                    await self.news.wait()
        finally:
            reading.cancel()
            smtp.line.close()
            imap.line.close()

    async def _write_on(self, smtp: Smtp, until: asyncio.Event) -> None:
        number = 0
        while not until.is_set():
            number += 1
            await self._write(smtp, number)
            with suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), PAUSE_S)

    async def _write(self, smtp: Smtp, number: int) -> None:
        message = encrypted_message(
            self.writer.address, [self.reader.address], 3_000, seed=hash((self.writer.address, number)) & 0xFFFFFFFF
        )
        found = re.search(rb"(?im)^message-id: <([^>]*)>", message)
        assert found is not None
        self.sent[found[1].decode()] = time.monotonic()
        try:
            await smtp.send([self.reader.address], message)
        except Exception as error:
            self.troubles.append(repr(error))
            raise

    async def _read(self, device: Device, imap: Imap) -> None:
        seen = 0
        while True:
            while await device.round(imap):
                pass
            now = time.monotonic()
            self.took_s += [now - self.sent[name] for name in device.shown[seen:]]
            seen = len(device.shown)
            self.news.set()
            await imap.idle()


def resident_mb(relay: Relay) -> float:
    assert relay.process is not None
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{relay.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def plan(relay: Relay, sinks: list[Person], seconds: float, **counts: int) -> dict[str, Any]:
    ports = {service: relay.port(service) for service in HIGH}
    addresses = [person.address for person in sinks]
    return {"host": relay.bind, "domain": relay.name, "ports": ports, "sinks": addresses, "seconds": seconds, "counts": counts}


async def flood(folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """What came of it."""
    file = folder / f"plan{time.monotonic_ns()}.json"
    file.write_text(json.dumps(wanted))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.lab.flood", str(file), stdout=subprocess.PIPE, cwd=REPOSITORY, env=Relay.environment(), limit=1 << 26
    )
    out, _ = await asyncio.wait_for(process.communicate(), wanted["seconds"] + 60)
    assert process.returncode == 0
    answer: dict[str, Any] = json.loads(out)
    return answer


async def capacity(relay: Relay, sinks: list[Person], folder: Path) -> tuple[int, float, dict[str, str]]:
    """How many senders bring the relay to its limit, messages a second then, and what was acknowledged on the way."""
    best, senders, acknowledged = 0.0, 1, dict[str, str]()
    for count in STEPS:
        answer = await flood(folder, plan(relay, sinks, STEP_S, sender=count))
        acknowledged |= answer["acknowledged"]
        rate = answer["done"]["sender"] / STEP_S
        if rate < best * 1.1:
            break
        best, senders = rate, count
    return senders, best, acknowledged


async def everything(relay: Relay, person: Person) -> set[str]:
    """Message-IDs in a mailbox."""
    imap = await Imap.open(relay.bind, relay.port("imaps"), person)
    found: set[str] = set()
    responses = await imap.command("SELECT INBOX")
    last = next(number for each in responses if (number := each.number(b"UIDNEXT")) is not None)
    for start in range(1, last, 500):
        for each in await imap.command(f"UID FETCH {start}:{start + 499} (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
            found |= {text.decode() for literal in each.literals for text in re.findall(rb"<([^>]*)>", literal)}
    imap.line.close()
    return found


def percentiles(took_s: list[float]) -> str:
    cuts = statistics.quantiles(took_s, n=100)
    return f"p50 {statistics.median(took_s) * 1000:.0f} ms, p95 {cuts[94] * 1000:.0f} ms, longest {max(took_s) * 1000:.0f} ms"


def test_five_times_too_much(tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = float(request.config.getoption("--overload-seconds"))
    with Relay(tmp_path / "relay", settings=SETTINGS) as relay:
        report = asyncio.run(_five_times_too_much(relay, tmp_path, seconds))
        output = relay.output()
    assert '"event": "bug"' not in output
    assert "Traceback" not in output
    with capsys.disabled():
        print(f"\n{report}")


async def _five_times_too_much(relay: Relay, folder: Path, seconds: float) -> str:
    people = [Person(f"{random_text(9)}@{relay.name}", random_text(22)) for _ in range(2 * PAIRS + SINKS)]
    sinks = people[2 * PAIRS :]
    for person in sinks:
        imap = await Imap.open(relay.bind, relay.port("imaps"), person)
        await imap.command("CREATE used")
        imap.line.close()
    senders, rate, acknowledged = await capacity(relay, sinks, folder)
    chats = [Chat(relay, people[2 * number], people[2 * number + 1]) for number in range(PAIRS)]
    until, living = asyncio.Event(), []
    for chat in chats:
        ready = asyncio.Event()
        living.append(asyncio.ensure_future(chat.live(until, ready)))
        await asyncio.wait_for(ready.wait(), 30)
    await asyncio.sleep(CALM_S)
    calm_s, before_mb = [each for chat in chats for each in chat.took_s], resident_mb(relay)
    for chat in chats:
        chat.took_s.clear()
    counts = {"sender": 5 * senders, "newcomer": 40, "guesser": 10, "stranger": 300, "visitor": 30}
    flooding = asyncio.ensure_future(flood(folder, plan(relay, sinks, seconds, **counts)))
    peak_mb = before_mb
    while not flooding.done():
        peak_mb = max(peak_mb, resident_mb(relay))
        await asyncio.wait([flooding], timeout=0.2)
    answer = await flooding
    busy_s = [each for chat in chats for each in chat.took_s]
    until.set()
    await asyncio.gather(*living)
    acknowledged |= answer["acknowledged"]
    lost = set(acknowledged)
    for person in sinks:
        lost -= await everything(relay, person)
    report = [
        f"capacity: {rate:.0f} messages a second with {senders} senders; then for {seconds:.0f} s: {counts}",
        f"done: {answer['done']}; refused: {answer['refused']}",
        f"memory: {before_mb:.0f} MB before, {peak_mb:.0f} MB at most",
        f"people who were connected: calm {percentiles(calm_s)}; in the flood {percentiles(busy_s)} ({len(busy_s)} messages)",
    ]
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged messages are lost"
    assert peak_mb - before_mb < GROWTH_MB, report
    assert [chat.troubles for chat in chats] == [[]] * PAIRS, report
    assert len(busy_s) > PAIRS * seconds / 10, report
    assert statistics.median(busy_s) < 5, report
    assert answer["done"]["sender"] > 0
    return "\n".join(report)
