# SPDX-License-Identifier: AGPL-3.0-or-later
"""kill -9 in the middle of work: what was acknowledged is there, what was removed is gone, no UID comes twice, the store opens at once."""

import asyncio
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.store_program import ENVIRONMENT, INBOXES, PROGRAM, seal_of

from razdar.adapters.sqlite import open_store
from razdar.model.ids import BodyId, Uid
from razdar.ports.store import Removal

pytestmark = pytest.mark.slow
ROUNDS = 10


class Ledger:
    """What the killed processes have said so far."""

    def __init__(self) -> None:
        self.here: dict[tuple[int, int], int] = {}
        self.uncertain: set[tuple[int, int]] = set()
        self.gone: set[tuple[int, int]] = set()

    def hear(self, line: str) -> None:
        what, inbox, uid, body = line.split()
        place = (int(inbox), int(uid))
        if what == "delivered":
            assert place not in self.here | dict.fromkeys(self.uncertain | self.gone), "a UID was used twice"
            self.here[place] = int(body)
        elif what == "removing":
            del self.here[place]
            self.uncertain.add(place)
        else:
            self.uncertain.discard(place)
            self.gone.add(place)

    async def check(self, folder: Path) -> None:
        started = time.perf_counter()
        store = await open_store(folder, reserve_bytes=1_000_000, wal_bytes=300_000)
        assert time.perf_counter() - started < 1
        assert not store.was_restored
        for number, inbox in enumerate(INBOXES):
            entries = {entry.uid: entry for entry in await store.entries(inbox)}
            record = await store.mailbox(inbox)
            assert record is not None
            known = [uid for place, uid in (*self.here, *self.uncertain, *self.gone) if place == number]
            assert record.uid_next > max(known, default=0)
            assert not {Uid(uid) for place, uid in self.gone if place == number} & entries.keys()
            for (place, uid), body in self.here.items():
                if place == number:
                    assert entries[Uid(uid)].seal == seal_of(body)
                    blob = await store.body(BodyId(body))
                    assert blob is not None
                    assert blob.startswith(body.to_bytes(8, "big"))
        await store.close()


def kill_in_the_middle(folder: Path, lines: int) -> Iterator[str]:
    with subprocess.Popen([*PROGRAM, "work", str(folder)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        for _ in range(lines):
            yield process.stdout.readline()
        process.kill()
        yield from process.stdout  # said before the kill


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    ledger = Ledger()
    for _ in range(ROUNDS):
        for line in kill_in_the_middle(tmp_path, random.randint(1, 400)):
            ledger.hear(line)
        asyncio.run(ledger.check(tmp_path))
    assert len(ledger.here) > ROUNDS
    assert asyncio.run(countdown(tmp_path, ledger)) == 0


async def countdown(folder: Path, ledger: Ledger) -> int:
    """How many bodies are left when every entry that is known has been removed: shares survive a crash with their bodies.

    Entries that were committed but not acknowledged are known from the disk; their seal names the body, as it does for a client.
    """
    store = await open_store(folder, reserve_bytes=1_000_000, wal_bytes=300_000)
    for inbox in INBOXES:
        entries = await store.entries(inbox)
        await store.remove(inbox, [Removal(entry.uid, BodyId(int.from_bytes(entry.seal[:8], "big")), 1) for entry in entries])
    totals = await store.totals()
    await store.close()
    assert totals.entries == 0
    return totals.bodies
