# SPDX-License-Identifier: AGPL-3.0-or-later
"""How many people fit: open files and memory; and does memory stay off the disk?"""

import re
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from razdar.checkup.finding import Finding, fine, note
from razdar.settings import Settings

_ABOUT = "limits"
FILES_FOR_OTHERS = 1_200
"""As in app/front.py: pages, ports, store."""
CONNECTION_BYTES = 43_008
"""Of one idle TLS connection, measured: 38 to 42 KiB (docs/performance.md)."""
BASE_BYTES = 128 * 2**20
"""Measured 60 MiB after the start; the caches of store, logins and addresses take the rest when they are full."""
_MESSAGES_LOW = 1_048_576
_UNLIMITED = "unlimited"


def examine(settings: Settings, pid: int | None, proc: Path = Path("/proc")) -> list[Finding]:
    """`pid`: the running relay, whose own limits count; None: this shell's, which a relay started from it would have."""
    files, locked = _limits(pid, proc)
    found = [*_files(files, settings), *_memory(settings, proc), *_swap(locked, proc)]
    shown = files if files is not None else _UNLIMITED
    return found or [fine(_ABOUT, f"پروندهٔ باز: {shown}؛ حافظه کافی است.", f"Open files: {shown}; memory suffices.")]


def _limits(pid: int | None, proc: Path) -> tuple[int | None, bool]:
    """Open files (None: any number), and whether memory may be locked without end."""
    try:
        text = (proc / str(pid) / "limits").read_text(encoding="ascii")
    except OSError:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        may_lock = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY
        return (None if hard == resource.RLIM_INFINITY else hard), may_lock
    found = dict(re.findall(r"^(Max open files|Max locked memory) +(?:\S+) +(\S+)", text, re.MULTILINE))
    files = found.get("Max open files", _UNLIMITED)
    return (None if files == _UNLIMITED else int(files)), found.get("Max locked memory") == _UNLIMITED


def _files(files: int | None, settings: Settings) -> Iterator[Finding]:
    needed = settings.connections + FILES_FOR_OTHERS
    if files is not None and files < needed:
        people = files - min(FILES_FOR_OTHERS, files // 2)
        yield note(
            _ABOUT,
            f"رله می‌تواند {files} پرونده باز کند، پس {people} اتصال هم‌زمان می‌پذیرد، نه {settings.connections}؛ "
            f"‎ulimit -Hn {needed}‎ یا در systemd ‎LimitNOFILE={needed}‎.",
            f"The relay may open {files} files, so it takes {people} connections at the same time and not {settings.connections}; "
            f"ulimit -Hn {needed}, or LimitNOFILE={needed} for systemd.",
        )


def _memory(settings: Settings, proc: Path) -> Iterator[Finding]:
    match = re.search(r"^MemTotal: +(\d+) kB", _read(proc / "meminfo"), re.MULTILINE)
    total = int(match[1]) * 1024 if match else 0
    if match and total < needed_bytes(settings):
        better = fitting(settings, total)
        changes = [
            f"{name} = {getattr(better, name)}"
            for name in ("memory_bytes", "outgoing_bytes", "connections")
            if getattr(better, name) != getattr(settings, name)
        ]
        need, have, todo = _mib(needed_bytes(settings)), _mib(total), "\u200e, ".join(changes)
        yield note(
            _ABOUT,
            f"اگر همهٔ اتصال‌ها پر باشد و پیام‌های بزرگ در راه، {need} مبی‌بایت حافظه لازم است و دستگاه {have} دارد؛ "
            f"بگذارید: \u200e{todo}\u200e.",
            f"With every connection taken and large messages on their way {need} MiB of memory are needed, and the machine has {have}; "
            f"set {', '.join(changes)}.",
        )


def needed_bytes(settings: Settings) -> int:
    """What the relay may take when everything is full."""
    return BASE_BYTES + settings.connections * CONNECTION_BYTES + settings.memory_bytes + settings.outgoing_bytes


def fitting(settings: Settings, total_bytes: int) -> Settings:
    """Settings for a machine with so much memory: an eighth of it for messages on their way in and out each, the rest for people."""
    part = max(_MESSAGES_LOW, total_bytes // 8 >> 20 << 20)
    less = replace(settings, memory_bytes=min(settings.memory_bytes, part), outgoing_bytes=min(settings.outgoing_bytes, part))
    people = (total_bytes - needed_bytes(replace(less, connections=0))) // CONNECTION_BYTES
    return replace(less, connections=min(settings.connections, max(1, people)))


def _mib(size_bytes: int) -> int:
    return (size_bytes + 2**20 - 1) >> 20


def _swap(may_lock: bool, proc: Path) -> Iterator[Finding]:
    if not may_lock and len(_read(proc / "swaps").splitlines()) > 1:
        yield note(
            _ABOUT,
            "دستگاه حافظهٔ جابه‌جایی (swap) دارد و شاید کلیدها روی دیسک نوشته شوند؛ آن را رمزنگاری کنید یا بردارید، "
            "یا ‎ulimit -l unlimited‎ (در systemd ‎LimitMEMLOCK=infinity‎).",
            "The machine has swap, and keys may get onto the disk; encrypt it or switch it off, "
            "or ulimit -l unlimited (LimitMEMLOCK=infinity for systemd).",
        )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""
