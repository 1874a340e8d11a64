# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is everything in the data folder that must be there, and can nobody else read it?"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from razdar.adapters.identity import KEY_BYTES
from razdar.adapters.names_file import FILE_NAME, read_names
from razdar.adapters.sqlite.schema import MIGRATIONS, connect_reader
from razdar.checkup.finding import Finding, fine, note, troubled, wrong
from razdar.model.trouble import Trouble, data_newer, keys_incomplete, name_differs

_ABOUT = "data"
_OTHERS = 0o077
_OWN = ("keys", "tls", "store.db", "store.db-wal", "store.generation", "reserve", "lock", "run", "known-names.json")
"""What the relay makes; its settings may be anybody's, and readable."""


def examine(data: Path, wanted_name: str) -> list[Finding]:
    """`wanted_name`: the domain in the settings, or empty."""
    if not data.exists():
        return [fine(_ABOUT, f"پوشهٔ {data} هنوز نیست؛ ‎./razdar up‎ آن را می‌سازد.", f"{data} is not there yet; ./razdar up makes it.")]
    found = [*_owner(data), *_modes(data), *_keys(data, wanted_name), *_store(data), *_names(data), *_leftovers(data)]
    return found or [fine(_ABOUT, f"پوشهٔ {data} و کلیدهایش سر جای خود است.", f"{data} and its keys are as they should be.")]


def remembered_name(data: Path) -> str:
    """What the relay is called; empty if it was never started or cannot be read."""
    try:
        return (data / "keys" / "domain").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def relay_day(data: Path) -> int:
    """Relay days so far; 0 if there is no store, or none that can be read."""
    try:
        with closing(connect_reader(data / "store.db") if (data / "store.db").exists() else sqlite3.connect(":memory:")) as store:
            (day,) = store.execute("SELECT value FROM meta WHERE key = 'day'").fetchone()
            return int(day)
    except (sqlite3.Error, TypeError):
        return 0


def _owner(data: Path) -> Iterator[Finding]:
    owners = {path.owner() for path in (data, *(data / name for name in _OWN)) if path.exists()}
    if len(owners) > 1:
        yield wrong(
            _ABOUT,
            f"در {data} پرونده‌های چند کاربر است ({', '.join(sorted(owners))}) و رله شاید نتواند برخی را باز کند؛ "
            f"اجرا کنید: ‎chown -R {data.owner()}: {data}‎",
            f"{data} holds files of several users ({', '.join(sorted(owners))}), and the relay may not open some; "
            f"run: chown -R {data.owner()}: {data}",
        )
    elif data.stat().st_uid != os.geteuid():
        yield note(
            _ABOUT,
            f"پوشهٔ {data} از آن کاربر {data.owner()} است؛ رله و فرمان‌هایش را با همان کاربر اجرا کنید.",
            f"{data} belongs to the user {data.owner()}; run the relay and its commands as that user.",
        )


def _modes(data: Path) -> Iterator[Finding]:
    private = [data, *(data / name for name in _OWN), *data.glob("keys/*"), *data.glob("tls/*")]
    open_ = [path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & _OTHERS]
    if open_:
        shown = ", ".join(str(path) for path in open_)
        yield wrong(
            _ABOUT,
            f"کاربران دیگر این دستگاه به این‌ها دسترسی دارند: {shown}؛ اجرا کنید: ‎chmod -R go= {data}‎",
            f"Other users of this machine have access to {shown}; run: chmod -R go= {data}",
        )


def _keys(data: Path, wanted_name: str) -> Iterator[Finding]:
    keys = data / "keys"
    if not keys.exists() and not (data / "store.db").exists():
        return
    sizes = [(keys / name).stat().st_size if (keys / name).exists() else 0 for name in ("id_key", "signing_key")]
    if sizes != [KEY_BYTES, KEY_BYTES]:
        yield troubled(_ABOUT, keys_incomplete(keys))
    name = remembered_name(data)
    if wanted_name and name and name != wanted_name:
        yield troubled(_ABOUT, name_differs(name, wanted_name))


def _store(data: Path) -> Iterator[Finding]:
    if not (data / "store.db").exists():
        return
    try:
        with closing(connect_reader(data / "store.db")) as store:
            (version,) = store.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        yield wrong(
            _ABOUT,
            f"پایگاه دادهٔ {data / 'store.db'} باز نشد ({error})؛ رله را خاموش کنید و پشتیبان را با ‎./razdar restore‎ برگردانید.",
            f"The database {data / 'store.db'} cannot be opened ({error}); stop the relay and put a backup back with ./razdar restore.",
        )
        return
    if version > len(MIGRATIONS):
        yield troubled(_ABOUT, data_newer(data))


def _names(data: Path) -> Iterator[Finding]:
    """The list of other relays is the operator's own; a relay starts in spite of a mistake in it, without what it says."""
    try:
        read_names(data / FILE_NAME)
    except Trouble as trouble:
        yield troubled(_ABOUT, trouble)


def _leftovers(data: Path) -> Iterator[Finding]:
    for path in sorted(data.glob("replaced-*")):
        yield note(
            _ABOUT,
            f"{path} از یک بازگردانی مانده است و کلید و پیام در آن است؛ اگر لازم نیست پاکش کنید.",
            f"{path} was left by a restore, with keys and messages in it; delete it when you no longer need it.",
        )
