# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar restore FILE`: makes the data folder that of the relay in a backup."""

import argparse
import os
from pathlib import Path

from razdar.adapters.backup import PARTS, Restored, put_back
from razdar.adapters.backup_file import is_sealed, unpack
from razdar.cli.passphrase import ask
from razdar.cli.terminal import persian_digits, say
from razdar.model.trouble import data_not_writable, file_not_read


def run(arguments: argparse.Namespace) -> int:
    """`./razdar up` starts the relay that was saved. Trouble, and nothing has changed, if that is not possible."""
    try:
        content = arguments.FILE.read_bytes()
    except OSError as error:
        raise file_not_read(arguments.FILE, error.strerror or "?") from error
    parts = unpack(content, ask() if is_sealed(content) else "", PARTS)
    data: Path = arguments.data.absolute()
    try:
        restored = put_back(parts, data, os.urandom, replace=arguments.replace)
    except OSError as error:
        raise data_not_writable(data) from error
    _tell(restored, data)
    return 0


def _tell(restored: Restored, data: Path) -> None:
    accounts = restored.accounts
    say(
        f"برگردانده شد: {persian_digits(str(accounts))} حساب. هر کس با گذرواژهٔ پیشین خود وارد می‌شود؛ پیام‌های منتظر در پشتیبان نبود.",
        f"Restored: {accounts} {'account' if accounts == 1 else 'accounts'}. "
        "Everybody logs in with the old password; messages that waited were not in the backup.",
        f"    {restored.domain}",
        f"    {data}",
    )
    if restored.aside is not None:
        say(
            "آنچه پیش‌تر در پوشه بود اینجاست؛ اگر دیگر لازم نیست پاکش کنید، کلید و پیام در آن است:",
            "What was in the folder before lies here; delete it when you no longer need it, there are keys and messages in it:",
            f"    {restored.aside}",
        )
