# SPDX-License-Identifier: AGPL-3.0-or-later
"""A process that owns a store, for tests that need it killed, starved of disk, or alone in its folder.

python -m tests.integration.store_program hold FOLDER          open, say "open", wait to be killed
python -m tests.integration.store_program work FOLDER          deliver and remove until killed, one line for each thing done
python -m tests.integration.store_program fill FOLDER          deliver until the disk is full, then tell what worked
python -m tests.integration.store_program crowd FOLDER         somebody else fills the disk and leaves again
python -m tests.integration.store_program limit FOLDER         the same with a limit on the size of files
"""

import asyncio
import json
import os
import random
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from razdar.adapters.sqlite import SqliteStore, open_store
from razdar.model.ids import AccountId, BodyId, MailboxId, Uid
from razdar.ports.store import AccountRecord, Body, Delivery, NewEntry, Removal, StoreFull, StoreUnavailable

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
PROGRAM = [sys.executable, "-m", "tests.integration.store_program"]
"""How a test starts this, with ENVIRONMENT."""
INBOXES = [MailboxId(AccountId(bytes([number]) * 16)) for number in range(5)]
BLOB = bytes(4040)


async def opened(folder: Path) -> SqliteStore:
    return await open_store(folder, reserve_bytes=1_000_000, wal_bytes=300_000)


async def with_accounts(folder: Path) -> SqliteStore:
    store = await opened(folder)
    for inbox in INBOXES:
        await store.create_account(AccountRecord(inbox.account, b"salt", b"public", b"locked", 100))
    return store


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())  # one write, so that a kill leaves no half line


def seal_of(body: int) -> bytes:
    return body.to_bytes(8, "big") * 15


async def deliver(store: SqliteStore, *inboxes: MailboxId, size: int = len(BLOB)) -> tuple[BodyId, dict[MailboxId, Uid]]:
    body = BodyId(random.getrandbits(62) + 1)
    entries = [NewEntry(inbox, seal_of(body), 1) for inbox in inboxes]
    (uids,) = await store.deliver([Delivery(Body(body, body.to_bytes(8, "big") + bytes(size - 8), 50), entries)])
    return body, dict(uids)


async def hold(folder: Path) -> None:
    await opened(folder)
    say("open")
    await asyncio.Event().wait()


async def work(folder: Path) -> None:
    store = await with_accounts(folder)
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(deliver_and_remove(store))


async def deliver_and_remove(store: SqliteStore) -> None:
    while True:
        body, uids = await deliver(store, *random.sample(INBOXES, random.randint(1, 3)))
        for inbox, uid in uids.items():
            say("delivered", inbox.account[0], uid, body)
        if random.random() < 0.5:
            inbox, uid = next(iter(uids.items()))
            say("removing", inbox.account[0], uid, body)
            await store.remove(inbox, [Removal(uid, body, 1)])
            say("removed", inbox.account[0], uid, body)


async def refused(attempt: Callable[[], Awaitable[object]]) -> str:
    try:
        await attempt()
    except StoreUnavailable as error:
        return type(error).__name__
    return "done"


async def recovers(store: SqliteStore) -> bool:
    """Whether deliveries are taken again by themselves within ten seconds."""
    deadline = time.monotonic() + 10
    while await refused(lambda: deliver(store, INBOXES[0])) != "done":
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def is_whole(store: SqliteStore, known: dict[Uid, BodyId]) -> bool:
    """Whether exactly these messages are in the first mailbox, each with its body."""
    entries = await store.entries(INBOXES[0])
    bodies = [await store.body(body) for body in known.values()]
    is_readable = all(
        blob is not None and blob.startswith(body.to_bytes(8, "big")) for body, blob in zip(known.values(), bodies, strict=True)
    )
    return is_readable and [(entry.uid, entry.seal) for entry in entries] == [(uid, seal_of(body)) for uid, body in known.items()]


async def fill(folder: Path) -> None:
    store = await with_accounts(folder)
    known: dict[Uid, BodyId] = {}
    try:
        while True:
            body, uids = await deliver(store, INBOXES[0])
            known[uids[INBOXES[0]]] = body
    except StoreFull:
        store._fresh.clear()  # so that bodies come from the disk
    facts: dict[str, object] = {"delivered": len(known), "whole_when_full": await is_whole(store, known)}
    facts["next_delivery"] = await refused(lambda: deliver(store, INBOXES[0]))
    facts["reserve_is_given"] = not (folder / "reserve").exists()
    going = list(known)[20:]
    removed = await store.remove(INBOXES[0], [Removal(uid, known.pop(uid), 1) for uid in going])
    facts["removed_all"] = list(removed) == going
    facts["whole_after_removing"] = await is_whole(store, known)
    facts["recovers"] = await recovers(store)
    await store.close()
    again = await opened(folder)
    facts["reserve_is_back"] = (folder / "reserve").stat().st_size == 1_000_000
    facts["uids_go_on"] = max(await again.uids(INBOXES[0])) > max(going)
    await again.close()
    say(json.dumps(facts))


async def crowd(folder: Path) -> None:
    store = await with_accounts(folder)
    body, uids = await deliver(store, INBOXES[0])
    facts: dict[str, object] = {}
    with (folder / "crowd").open("wb", buffering=0) as other:
        try:
            while True:
                other.write(bytes(4096))
        except OSError:
            pass
    facts["large_delivery"] = await refused(lambda: deliver(store, INBOXES[0], size=2_000_000))
    facts["whole_when_full"] = await is_whole(store, {uids[INBOXES[0]]: body})
    facts["removal"] = await refused(lambda: store.remove(INBOXES[0], [Removal(uids[INBOXES[0]], body, 1)]))
    (folder / "crowd").unlink()
    facts["recovers"] = await recovers(store)
    await store.close()
    say(json.dumps(facts))


async def limit(folder: Path) -> None:
    store = await with_accounts(folder)
    body, uids = await deliver(store, INBOXES[0])
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "store.db").stat().st_size + 500_000, hard))
    facts: dict[str, object] = {"large_delivery": await refused(lambda: deliver(store, INBOXES[0], size=2_000_000))}
    facts["whole_after_failing"] = await is_whole(store, {uids[INBOXES[0]]: body})
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    facts["recovers"] = await recovers(store)
    facts["uids"] = list(await store.uids(INBOXES[0]))
    await store.close()
    say(json.dumps(facts))


if __name__ == "__main__":
    mains = {"hold": hold, "work": work, "fill": fill, "crowd": crowd, "limit": limit}
    asyncio.run(mains[sys.argv[1]](Path(sys.argv[2])))
