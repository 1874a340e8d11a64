# SPDX-License-Identifier: AGPL-3.0-or-later
"""Asks for the passphrase of a backup: on the terminal without showing it, or, for scripts, the first line of standard input."""

import getpass
import sys

from razdar.cli.terminal import persian_digits, say
from razdar.model.trouble import Trouble

SHORTEST = 12


def ask_new() -> str:
    """A passphrase that was typed twice. Trouble if it is too short or the two differ."""
    passphrase = ask()
    if len(passphrase) < SHORTEST:
        raise Trouble(
            f"گذرواژه باید دست‌کم {persian_digits(str(SHORTEST))} نویسه باشد.", f"The passphrase needs at least {SHORTEST} characters."
        )
    if sys.stdin.isatty() and ask("دوباره / again: ") != passphrase:
        raise Trouble("دو گذرواژه یکی نیست.", "The two passphrases differ.")
    return passphrase


def ask(prompt: str = "گذرواژهٔ پشتیبان / passphrase of the backup: ") -> str:
    """What was typed."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    try:
        return getpass.getpass(prompt)
    except EOFError:
        say("", to=sys.stderr)
        return ""
