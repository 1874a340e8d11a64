# SPDX-License-Identifier: AGPL-3.0-or-later
"""One thing that `./razdar check` looked at, and what to say about it."""

import enum
from dataclasses import dataclass
from pathlib import Path

from razdar.model.trouble import Trouble


class Level(enum.Enum):
    """How bad it is. Only WRONG makes the check fail."""

    FINE = "fine"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and how to mend it if it needs mending, in both languages."""

    about: str
    level: Level
    persian: str
    english: str


def fine(about: str, persian: str, english: str) -> Finding:
    return Finding(about, Level.FINE, persian, english)


def note(about: str, persian: str, english: str) -> Finding:
    return Finding(about, Level.NOTE, persian, english)


def wrong(about: str, persian: str, english: str) -> Finding:
    return Finding(about, Level.WRONG, persian, english)


def troubled(about: str, trouble: Trouble) -> Finding:
    """What would stop a start."""
    return wrong(about, trouble.persian, trouble.english)


def on_disk(path: Path) -> Path:
    """`path`, or the folder that is there of those that lead to it."""
    return next(each for each in (path, *path.parents) if each.exists())
