# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar apps`: which apps the relay hands out itself. Works on the data folder; a running relay notices at once."""

import argparse
from pathlib import Path

from razdar.cli.done import note_done
from razdar.cli.terminal import persian_digits, say
from razdar.model.app_file import AppFile
from razdar.model.trouble import Trouble


def run(arguments: argparse.Namespace) -> int:
    """Lists, adds or removes."""
    from razdar.adapters.apps import AppShelf  # only here

    shelf = AppShelf(arguments.data)
    if arguments.WHAT == "list":
        _list(list(shelf.files()))
        return 0
    if arguments.FILE is None:
        raise Trouble("نام پرونده را هم بنویسید.", "Name the file, too.")
    if arguments.WHAT == "add":
        _list([shelf.add(Path(arguments.FILE), arguments.version or "", arguments.number)])
        note_done(arguments.data, "app_add")
    else:
        shelf.remove(Path(arguments.FILE).name)
        note_done(arguments.data, "app_remove")
        say("از صفحهٔ رله برداشته شد.", "It is no longer on the relay's page.")
    return 0


def _list(files: list[AppFile]) -> None:
    if not files:
        say(
            "رله هنوز برنامه‌ای نمی‌دهد؛ با ‎./razdar apps add FILE‎ یکی بگذارید.",
            "The relay hands out no app yet; put one there with ./razdar apps add FILE.",
        )
    for file in files:
        say(file.name, f"  {file.version}  {file.size_bytes:,} bytes  {file.system}", f"  SHA-256 {file.sha256}")
        if not file.number:
            say(
                f"  شمارهٔ نسخه‌اش معلوم نیست، پس به برنامه‌ها خبر داده نمی‌شود ({persian_digits('0')}).",
                "  Its version number is not known, so it is not announced to the apps (--number).",
            )
