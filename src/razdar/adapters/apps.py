# SPDX-License-Identifier: AGPL-3.0-or-later
"""The shelf of apps that the relay hands out: files in DIR/apps and a list of them, `apps.json`.

What is not on the list is not handed out, even if it lies there. The command line writes the list, the running relay reads it again when it
has changed. A file is copied, hashed and on the disk before it is listed.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from razdar.adapters.apk import apk_version
from razdar.adapters.files import private_folder, sync_folder, write_private
from razdar.model.app_file import SYSTEMS, AppFile, is_app_name, suffix
from razdar.model.trouble import Trouble, file_not_written

_LIST = "apps.json"
_BLOCK_BYTES = 1_048_576
_VERSION_IN_NAME = re.compile(r"\d+(?:\.\d+){1,3}")
_VERSION = re.compile(r"[A-Za-z0-9._+-]{1,40}")


class AppShelf:
    """The apps in one folder."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "apps"
        self._read: tuple[tuple[int, int, int] | None, tuple[AppFile, ...]] = None, ()

    def files(self) -> Sequence[AppFile]:
        """All of them, those for Android first. A list that cannot be read is an empty one."""
        state = self._state()
        if state != self._read[0]:
            self._read = (
                state,
                tuple(sorted(self._listed() if state else (), key=lambda file: (list(SYSTEMS.values()).index(file.system), file.name))),
            )
        return self._read[1]

    def path(self, name: str) -> Path | None:
        """Where a listed file lies; None if it is not listed, or not there as it was listed."""
        file = next((each for each in self.files() if each.name == name), None)
        if file is None:
            return None
        path = self._folder / file.name
        return path if path.is_file() and not path.is_symlink() and path.stat().st_size == file.size_bytes else None

    def add(self, source: Path, version: str = "", number: int = 0) -> AppFile:
        """The file is copied and listed, in place of one of the same name. Trouble if it is none that can be handed out."""
        if not is_app_name(source.name):
            raise _odd_name(source.name)
        told = (apk_version(source) if suffix(source.name) == ".apk" else None) or (_version_in(source.name), 0)
        version, number = version or told[0], number or told[1]
        if _VERSION.fullmatch(version) is None or number < 0:
            raise _no_version()
        private_folder(self._folder)
        try:
            size_bytes, sha256 = self._copy(source)
            file = AppFile(source.name, version, number, size_bytes, sha256)
            self._write([each for each in self._listed() if each.name != file.name] + [file])
        except OSError as error:
            raise file_not_written(self._folder / source.name, error.strerror or "?") from error
        return file

    def remove(self, name: str) -> None:
        """It is neither listed nor there. Trouble if it was not listed."""
        if name not in {each.name for each in self._listed()}:
            raise Trouble(
                f"برنامه‌ای با نام {name} نیست؛ ‎./razdar apps list‎ را ببینید.", f"There is no app called {name}; see ./razdar apps list."
            )
        self._write([each for each in self._listed() if each.name != name])
        (self._folder / name).unlink(missing_ok=True)

    def _copy(self, source: Path) -> tuple[int, str]:
        digest, size_bytes, draft = hashlib.sha256(), 0, self._folder / f".{source.name}.part"
        with source.open("rb") as there, draft.open("wb") as here:
            while block := there.read(_BLOCK_BYTES):
                digest.update(block)
                size_bytes += here.write(block)
            here.flush()
            os.fsync(here.fileno())
        draft.replace(self._folder / source.name)
        sync_folder(self._folder)
        return size_bytes, digest.hexdigest()

    def _write(self, files: Sequence[AppFile]) -> None:
        write_private(self._folder / _LIST, json.dumps([asdict(each) for each in files], indent=1).encode())

    def _listed(self) -> list[AppFile]:
        try:
            files = [AppFile(**each) for each in json.loads((self._folder / _LIST).read_bytes())]
        except (OSError, ValueError, TypeError):
            return []
        return [file for file in files if is_app_name(file.name)]

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = (self._folder / _LIST).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _version_in(name: str) -> str:
    found = _VERSION_IN_NAME.search(name)
    return found[0] if found else ""


def _odd_name(name: str) -> Trouble:
    kinds = " ".join(SYSTEMS)
    return Trouble(
        f"نام {name} پذیرفتنی نیست: حرف و رقم لاتین و ‎._+-‎، با پایانی از این‌ها: {kinds}",
        f"{name} cannot be handed out: a name has Latin letters, digits and ._+- and ends in one of {kinds}",
    )


def _no_version() -> Trouble:
    return Trouble(
        "نسخهٔ این برنامه از نام و درونش پیدا نیست؛ آن را با ‎--version‎ بگویید.",
        "Neither the file nor its name tells the version; give it with --version.",
    )
