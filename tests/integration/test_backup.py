# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backup and restore: the same relay on another disk, without a message, while it runs, and never over one that runs."""

import imaplib
import io
import os
import shutil
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.contract.stores import account, account_id, deliver, folder
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

from razdar.adapters import backup
from razdar.adapters.backup import PARTS, gather, put_back
from razdar.adapters.backup_file import unpack
from razdar.adapters.identity import open_identity, published_key
from razdar.adapters.sqlite import SqliteStore, open_store
from razdar.adapters.sqlite.lineage import UID_STEP
from razdar.adapters.sqlite.schema import connect
from razdar.cli import main
from razdar.model.ids import INBOX, BodyId, MailboxId
from razdar.model.trouble import Trouble
from razdar.ports.store import MailboxRecord

pytestmark = pytest.mark.anyio
SETTINGS = "keep_days = 3\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A relay's folder, as `up` makes it."""
    data = tmp_path / "data"
    open_identity(data, "relay.example", os.urandom)
    (data / "razdar.toml").write_text(SETTINGS)
    return data


async def opened(path: Path) -> SqliteStore:
    return await open_store(path, reserve_bytes=0, wal_bytes=1_000_000)


async def records(store: SqliteStore, name: str) -> list[MailboxRecord]:
    return list(await store.mailboxes(account_id(name)))


async def test_accounts_and_folders_come_back_and_messages_do_not(data: Path, tmp_path: Path) -> None:
    store = await opened(data)
    anna = await account(store, "anna", expires=77)
    other = await folder(store, anna)
    for number in range(3):
        await deliver(store, anna, body=BodyId(number))
    await store.put_token(anna.account, b"wake", 50)
    await store.put_invite(b"digest", 5, 50)
    await store.next_day()
    before, record = await records(store, "anna"), await store.account(anna.account)
    parts = gather(data, None)  # the relay runs, and the log is not empty
    await store.close()

    restored = put_back(parts, tmp_path / "new", os.urandom, replace=False)
    assert (restored.domain, restored.accounts, restored.aside) == ("relay.example", 1, None)
    store = await opened(tmp_path / "new")
    assert await store.account(anna.account) == record
    assert await store.day() == 2
    after = await records(store, "anna")
    assert [each.id for each in after] == [MailboxId(anna.account, INBOX), other]
    assert [(each.uid_validity, each.sealed, each.messages) for each in after] == [
        (each.uid_validity, each.sealed, 0) for each in before
    ]  # no device throws its view away (docs/interop.md, fact 3) ...
    assert [each.uid_next for each in after] == [each.uid_next + UID_STEP for each in before]  # ... and no UID is given out twice
    assert (await store.recipients([anna.account]))[anna.account].used == 0
    totals = await store.totals()
    assert (totals.entries, totals.bodies) == (0, 0)
    assert (await store.tokens(anna.account), await store.invite_uses(b"digest")) == ([], 0)
    await store.close()


async def test_a_second_start_after_a_restore_does_not_jump_again(data: Path, tmp_path: Path) -> None:
    store = await opened(data)
    await account(store, "anna")
    await store.close()
    put_back(gather(data, None), tmp_path / "new", os.urandom, replace=False)
    seen = []
    for _ in range(2):
        store = await opened(tmp_path / "new")
        seen.append((await records(store, "anna"))[0].uid_next)
        await store.close()
    assert seen == [1 + UID_STEP, 1 + UID_STEP]


async def test_who_could_enter_the_former_relays_console_cannot_enter_this_one(parts: Mapping[str, bytes], data: Path) -> None:
    for name in ("passkeys.json", "actions.log"):
        (data / name).write_text("of the former")
    put_back(parts, data, os.urandom, replace=True)
    for name in ("passkeys.json", "actions.log"):
        assert not (data / name).exists()
        assert (data / "replaced-1" / name).read_text() == "of the former"


async def test_other_relays_know_it_again_and_it_knows_them(data: Path, tmp_path: Path) -> None:
    """The DKIM key is published in DNS and written into other operators' lists; the list of ours is the operator's own work."""
    await (await opened(data)).close()
    (data / "names.txt").write_text("other.example 203.0.113.9\n")
    (data / "known-names.json").write_text("{}")
    parts = gather(data, None)
    put_back(parts, tmp_path / "new", os.urandom, replace=False)
    assert published_key(tmp_path / "new") == published_key(data)
    assert (tmp_path / "new/names.txt").read_text() == "other.example 203.0.113.9\n"
    assert not (tmp_path / "new/known-names.json").exists()  # DNS tells it again
    put_back(parts, data, os.urandom, replace=True)
    assert (data / "replaced-1/known-names.json").exists()
    assert not (data / "known-names.json").exists()


async def test_no_message_and_no_token_is_in_the_file(data: Path) -> None:
    store = await opened(data)
    anna = await account(store, "anna")
    await deliver(store, anna)
    await store.put_token(anna.account, b"wake-up token", 50)
    parts = gather(data, None)
    await store.close()
    assert b"blob 77" not in parts["store.db"]
    assert b"wake-up" not in parts["store.db"]
    assert bytes(range(120)) not in parts["store.db"]  # the seal
    with closing(connect(Path(":memory:"))) as kept:
        kept.deserialize(parts["store.db"])
        empty = [kept.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("entry", "body", "large", "token", "invite")]
    assert empty == [(0,)] * 5


async def test_the_given_settings_file_is_the_one_that_is_saved(data: Path, tmp_path: Path) -> None:
    await (await opened(data)).close()
    (tmp_path / "other.toml").write_text("keep_days = 9\n")
    assert gather(data, tmp_path / "other.toml")["razdar.toml"] == b"keep_days = 9\n"
    assert gather(data, None)["razdar.toml"] == SETTINGS.encode()


def test_a_folder_without_a_relay_is_told(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="no relay"):
        gather(tmp_path, None)


# where a backup may go


@pytest.fixture
async def parts(data: Path) -> Mapping[str, bytes]:
    store = await opened(data)
    await account(store, "anna")
    await store.close()
    return gather(data, None)


async def test_a_full_folder_is_left_alone(parts: Mapping[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "letter.txt").write_text("mine")
    with pytest.raises(Trouble, match="--replace"):
        put_back(parts, tmp_path / "new", os.urandom, replace=False)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["letter.txt", "lock"]


async def test_replacing_puts_the_former_relay_aside_whole(parts: Mapping[str, bytes], data: Path) -> None:
    former = {name: (data / name).read_bytes() for name in ("store.db", "keys/id_key", "razdar.toml")}
    for number in (1, 2):
        restored = put_back(parts, data, os.urandom, replace=True)
        assert restored.aside == data / f"replaced-{number}"
    assert {name: (data / "replaced-1" / name).read_bytes() for name in former} == former
    store = await opened(data)
    assert await store.account(account_id("anna")) is not None
    await store.close()


async def test_a_running_relay_is_never_restored_over(parts: Mapping[str, bytes], data: Path) -> None:
    store = await opened(data)
    for replace in (False, True):
        with pytest.raises(Trouble, match="running"):
            put_back(parts, data, os.urandom, replace=replace)
    assert await store.account(account_id("anna")) is not None
    await store.close()


async def test_only_the_owner_can_read_what_was_restored(parts: Mapping[str, bytes], tmp_path: Path) -> None:
    put_back(parts, tmp_path / "new", os.urandom, replace=False)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").rglob("*")}
    assert set(modes.values()) == {0o700, 0o600}
    assert modes["keys"] == 0o700


async def test_a_backup_without_a_key_is_refused_before_anything_changes(parts: Mapping[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="damaged"):
        put_back({name: content for name, content in parts.items() if name != "keys/id_key"}, tmp_path / "new", os.urandom, replace=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TRIGGER t AFTER INSERT ON account BEGIN SELECT 1; END",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE mailbox",
        "PRAGMA user_version = 99",
        "PRAGMA user_version = 0",
    ],
)
async def test_a_database_that_is_not_ours_to_the_letter_is_refused(parts: Mapping[str, bytes], tmp_path: Path, change: str) -> None:
    """Code can hide in a schema (sqlite.org/security.html)."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as forged:
        forged.deserialize(parts["store.db"])
        forged.execute(change)
        content = forged.serialize()
    with pytest.raises(Trouble, match="damaged"):
        put_back({**parts, "store.db": content}, tmp_path / "new", os.urandom, replace=False)


async def test_a_backup_of_a_newer_store_waits_for_the_newer_program(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await opened(data)).close()
    monkeypatch.setattr(backup, "MIGRATIONS", ())
    with pytest.raises(Trouble, match="newer"):
        gather(data, None)


async def test_interrupted_at_any_file_it_can_be_repeated(
    parts: Mapping[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(Exception):  # noqa: N818
        pass

    for cut_at in range(1, len(parts)):
        new, left = tmp_path / f"new{cut_at}", cut_at

        def fail_later(path: Path, content: bytes) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Cut
            path.write_bytes(content)

        with monkeypatch.context() as patched:
            patched.setattr(backup, "write_private", fail_later)
            with pytest.raises(Cut):
                put_back(parts, new, os.urandom, replace=False)
        assert not (new / "store.db").exists()
        put_back(parts, new, os.urandom, replace=True)
        store = await opened(new)
        assert await store.account(account_id("anna")) is not None
        await store.close()


# as a person does it


@contextmanager
def mail(relay: Relay, local: str, password: str) -> Iterator[imaplib.IMAP4_SSL]:
    context = ssl._create_unverified_context()
    with imaplib.IMAP4_SSL("127.0.0.1", relay.port("imaps"), ssl_context=context) as client:
        client.login(f"{local}@{relay.name}", password)
        yield client


def selected(client: imaplib.IMAP4_SSL) -> tuple[int, int, int]:
    """UIDVALIDITY, UIDNEXT, messages."""
    _, (count,) = client.select()
    assert count is not None
    (validity,), (following,) = client.response("UIDVALIDITY")[1], client.response("UIDNEXT")[1]
    assert validity is not None
    assert following is not None
    return int(validity), int(following), int(count)


@pytest.mark.slow
def test_a_person_logs_in_after_the_restore_with_the_old_password(tmp_path: Path) -> None:
    local, password = random_text(9), random_text(22)
    file = tmp_path / "relay.backup"
    with Relay(tmp_path / "one", settings={"push": "no"}) as relay:
        name = relay.name
        with mail(relay, local, password) as client:
            address = f"{local}@{name}"
            client.append("INBOX", None, None, encrypted_message(address, [address], 3000, 1))
            before = selected(client)
            assert before[2] == 1
        done = subprocess.run(relay.other_command("backup", str(file)), env=relay.environment(), capture_output=True, text=True, check=True)
        assert "1 account" in done.stdout
    assert file.stat().st_mode & 0o777 == 0o600

    shutil.rmtree(tmp_path / "one")  # the disk died
    other = Relay(tmp_path / "two", settings={"push": "no", "registration": "closed"})
    subprocess.run(other.other_command("restore", str(file)), env=other.environment(), capture_output=True, check=True)
    with other:
        assert other.name == name
        with mail(other, local, password) as client:
            validity, following, messages = selected(client)
            assert (validity, following, messages) == (before[0], before[1] + UID_STEP, 0)
        refused = subprocess.run(
            other.other_command("restore", str(file), "--replace"), env=other.environment(), capture_output=True, text=True, check=False
        )
        assert refused.returncode == 1
        assert "running" in refused.stderr
        with mail(other, local, password) as client, pytest.raises(imaplib.IMAP4.error):
            client.login(f"{local}@{name}", "wrong")


async def test_the_words_on_the_terminal(
    parts: Mapping[str, bytes], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "relay.backup"
    assert main(["backup", str(file), "--data", str(data)]) == 0
    shown = capsys.readouterr().out
    assert "پیامی در آن نیست" in shown
    assert "not encrypted" in shown
    assert dict(unpack(file.read_bytes(), "", PARTS)) == dict(parts)
    assert main(["backup", str(file), "--data", str(data)]) == 0  # an earlier backup may be replaced
    assert main(["restore", str(file), "--data", str(data)]) == 1
    assert "--replace" in capsys.readouterr().err
    assert main(["restore", str(file), "--data", str(data), "--replace"]) == 0
    assert "replaced-1" in capsys.readouterr().out


async def test_another_file_is_never_overwritten(parts: Mapping[str, bytes], data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", str(data / "razdar.toml"), "--data", str(data)]) == 1
    assert "is not a backup" in capsys.readouterr().err
    assert (data / "razdar.toml").read_text() == SETTINGS


async def test_a_passphrase_from_a_script(
    parts: Mapping[str, bytes], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "relay.backup"

    def with_input(text: str, *words: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return main(list(words))

    assert with_input("short\n", "backup", str(file), "--data", str(data), "--encrypt") == 1
    assert with_input("a long passphrase\n", "backup", str(file), "--data", str(data), "--encrypt") == 0
    assert "not encrypted" not in capsys.readouterr().out
    assert with_input("another passphrase\n", "restore", str(file), "--data", str(tmp_path / "new")) == 1
    assert not (tmp_path / "new").exists()
    assert with_input("a long passphrase\n", "restore", str(file), "--data", str(tmp_path / "new")) == 0


async def test_a_folder_of_somebody_else_is_refused(parts: Mapping[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root would leave files that the relay's own user cannot open."""
    (tmp_path / "new").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    with pytest.raises(Trouble, match="sudo -u"):
        put_back(parts, tmp_path / "new", os.urandom, replace=True)
