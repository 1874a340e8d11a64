# SPDX-License-Identifier: AGPL-3.0-or-later
"""The data folder: one owner, one version forward, noticed restores, small files, nobody else may read them."""

# ruff: noqa: ASYNC240 - a test that waits for its own disk keeps nobody waiting
import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.contract.stores import BODY, SEAL, account, account_id, deliver, folder, record, removal, wear
from tests.integration.store_program import ENVIRONMENT, PROGRAM

from razdar.adapters.sqlite import SqliteStore, StoreInUse, StoreTooNew, open_store
from razdar.adapters.sqlite.lineage import UID_STEP, WORN
from razdar.adapters.sqlite.schema import MIGRATIONS, migrate
from razdar.model.ids import UID_NEXT_MAX, BodyId, MailboxId, Uid
from razdar.ports.store import Body, Delivery, NewEntry, Removal

pytestmark = pytest.mark.anyio


async def opened(path: Path) -> SqliteStore:
    return await open_store(path, reserve_bytes=100_000, wal_bytes=1_000_000)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await opened(tmp_path)
    yield store
    await store.close()


# one owner


async def test_a_second_store_in_this_process_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(StoreInUse):
        await opened(tmp_path)
    assert await store.day() == 1  # the first one goes on


@pytest.mark.slow
async def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen([*PROGRAM, "hold", str(tmp_path)], stdout=subprocess.PIPE, env=ENVIRONMENT) as process:  # noqa: ASYNC220
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(StoreInUse):
            await opened(tmp_path)
        process.kill()
    await (await opened(tmp_path)).close()


async def test_closing_releases_the_folder(tmp_path: Path) -> None:
    for _ in range(2):
        await (await opened(tmp_path)).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "reserve", "store.db", "store.generation"]


async def test_only_the_owner_may_read_it(store: SqliteStore, tmp_path: Path) -> None:
    await account(store, "anna")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("lock", "reserve", "store.db", "store.db-shm", "store.db-wal", "store.generation"), 0o600)


# versions


async def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = (tmp_path / "store.db").read_bytes()
    with pytest.raises(StoreTooNew):
        await opened(tmp_path)
    assert (tmp_path / "store.db").read_bytes() == before
    with pytest.raises(StoreTooNew):  # and not StoreInUse: the lock was given back
        await opened(tmp_path)


NEXT = "ALTER TABLE account ADD COLUMN colour TEXT; UPDATE account SET colour = 'green';"


async def test_a_migration_goes_forward_and_keeps_what_is_there(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    await store.close()
    connection = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    migrate(connection, (*MIGRATIONS, NEXT))
    migrate(connection, (*MIGRATIONS, NEXT))  # again, harmless
    assert connection.execute("SELECT id, colour FROM account").fetchall() == [(inbox.account, "green")]
    assert connection.execute("SELECT count(*) FROM entry").fetchone() == (1,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    connection.close()


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    await (await opened(tmp_path)).close()
    connection = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    with pytest.raises(sqlite3.Error):
        migrate(connection, (*MIGRATIONS, NEXT, "ALTER TABLE nothing ADD COLUMN x;"))
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert "colour" not in str(connection.execute("SELECT sql FROM sqlite_schema").fetchall())
    connection.close()
    await (await opened(tmp_path)).close()


async def test_all_migrations_start_from_nothing(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    migrate(connection, (*MIGRATIONS, NEXT))
    assert connection.execute("SELECT value FROM meta WHERE key = 'day'").fetchone() == (1,)
    connection.close()


# restores (RFC 3501 section 2.3.1.1)


Position = tuple[int, int]
"""UIDVALIDITY and UIDNEXT."""


async def position(store: SqliteStore, mailbox: MailboxId) -> Position:
    known = await store.mailbox(mailbox)
    assert known is not None
    return known.uid_validity, known.uid_next


async def mail_and_backup(path: Path) -> tuple[dict[MailboxId, Position], Path]:
    """A store with two mailboxes, copied, and then used further; where each stood when it was copied."""
    path.mkdir(exist_ok=True)
    store = await opened(path)
    inbox = await account(store, "anna")
    other = await folder(store, inbox)
    await deliver(store, inbox)
    before = {mailbox: await position(store, mailbox) for mailbox in (inbox, other)}
    await store.close()
    backup = path.with_name("backup")
    shutil.copytree(path, backup)
    store = await opened(path)
    await deliver(store, inbox, body=BodyId(5))
    await store.close()
    return before, backup


async def positions(path: Path, mailboxes: dict[MailboxId, Position]) -> dict[MailboxId, Position]:
    store = await opened(path)
    found = {mailbox: await position(store, mailbox) for mailbox in mailboxes}
    await store.close()
    return found


def jumped(before: dict[MailboxId, Position]) -> dict[MailboxId, Position]:
    """No UID is given out twice, and what waits keeps its own (docs/interop.md: a new UIDVALIDITY would hide it from the real client)."""
    return {mailbox: (validity, uid_next + UID_STEP) for mailbox, (validity, uid_next) in before.items()}


async def test_nothing_changes_without_a_restore(tmp_path: Path) -> None:
    backed_up, _ = await mail_and_backup(tmp_path / "data")
    before = await positions(tmp_path / "data", backed_up)
    for _ in range(3):
        assert await positions(tmp_path / "data", before) == before


async def test_after_a_restore_uids_jump_ahead_once(tmp_path: Path) -> None:
    before, backup = await mail_and_backup(tmp_path / "data")
    shutil.rmtree(tmp_path / "data")
    shutil.copytree(backup, tmp_path / "data")
    assert await positions(tmp_path / "data", before) == jumped(before)
    assert await positions(tmp_path / "data", before) == jumped(before)


async def test_a_restore_never_leads_beyond_the_last_uid(tmp_path: Path) -> None:
    """RFC 3501 section 9: 32 bits, UIDNEXT too."""
    before, backup = await mail_and_backup(tmp_path / "data")
    inbox = next(iter(before))
    store = await opened(backup)  # it is a copy, so this is a restore already
    await wear(store, inbox, UID_NEXT_MAX - 5)
    await store.close()
    (backup / "store.generation").unlink()
    assert (await positions(backup, before))[inbox] == (before[inbox][0], UID_NEXT_MAX)


async def test_a_worn_inbox_begins_anew_when_it_is_empty_and_only_then(tmp_path: Path) -> None:
    """docs/interop.md, fact 3: a new UIDVALIDITY would hide what waits from the real client."""
    store = await opened(tmp_path)
    anna, boris = await account(store, "anna"), await account(store, "boris")
    waiting = await deliver(store, anna)
    before = {mailbox: await position(store, mailbox) for mailbox in (anna, boris)}
    for mailbox in before:
        await wear(store, mailbox, WORN + 1)
    await store.close()
    assert await positions(tmp_path, before) == {anna: (before[anna][0], WORN + 1), boris: (before[boris][0] + 1, 1)}
    store = await opened(tmp_path)
    await store.remove(anna, [removal(uid) for uid in waiting])
    await store.close()
    assert await positions(tmp_path, before) == {anna: (before[anna][0] + 1, 1), boris: (before[boris][0] + 1, 1)}


async def test_a_database_written_over_in_place_is_noticed(tmp_path: Path) -> None:
    # The inode stays the same; the count in the file beside it does not.
    before, backup = await mail_and_backup(tmp_path / "data")
    (tmp_path / "data/store.db").write_bytes((backup / "store.db").read_bytes())
    assert await positions(tmp_path / "data", before) == jumped(before)
    assert await positions(tmp_path / "data", before) == jumped(before)


async def test_a_database_put_back_without_the_count_is_noticed(tmp_path: Path) -> None:
    backed_up, _ = await mail_and_backup(tmp_path / "data")
    before = await positions(tmp_path / "data", backed_up)
    (tmp_path / "data/store.generation").unlink()
    assert await positions(tmp_path / "data", before) == jumped(before)
    assert await positions(tmp_path / "data", before) == jumped(before)


async def test_a_copy_taken_while_running_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir()
    store = await opened(path)
    inbox = await account(store, "anna")
    source, target = sqlite3.connect(path / "store.db"), sqlite3.connect(tmp_path / "copy.db")
    source.backup(target)
    source.close()
    target.close()
    before = {inbox: await position(store, inbox)}
    for number in range(1, 3):
        await deliver(store, inbox, body=BodyId(number))
        await emptied(path / "store.db-wal")
    await store.close()
    (path / "store.db").write_bytes((tmp_path / "copy.db").read_bytes())
    assert await positions(path, before) == jumped(before)


async def test_a_folder_made_after_a_restore_is_new_to_every_device(tmp_path: Path) -> None:
    path = tmp_path / "data"
    before, backup = await mail_and_backup(path)
    inbox = MailboxId(account_id("anna"))
    store = await opened(path)
    lost = await store.create_mailbox(inbox.account, b"made after the backup")
    await store.close()
    (path / "store.db").write_bytes((backup / "store.db").read_bytes())
    store = await opened(path)
    made = await store.create_mailbox(inbox.account, b"made after the restore")
    await store.close()
    assert lost is not None
    assert made is not None
    assert made.id.folder > lost.id.folder
    assert made.uid_validity > max(lost.uid_validity, *(validity for validity, _ in before.values()))


# small files


async def emptied(log: Path) -> None:
    """The log has been emptied in a pause, which takes a tenth of a second."""
    async with asyncio.timeout(10):
        while log.stat().st_size:  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)


async def test_the_log_is_emptied_when_the_relay_pauses(store: SqliteStore, tmp_path: Path) -> None:
    inbox = await account(store, "anna")
    await deliver(store, inbox)
    assert (tmp_path / "store.db-wal").stat().st_size > 0
    await emptied(tmp_path / "store.db-wal")
    assert await store.body(BODY) == b"blob 77"


async def test_the_log_is_emptied_when_it_has_grown(tmp_path: Path) -> None:
    store = await open_store(tmp_path, reserve_bytes=0, wal_bytes=100_000)
    inbox = await account(store, "anna")
    for number in range(1, 101):
        await deliver(store, inbox, body=BodyId(number))
        assert (tmp_path / "store.db-wal").stat().st_size < 300_000
    await store.close()


async def test_disk_in_use_falls_again(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    inbox = await account(store, "anna")
    blob = bytes(4040)
    for start in range(1, 4001, 500):
        await store.deliver([Delivery(Body(BodyId(number), blob, 9), [NewEntry(inbox, SEAL, 0)]) for number in range(start, start + 500)])
    full = (await store.totals()).disk_bytes
    await store.remove(inbox, [Removal(Uid(uid), BodyId(uid), 0) for uid in range(1, 3501)])
    waiting = 500 * (4096 + 160)
    async with asyncio.timeout(10):
        while (await store.totals()).disk_bytes > 2 * waiting:  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.01)
    assert full > 4000 * 4096
    await store.close()


@pytest.mark.parametrize("way", ["remove", "expire"])
async def test_nothing_is_left_of_a_large_body(store: SqliteStore, tmp_path: Path, way: str) -> None:
    inbox = await account(store, "anna")
    await store.deliver([Delivery(Body(BODY, bytes(300_000), 2), [NewEntry(inbox, SEAL, 0)])])
    if way == "remove":
        await store.remove(inbox, [removal(Uid(1))])
    else:
        await store.next_day()
        await store.expire()
    connection = sqlite3.connect(tmp_path / "store.db")
    assert connection.execute("SELECT (SELECT count(*) FROM body), (SELECT count(*) FROM large)").fetchone() == (0, 0)
    connection.close()


async def test_a_chat_message_takes_one_page(tmp_path: Path) -> None:
    # The smallest class of vault/body.py is made for this.
    store = await opened(tmp_path)
    inbox = await account(store, "anna")
    for number in range(1, 101):
        body = Body(BodyId(2**63 - number), bytes(4040), 20_000)
        await store.deliver([Delivery(body, [NewEntry(inbox, SEAL, 0, 2**62 - number)])])
    await store.close()
    connection = sqlite3.connect(tmp_path / "store.db")
    found = connection.execute("SELECT pagetype, count(*) FROM dbstat WHERE name = 'body' GROUP BY pagetype").fetchall()
    connection.close()
    assert dict(found) == {"internal": 1, "leaf": 100}


def open_files() -> list[Path]:
    """Of this process, deleted ones too."""
    files = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the folder
            files.append(link.readlink())
    return files


async def test_no_other_file_is_ever_made(store: SqliteStore, tmp_path: Path) -> None:
    # Nothing readable may reach the disk by a temporary file, not even while something large is sorted or deleted.
    inbox = await account(store, "anna")
    await store.deliver([Delivery(Body(BODY, bytes(3_000_000), 2), [NewEntry(inbox, SEAL, 0)])])
    await store.next_day()
    await store.expire()
    files = open_files()
    assert {file.name for file in files if file.is_relative_to(tmp_path)} == {"lock", "store.db", "store.db-shm", "store.db-wal"}
    assert not any("etilqs" in file.name for file in files)  # what SQLite calls its temporary files


# the disk itself


async def test_what_was_removed_is_overwritten_in_the_tables(store: SqliteStore, tmp_path: Path) -> None:
    inbox = await account(store, "anna")
    marker = b"a seal that can be found again".ljust(120, b"!")
    for number in range(1, 4):
        await store.deliver([Delivery(Body(BodyId(number), b"blob", 9), [NewEntry(inbox, marker, 0)])])
    await emptied(tmp_path / "store.db-wal")
    assert marker in (tmp_path / "store.db").read_bytes()
    await store.remove(inbox, [removal(Uid(uid), BodyId(uid)) for uid in (1, 2, 3)])
    await emptied(tmp_path / "store.db-wal")
    assert marker not in (tmp_path / "store.db").read_bytes()


async def test_the_store_opens_at_once_after_a_long_log(tmp_path: Path) -> None:
    store = await open_store(tmp_path / ".", reserve_bytes=0, wal_bytes=10**9)
    await asyncio.gather(*(store.create_account(record(f"member {number}")) for number in range(2000)))
    copy = tmp_path / "crashed"  # as a crash leaves it: database and log without the closing checkpoint
    copy.mkdir()
    for name in ("store.db", "store.db-wal", "store.generation"):
        shutil.copy(tmp_path / name, copy / name)
    await store.close()
    again = await opened(copy)
    assert (await again.totals()).accounts == 2000
    await again.close()
