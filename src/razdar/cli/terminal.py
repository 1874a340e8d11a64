# SPDX-License-Identifier: AGPL-3.0-or-later
"""Text and QR codes on a terminal, Persian first.

Addresses and codes stand on lines of their own, so that bidirectional text cannot tear them.
"""

import io
import sys
from typing import TextIO

_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_WHITE_ON_BLACK, _PLAIN = "\x1b[97;40m", "\x1b[0m"


def speak_utf8() -> None:
    """Nothing printed from now on fails for its letters, whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(*lines: str, to: TextIO | None = None) -> None:
    """The lines are on the terminal now."""
    (to or sys.stdout).write("\n".join(lines) + "\n")
    (to or sys.stdout).flush()


def persian_digits(text: str) -> str:
    return text.translate(_DIGITS)


def qr_lines(text: str, *, colours: bool) -> list[str]:
    """The text as a QR code of half blocks. With `colours` it is dark on light whatever the terminal's colours are, as scanners want it."""
    import segno  # `--help` works without it

    out = io.StringIO()
    segno.make(text, micro=False).terminal(out, compact=True, border=2)
    lines = out.getvalue().rstrip("\n").split("\n")
    return [f"{_WHITE_ON_BLACK}{line}{_PLAIN}" for line in lines] if colours else lines


def show_qr(text: str) -> None:
    say(*qr_lines(text, colours=sys.stdout.isatty()))
