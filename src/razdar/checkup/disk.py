# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is there room, will there be, and is it a disk that a database can live on?"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from razdar.checkup.finding import Finding, fine, note, on_disk, wrong
from razdar.settings import Settings

_ABOUT = "disk"
_LITTLE_BYTES = 2**30
_MOUNTS = Path("/proc/self/mountinfo")
_IN_RAM = {"tmpfs", "ramfs"}
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"}
"""SQLite's log needs shared memory between processes, which these do not give (sqlite.org/wal.html)."""


def examine(settings: Settings, data: Path, relay_day: int) -> list[Finding]:
    """`relay_day`: relay days so far; 0 if there is no store yet."""
    place = on_disk(data)
    free = shutil.disk_usage(place).free
    found = [*_room(free, settings, place), *_kind(place), *_forecast(free, _store_bytes(data), relay_day, settings)]
    return found or [fine(_ABOUT, f"{_gib(free)} گیبی‌بایت جا هست.", f"There are {_gib(free)} GiB free.")]


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f}"


def _store_bytes(data: Path) -> int:
    return sum(file.stat().st_size for file in (data / "store.db", data / "store.db-wal") if file.exists())


def _room(free: int, settings: Settings, place: Path) -> Iterator[Finding]:
    if free < 2 * settings.reserve_bytes:
        yield wrong(
            _ABOUT,
            f"دیسک {place} پر است ({_gib(free)} گیبی‌بایت مانده) و رله پیام نمی‌پذیرد؛ جا باز کنید. خواندن و پاک کردن کار می‌کند.",
            f"The disk of {place} is full ({_gib(free)} GiB left) and the relay takes no mail; make room. Reading and deleting work.",
        )
    elif free < _LITTLE_BYTES:
        yield note(
            _ABOUT,
            f"در دیسک {place} تنها {_gib(free)} گیبی‌بایت مانده است؛ جا باز کنید یا keep_days و quota_bytes را کم کنید.",
            f"The disk of {place} has only {_gib(free)} GiB left; make room, or lower keep_days and quota_bytes.",
        )


def _kind(place: Path) -> Iterator[Finding]:
    kind = filesystem(place)
    if kind in _IN_RAM:
        yield note(
            _ABOUT,
            f"{place} در حافظه است ({kind}) و با خاموش شدن دستگاه از میان می‌رود؛ با ‎--data DIR‎ جایی روی دیسک بدهید.",
            f"{place} lies in memory ({kind}) and is gone when the machine is switched off; give a place on a disk with --data DIR.",
        )
    if kind in _REMOTE:
        yield wrong(
            _ABOUT,
            f"{place} روی دیسک شبکه است ({kind}) و پایگاه داده آنجا خراب می‌شود؛ با ‎--data DIR‎ جایی روی دیسک همین دستگاه بدهید.",
            f"{place} is on a network disk ({kind}), where the database gets damaged; give a place on this machine with --data DIR.",
        )


def filesystem(place: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the file system that holds `place` (proc(5), mountinfo); empty if unknown."""
    best, kind = Path(), ""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = Path(fields.split()[4].replace("\\040", " "))
        if place.resolve().is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, rest.split()[0]
    return kind


def _forecast(free: int, store: int, relay_day: int, settings: Settings) -> Iterator[Finding]:
    """As people have written so far, so they go on until messages begin to expire; after that the store grows no more."""
    days = settings.keep_days - relay_day
    growth = store // max(relay_day, 1) * days
    if relay_day and days > 0 and growth > free:
        left = max(1, free * relay_day // max(store, 1))
        yield note(
            _ABOUT,
            f"اگر مردم همین‌گونه بنویسند، دیسک {left} روز دیگر پر است؛ جا باز کنید یا keep_days و quota_bytes را کم کنید.",
            f"If people go on writing as they do, the disk is full in {left} days; make room, or lower keep_days and quota_bytes.",
        )
