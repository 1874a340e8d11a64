# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the machine's clock show a possible time? Nothing is ever deleted by it, but certificates and the dates of messages need it.

There may be no time server to ask, so it is compared with what must lie in the past: the program's own files and the relay's data.
"""

import datetime
from collections.abc import Iterator
from pathlib import Path

from razdar.checkup.finding import Finding, fine, wrong

_ABOUT = "clock"
_SLACK = datetime.timedelta(days=1)
_LONG = datetime.timedelta(days=3653)


def examine(now: datetime.datetime, data: Path, program: Path) -> list[Finding]:
    """`program`: the folder with the program's files."""
    newest = max(_times(data, program), default=now)
    shown, past = f"{now:%Y-%m-%d %H:%M} UTC", f"{newest:%Y-%m-%d}"
    if now < newest - _SLACK:
        return [
            wrong(
                _ABOUT,
                f"ساعت دستگاه {shown} را نشان می‌دهد، ولی اینجا پرونده‌هایی با تاریخ {past} هست؛ ساعت را درست کنید (‎date -s‎ یا timedatectl).",
                f"The machine's clock says {shown}, but there are files from {past}; set the clock (date -s, or timedatectl).",
            )
        ]
    if now > newest + _LONG:
        return [
            wrong(
                _ABOUT,
                f"ساعت دستگاه {shown} را نشان می‌دهد، بیش از ده سال پس از تازه‌ترین پروندهٔ اینجا ({past})؛ ساعت را درست کنید.",
                f"The machine's clock says {shown}, more than ten years after the newest file here ({past}); set the clock.",
            )
        ]
    return [fine(_ABOUT, f"ساعت دستگاه {shown} است.", f"The machine's clock says {shown}.")]


def _times(data: Path, program: Path) -> Iterator[datetime.datetime]:
    files = [*program.rglob("*.py"), data / "store.db", data / "store.db-wal", data / "keys" / "domain"]
    for file in files:
        if file.exists():
            yield datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC)
