# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar invite`: asks the running relay for an invitation and shows it."""

import argparse
import os
from pathlib import Path
from typing import BinaryIO

from razdar.cli.terminal import persian_digits, say, show_qr
from razdar.model.trouble import Trouble, file_not_written
from razdar.servers.control import ask

_MOST_USES, _MOST_DAYS, _MOST_CARDS = 1000, 365, 200


def run(arguments: argparse.Namespace) -> int:
    """Prints a link, or with --direct a code, and its QR code."""
    if arguments.sheet is not None:
        return _sheet(arguments)
    if arguments.direct:
        code = str(ask(arguments.data, {"op": "direct"})["dclogin"])
        before, after = _DIRECT_BEFORE, _DIRECT_AFTER
    else:
        uses, days = _in_range("--uses", arguments.uses, _MOST_USES), _in_range("--days", arguments.days, _MOST_DAYS)
        code = str(ask(arguments.data, {"op": "invite", "uses": uses, "days": days, "note": arguments.note or ""})["url"])
        before = ("این پیوند را بفرستید یا رمزینه را نشان دهید:", "Send this link or show the code:")
        after = _terms(uses, days)
    say("", *before, "", f"    {code}", "")
    show_qr(code)
    if arguments.png is not None:
        _write_png(code, arguments.png)
    say("", *after, "")
    return 0


def _sheet(arguments: argparse.Namespace) -> int:
    """Cards in a file that only this user can read."""
    cards, days = _in_range("--cards", arguments.cards, _MOST_CARDS), _in_range("--days", arguments.days, _MOST_DAYS)
    html = str(ask(arguments.data, {"op": "sheet", "cards": cards, "days": days, "note": arguments.note or ""})["html"])
    try:
        with _private(arguments.sheet) as file:
            file.write(html.encode())
    except OSError as error:
        raise file_not_written(arguments.sheet, error.strerror or "?") from error
    say(
        f"{persian_digits(str(cards))} کارت در {arguments.sheet} است؛ آن را با مرورگر چاپ کنید و سپس پاک کنید.",
        f"{cards} cards are in {arguments.sheet}; print it with a browser, then delete it.",
    )
    return 0


def _in_range(flag: str, value: int, most: int) -> int:
    if not 1 <= value <= most:
        raise Trouble(f"‎{flag}‎ باید از ۱ تا {persian_digits(str(most))} باشد.", f"{flag} goes from 1 to {most}.")
    return value


def _terms(uses: int, days: int) -> tuple[str, str]:
    return (
        f"برای {persian_digits(str(uses))} نفر، تا {persian_digits(str(days))} روز. گذرواژهٔ حساب را تنها کسی می‌بیند که دعوت را می‌پذیرد.",
        f"For {uses} {'person' if uses == 1 else 'people'}, for {days} {'day' if days == 1 else 'days'}. "
        "Only the person who claims it sees the password.",
    )


_DIRECT_BEFORE = (
    "این رمزینه را درون برنامهٔ دلتاچت، تنها با یک گوشی، اسکن کنید:",
    "Scan this code inside the Delta Chat app, with one phone only:",
)
_DIRECT_AFTER = (
    "آن را برای کسی نفرستید: نشانی و گذرواژهٔ حساب در آن است و هر که آن را داشته باشد پیام‌هایش را می‌گیرد و به نام صاحبش می‌نویسد؛ "
    "دو گوشی که یک رمزینه را اسکن کنند یک صندوق دارند.",
    "Do not share it: it holds the account's name and password. Whoever has it receives its mail and writes in its name; "
    "two phones that scan the same code share one mailbox.",
)


def _private(file: Path) -> BinaryIO:
    """Whoever reads the code has the account, so nobody else on this machine may."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "wb")


def _write_png(code: str, file: Path) -> None:
    import segno  # only here

    try:
        with _private(file) as picture:
            segno.make(code, micro=False).save(picture, kind="png", scale=8, border=4)
    except OSError as error:
        raise file_not_written(file, error.strerror or "?") from error
    say("", f"رمزینه در {file} است.", f"The code is in {file}.")
