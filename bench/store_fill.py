# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lays messages into every mailbox of a store, as if they had come long ago: sealed as the relay seals, through its own store.

    python -m bench.store_fill DATA_FOLDER MESSAGES

The relay must have stopped. Every message goes to everybody, as in a large group. Accounts that were never used are not in the store and
get nothing. Seals are made in as many processes as there are cores: a million of them take a minute and a half of one.
"""

import asyncio
import os
import random
import sqlite3
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

from bench.messages import SIZE_BYTES

from razdar.adapters.sqlite import SqliteStore, open_store
from razdar.model.ids import AccountId, BodyId, MailboxId
from razdar.model.message import EntrySecret
from razdar.policy.quota import charge
from razdar.ports.store import NEVER, Body, Delivery, NewEntry
from razdar.settings import Settings
from razdar.vault.body import encrypt_body
from razdar.vault.seal import seal

AT_ONCE = 4
"""Messages in one transaction."""
DAYS = 20
WHEN = 1_760_000_000


def owners(data: Path) -> list[tuple[bytes, bytes]]:
    """Id and public key of everybody's account, the relay's own left out."""
    with closing(sqlite3.connect(data / "store.db")) as connection:
        return connection.execute("SELECT id, public_key FROM account WHERE expires < ?", (NEVER,)).fetchall()


def delivery(number: int, people: Sequence[tuple[bytes, bytes]], day: int) -> Delivery:
    """One message to all of them."""
    rng = random.Random(number)
    body, key = BodyId(rng.getrandbits(62) + 1), os.urandom(32)
    units = charge(SIZE_BYTES, Settings().quota_bytes, os.urandom(4))
    entries = []
    for account, public_key in people:
        share = rng.randrange(1, 2**62)
        secret = EntrySecret(body, key, SIZE_BYTES, WHEN, charge=units, share=share)
        entries.append(NewEntry(MailboxId(AccountId(account)), seal(public_key, secret), units, share))
    return Delivery(Body(body, encrypt_body(key, rng.randbytes(SIZE_BYTES)), day + DAYS), entries, day + DAYS)


async def _lay(store: SqliteStore, made: "asyncio.Future[list[Delivery]]") -> None:
    await store.deliver(await made)


async def fill(data: Path, messages: int) -> int:
    """How many entries there are more than before."""
    settings, people = Settings(), owners(data)
    store = await open_store(data, reserve_bytes=settings.reserve_bytes, wal_bytes=settings.wal_bytes)
    day = await store.day()
    laid: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    laid.set_result(None)
    with ProcessPoolExecutor() as pool:  # seals the next messages while the store takes the last
        for start in range(0, messages, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, messages))
            made = asyncio.gather(*(asyncio.wrap_future(pool.submit(delivery, number, people, day)) for number in numbers))
            await laid
            laid = asyncio.ensure_future(_lay(store, made))
        await laid
    await store.close()
    return messages * len(people)


if __name__ == "__main__":
    print(asyncio.run(fill(Path(sys.argv[1]), int(sys.argv[2]))))
