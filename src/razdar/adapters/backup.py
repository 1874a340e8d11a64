# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a relay needs to be the same relay again on another disk: settings, keys, its own certificate, and the rows of accounts and folders.

Never a message: neither entries nor bodies are read. Left out as well are push tokens (the apps hand them in again) and invitations (one
that was used since would work again). Folder names come along sealed, as they lie on the disk. UIDs and UIDVALIDITY are kept, and the
store, when it is opened, sees that it was restored and lets the UIDs jump ahead (sqlite/lineage.py): no UID is ever given out twice.

A backup is taken while the relay runs, in one read transaction. It is put back only into a folder that no relay uses.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from razdar.adapters.files import private_folder, sync_folder, write_private
from razdar.adapters.identity import open_identity
from razdar.adapters.sqlite.lock import StoreInUse, lock_folder
from razdar.adapters.sqlite.schema import MIGRATIONS, StoreTooNew, connect, connect_writer, migrate
from razdar.model.trouble import Trouble, backup_damaged, data_in_use, data_newer, data_not_empty, nothing_to_back_up, owned_by_another
from razdar.ports.clock import Entropy
from razdar.ports.store import NEVER

SETTINGS = "razdar.toml"
STORE = "store.db"
_KEYS = ("keys/id_key", "keys/signing_key", "keys/domain")
_LATER_KEYS = ("keys/queue_key", "keys/dkim.pem")
"""Of a relay that this version has started; an older backup has none, and the relay makes them again."""
_CERTIFICATE = ("tls/certificate.pem", "tls/key.pem")
_DESK = ("blocks", "console.toml", "names.txt")
"""What the operator decided: who is blocked, settings that were changed at the desk (app/desk.py, config.py), other relays by hand."""
PARTS = (SETTINGS, *_KEYS, *_LATER_KEYS, *_CERTIFICATE, *_DESK, STORE)
"""All that can be in a backup, by its path in the data folder."""
_STORE_FILES = (STORE, f"{STORE}-wal", f"{STORE}-shm", "store.generation")
_OF_THE_FORMER = ("statistics.json", "known-names.json", "passkeys.json", "actions.log")
"""In no backup. Passkeys least of all may stay: whoever could enter the former relay's console must not enter this one's."""
_MOVED = (SETTINGS, "keys", "tls", *_STORE_FILES, *_DESK, *_OF_THE_FORMER)
"""What `--replace` puts aside."""
_STAYS = ("lock", "run", "reserve", "lost+found")
"""What may lie in an empty data folder; nothing of it tells one relay from another."""

_ROWS = """
INSERT OR REPLACE INTO main.meta SELECT * FROM relay.meta;
INSERT INTO main.account SELECT * FROM relay.account;
INSERT INTO main.mailbox SELECT * FROM relay.mailbox;
UPDATE main.mailbox SET used = 0;
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """What there is now."""

    domain: str
    accounts: int
    aside: Path | None
    """Where the former content of the folder lies, if there was any."""


def gather(data: Path, settings: Path | None) -> Mapping[str, bytes]:
    """The parts of a backup. `settings`: the file that was given; None: the one in `data`, if any. Trouble if no relay lives there."""
    if not (data / "keys").is_dir() or not (data / STORE).exists():
        raise nothing_to_back_up(data)
    parts = {name: (data / name).read_bytes() for name in _KEYS}
    files = {name: data / name for name in (*_LATER_KEYS, *_CERTIFICATE, *_DESK)} | {SETTINGS: settings or data / SETTINGS}
    parts |= {name: file.read_bytes() for name, file in files.items() if file.exists()}
    return parts | {STORE: _extract(data / STORE)}


def _extract(store: Path) -> bytes:
    """A database with the store's tables, all empty but those of accounts and folders, as they were at one moment."""
    source = f"{store.absolute().as_uri()}?mode=rw"  # rw only so that it can be read while its log is in use
    with closing(sqlite3.connect("file::memory:", uri=True, isolation_level=None)) as copy:
        copy.execute("ATTACH ? AS relay", (source,))
        (version,) = copy.execute("PRAGMA relay.user_version").fetchone()
        if version > len(MIGRATIONS):
            raise data_newer(store.parent)
        copy.executescript(f"BEGIN;{''.join(MIGRATIONS[:version])}{_ROWS}PRAGMA main.user_version = {version};COMMIT;")
        return copy.serialize(name="main")


def count_accounts(parts: Mapping[str, bytes]) -> int:
    """How many accounts there are in a backup. Trouble if it cannot be read."""
    with closing(_opened(parts[STORE])) as kept:
        return _count(kept)


def put_back(parts: Mapping[str, bytes], data: Path, entropy: Entropy, *, replace: bool) -> Restored:
    """`data` holds the relay of the backup. With `replace` a former content lies in a folder inside; Trouble, and no change, without.

    Trouble too if a relay runs there. Whoever is interrupted in the middle repeats it with `replace`.
    """
    if missing := [name for name in (*_KEYS, STORE) if name not in parts]:
        raise backup_damaged() from KeyError(*missing)
    with closing(_opened(parts[STORE])) as kept:
        _check_owner(data)
        private_folder(data)
        lock = _locked(data)
        try:
            aside = _make_room(data, replace=replace)
            for name, content in parts.items():
                if name != STORE:
                    private_folder((data / name).parent)
                    write_private(data / name, content)
            domain = open_identity(data, "", entropy).domain
            _fill(data / STORE, kept)
            sync_folder(data)
            return Restored(domain, _count(kept), aside)
        finally:
            os.close(lock)


def _opened(content: bytes) -> sqlite3.Connection:
    """The accounts of a backup, in RAM, as this version keeps them. The file may be anybody's, so its schema must be ours to the letter."""
    kept = connect(Path(":memory:"))
    try:
        kept.deserialize(content)
        kept.execute("PRAGMA trusted_schema = OFF")
        (version,) = kept.execute("PRAGMA user_version").fetchone()
        if not 0 < version <= len(MIGRATIONS) or _schema(kept) != _schema_of(version):
            raise backup_damaged()
        migrate(kept)
        if kept.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
            raise backup_damaged()
    except (sqlite3.Error, StoreTooNew) as error:
        kept.close()
        raise backup_damaged() from error
    except Trouble:
        kept.close()
        raise
    return kept


def _schema(connection: sqlite3.Connection) -> Sequence[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def _schema_of(version: int) -> Sequence[tuple[str, str]]:
    with closing(connect(Path(":memory:"))) as ours:
        migrate(ours, MIGRATIONS[:version])
        return _schema(ours)


def _count(kept: sqlite3.Connection) -> int:
    (accounts,) = kept.execute("SELECT count(*) FROM account WHERE expires <> ?", (NEVER,)).fetchone()
    return int(accounts)


def _check_owner(data: Path) -> None:
    """Root would leave files that the relay's own user cannot read."""
    if data.is_dir() and data.stat().st_uid != os.geteuid():
        raise owned_by_another(data, data.owner())


def _locked(data: Path) -> int:
    try:
        return lock_folder(data)
    except StoreInUse as error:
        raise data_in_use(data) from error


def _make_room(data: Path, *, replace: bool) -> Path | None:
    """Nothing of a relay lies in `data` any more; returns the folder where it went, if there was something."""
    found = [each for each in data.iterdir() if each.name not in _STAYS and not each.name.startswith("replaced-")]
    if not found:
        return None
    if not replace:
        raise data_not_empty(data)
    aside = next(folder for number in range(1, 10_000) if not (folder := data / f"replaced-{number}").exists())
    private_folder(aside)
    for name in _MOVED:
        if (data / name).exists():
            (data / name).rename(aside / name)
    sync_folder(data)
    return aside


def _fill(store: Path, kept: sqlite3.Connection) -> None:
    """A database on the disk with the rows of `kept`, under a name of its own until it is whole."""
    draft = store.with_name(f".{store.name}.restoring")
    draft.unlink(missing_ok=True)
    with closing(connect_writer(draft)) as target:
        migrate(target)
        target.execute("BEGIN IMMEDIATE")
        for table in ("meta", "account", "mailbox"):
            rows = kept.execute(f"SELECT * FROM {table}")  # noqa: S608 - one of three names
            target.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(rows.description))})", rows)  # noqa: S608
        target.execute("COMMIT")
    draft.replace(store)
