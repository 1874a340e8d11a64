# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar backup FILE`: what the relay needs to be the same relay on another disk. Works while it runs."""

import argparse
import os
import sqlite3
from pathlib import Path

from razdar.adapters.backup import SETTINGS, count_accounts, gather
from razdar.adapters.backup_file import is_backup, pack
from razdar.adapters.files import write_private
from razdar.cli.done import note_done
from razdar.cli.passphrase import ask_new
from razdar.cli.terminal import persian_digits, say
from razdar.model.trouble import file_is_something_else, file_not_read, file_not_written


def run(arguments: argparse.Namespace) -> int:
    """The file is there, whole, on stable storage, mode 0600."""
    file: Path = arguments.FILE.absolute()
    _check_target(file)
    data: Path = arguments.data.absolute()
    try:
        parts = gather(data, arguments.config)
    except (OSError, sqlite3.Error) as error:
        raise file_not_read(data, getattr(error, "strerror", None) or str(error)) from error
    passphrase = ask_new() if arguments.encrypt else ""
    try:
        write_private(file, pack(parts, passphrase, os.urandom))
    except OSError as error:
        raise file_not_written(file, error.strerror or "?") from error
    note_done(data, "backup")
    _tell(file, count_accounts(parts), has_settings=SETTINGS in parts, is_sealed=bool(passphrase))
    return 0


def _check_target(file: Path) -> None:
    """An earlier backup is replaced; anything else of that name is not."""
    if not file.exists():
        return
    try:
        with file.open("rb") as existing:
            is_ours = is_backup(existing.read(64))
    except OSError as error:
        raise file_not_written(file, error.strerror or "?") from error
    if not is_ours:
        raise file_is_something_else(file)


def _tell(file: Path, accounts: int, *, has_settings: bool, is_sealed: bool) -> None:
    settings_fa, settings_en = ("، تنظیم‌ها", ", settings") if has_settings else ("", "")
    say(
        f"پشتیبان گرفته شد: کلیدها{settings_fa} و {persian_digits(str(accounts))} حساب. پیامی در آن نیست.",
        f"Saved: keys{settings_en} and {accounts} {'account' if accounts == 1 else 'accounts'}. There is no message in it.",
        f"    {file}",
    )
    if not is_sealed:
        say(
            "کلیدهای رله در آن است و رمزشده نیست؛ جایی نگهش دارید که جز شما کسی به آن نرسد، یا ‎--encrypt‎ را به کار ببرید.",
            "It holds the relay's keys and is not encrypted; keep it where nobody else gets at it, or use --encrypt.",
        )
