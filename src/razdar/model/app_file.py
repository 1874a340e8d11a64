# SPDX-License-Identifier: AGPL-3.0-or-later
"""An app that the relay hands out itself, because its makers' page or the shops may be out of reach. Where it lies is not known here."""

import re
from dataclasses import dataclass

SYSTEMS = {
    ".apk": "android",
    ".exe": "windows",
    ".msi": "windows",
    ".appx": "windows",
    ".dmg": "mac",
    ".appimage": "linux",
    ".deb": "linux",
    ".flatpak": "linux",
}
"""What a file of this kind is for."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


@dataclass(frozen=True, slots=True)
class AppFile:
    """One file."""

    name: str
    """Of the file and in its link: letters, digits and `._+-`, never a path."""
    version: str
    number: int
    """By which apps compare versions (Android's versionCode); 0: not known, then it is not announced."""
    size_bytes: int
    sha256: str
    """In hexadecimal."""

    @property
    def system(self) -> str:
        """One of the values of `SYSTEMS`."""
        return SYSTEMS[suffix(self.name)]


def suffix(name: str) -> str:
    """The end of the name that tells what it is for, in lower case; "" if there is none."""
    _, dot, end = name.rpartition(".")
    return f"{dot}{end}".lower()


def is_app_name(name: str) -> bool:
    """Whether a file may have that name here."""
    return _NAME.fullmatch(name) is not None and ".." not in name and suffix(name) in SYSTEMS
