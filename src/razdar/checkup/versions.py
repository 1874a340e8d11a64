# SPDX-License-Identifier: AGPL-3.0-or-later
"""Are the programs that the relay stands on new enough, and are they the ones that were locked?"""

import importlib.metadata
import platform
import re
import sqlite3
import ssl
from collections.abc import Iterator
from pathlib import Path

from razdar import __version__
from razdar.adapters.sqlite.schema import SQLITE_NEEDED
from razdar.checkup.finding import Finding, fine, wrong

_ABOUT = "versions"


def examine(lock: Path) -> list[Finding]:
    """`lock`: requirements.lock of this program; it may be missing where the program was installed from a wheel."""
    found = [*_sqlite(), *(_locked(lock) if lock.exists() else ())]
    ours = f"Razdar {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}"
    return found or [fine(_ABOUT, f"{ours}؛ همه همان است که باید باشد.", f"{ours}; all as they should be.")]


def _sqlite() -> Iterator[Finding]:
    if sqlite3.sqlite_version_info < SQLITE_NEEDED:
        needed = ".".join(map(str, SQLITE_NEEDED))
        yield wrong(
            _ABOUT,
            f"SQLite {sqlite3.sqlite_version} کهنه است و دست‌کم {needed} لازم است؛ سیستم یا پایتون را تازه کنید.",
            f"SQLite {sqlite3.sqlite_version} is too old, {needed} is needed; renew the system or its Python.",
        )


def _locked(lock: Path) -> Iterator[Finding]:
    others = [(name, wanted, there) for name, wanted, there in _compared(lock) if there != wanted]
    if others:
        shown = ", ".join(f"{name} {there or '-'} ({wanted})" for name, wanted, there in others)
        yield wrong(
            _ABOUT,
            f"این‌ها همان نیست که در {lock.name} آمده است: {shown}؛ پوشهٔ ‎.venv‎ را پاک کنید تا آغاز بعدی آن را از نو بسازد.",
            f"These are not what {lock.name} says: {shown}; delete the folder .venv, and the next start makes it anew.",
        )


def _compared(lock: Path) -> Iterator[tuple[str, str, str]]:
    """Name, locked version, installed version. What is locked for other systems only, and is not installed, is left out."""
    for name, wanted, condition in re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+) *(;.*)?", lock.read_text(encoding="utf-8"), re.MULTILINE):
        try:
            yield name, wanted, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if not condition:
                yield name, wanted, ""
